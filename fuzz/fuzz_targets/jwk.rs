//! A JWK: the thumbprint is the SHA-256 of the members that RFC 7638 names, so that it does not depend on how the rest is
//! spelled; a key never has private members, and verifies no made-up signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop_core::jose::crypto::VerifyingKey;
use pop_core::jose::{Algorithm, JsonLimits, Jwk, Object, RsaLimits};
use poplayer_fuzz::key::{BACKEND, sha256};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(object) = Object::parse(data, JsonLimits::PROOF) else { return };
    let Ok(jwk) = Jwk::parse(&object, RsaLimits::default()) else { return };
    let members: Value = serde_json::from_slice(data).expect("JSON");
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        assert!(members.get(private).is_none(), "{private}");
    }
    assert_eq!(jwk.key().thumbprint().to_string(), thumbprint(&members));
    for algorithm in Algorithm::compiled_in() {
        if let Ok(key) = VerifyingKey::new(jwk.key(), algorithm, BACKEND) {
            for signature in [&[0; 64][..], &[1; 96], &[0; 132], &[1; 256], &[0; 2420], &[1; 3309], &[0; 4627]] {
                assert!(key.verify(b"message", signature).is_err());
            }
        }
    }
});

fn thumbprint(jwk: &Value) -> String {
    let names: &[&str] = match jwk["kty"].as_str() {
        Some("EC") => &["crv", "kty", "x", "y"],
        Some("RSA") => &["e", "kty", "n"],
        Some("AKP") => &["alg", "kty", "pub"],
        _ => &["crv", "kty", "x"],
    };
    let required: Vec<String> = names.iter().map(|name| format!("\"{name}\":{}", jwk[*name])).collect();
    sha256(format!("{{{}}}", required.join(",")))
}
