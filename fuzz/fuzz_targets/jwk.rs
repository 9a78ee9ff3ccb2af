//! A JWK: what is read has a thumbprint that does not depend on its spelling, and imports or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{Algorithm, JsonLimits, Jwk, Object, RsaLimits};

fuzz_target!(|data: &[u8]| {
    let Ok(object) = Object::parse(data, JsonLimits::PROOF) else { return };
    let Ok(jwk) = Jwk::parse(&object, RsaLimits::default()) else { return };
    assert_eq!(jwk.key().thumbprint(), jwk.key().clone().thumbprint());
    for algorithm in Algorithm::ALL {
        if let Ok(key) = VerifyingKey::new(jwk.key(), algorithm, CryptoBackend::default()) {
            assert!(key.verify(b"message", &[0; 64]).is_err());
        }
    }
});
