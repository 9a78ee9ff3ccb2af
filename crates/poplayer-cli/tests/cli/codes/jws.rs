//! The defects that tokens, proofs and signed requests have in common, because all are JWS.

use pop_authserver::DpopKey;
use pop_core::jose::encode;
use serde_json::{Value, json};

/// Compact JWS with one defect each, and the code without its prefix.
pub(super) fn malformed(key: &DpopKey, header: &Value, claims: &Value) -> Vec<(&'static str, String)> {
    let signed = |header: &Value, claims: &Value| key.sign_jws(&header.to_string(), &claims.to_string()).unwrap();
    let payload = |text: &str| key.sign_jws(&header.to_string(), text).unwrap();
    let with_claim = |value: Value| {
        let mut claims = claims.clone();
        claims["x-own"] = value;
        signed(header, &claims)
    };
    let with_parameter = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        signed(&header, claims)
    };
    let deep = (0..20).fold(json!(0), |inner, _| json!([inner]));
    let wide: serde_json::Map<_, _> = (0..200).map(|number| (format!("m{number}"), json!(0))).collect();
    let text = claims.to_string();
    let twice = format!("{},\"x-own\":1,\"x-own\":2}}", text.strip_suffix('}').unwrap());
    let good = signed(header, claims);
    let (head, _) = good.split_once('.').unwrap();
    vec![
        ("too_large", with_claim("a".repeat(60_000).into())),
        ("encrypted", format!("{head}.a.b.c.d")),
        // Not canonical: bits after the last byte.
        ("not_base64url", format!("{head}.e31.AA")),
        ("not_json", payload("text")),
        ("not_object", payload("[]")),
        ("duplicate_member", payload(&twice)),
        ("too_deep", with_claim(deep)),
        ("too_many_members", with_claim(wide.into())),
        ("alg", with_parameter("alg", "none".into())),
        ("typ", with_parameter("typ", "other".into())),
        ("crit", with_parameter("crit", json!(["x-own"]))),
        ("encoding", with_parameter("zip", "DEF".into())),
    ]
}

/// JWKs with one defect each, the algorithm to go with them, and the code without its prefix.
pub(super) fn keys(key: &DpopKey) -> Vec<(&'static str, &'static str, Value)> {
    let with = |name: &str, value: Value| {
        let mut jwk = key.public_jwk();
        jwk[name] = value;
        jwk
    };
    let mut without_y = key.public_jwk();
    without_y.as_object_mut().unwrap().remove("y");
    let rsa = |n: &[u8], e: &[u8]| json!({ "kty": "RSA", "n": encode(n), "e": encode(e) });
    vec![
        ("jwk_private", "ES256", with("d", encode([1; 32]).into())),
        ("jwk_kty", "ES256", with("kty", "other".into())),
        ("jwk_crv", "ES256", with("crv", "secp256k1".into())),
        ("jwk_member", "ES256", without_y),
        ("jwk_point", "ES256", with("y", encode([1; 32]).into())),
        ("jwk_rsa_modulus", "PS256", rsa(&[0xff; 128], &[1, 0, 1])),
        ("jwk_rsa_exponent", "PS256", rsa(&[0xff; 256], &[1])),
        ("jwk_algorithm", "ES384", key.public_jwk()),
        ("jwk_usage", "ES256", with("use", "enc".into())),
    ]
}
