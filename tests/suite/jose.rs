//! JOSE: strict parsing, keys and signatures, on both backends.

use std::time::Duration;

use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
use pop_core::access_token::Expectations;
use pop_core::access_token::introspection::{self, IntrospectionExpectations};
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{self, DecodedJws, Json, JsonLimits, Jwk, JwkError, Malformed, Object, PublicKey, RsaLimits};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower_pop::IssuerConfig;

use pop_core::policy::{TokenAllowances, TokenPolicy};

use crate::support::{AUDIENCE, Expected, ISSUER, NOW, api, api_for, api_on, api_with};

fn public(key: &DpopKey) -> PublicKey {
    let text = key.public_jwk().to_string();
    let object = Object::parse(text.as_bytes(), JsonLimits::PROOF).unwrap();
    Jwk::parse(&object, RsaLimits::default()).unwrap().key().clone()
}

/// JOSE-01, JOSE-02, JOSE-25, X-25: base64url without padding, stray bits or other alphabets; an empty signature is
/// none.
#[tokio::test]
async fn rejects_every_other_encoding_of_a_signature() {
    let api = api();
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let (message, signature) = proof.rsplit_once('.').unwrap();
    let trailing = {
        // The last of 86 characters carries 4 unused bits.
        let last = signature.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let at = alphabet.find(last).unwrap();
        format!("{}{}", &signature[..85], alphabet.chars().nth(at + 1).unwrap())
    };
    for (row, encoded) in [
        ("padding", format!("{signature}==")),
        ("trailing bits", trailing),
        ("standard alphabet", signature.replacen(['-', '_'], "+", 1).replacen(|c: char| c.is_ascii_digit(), "/", 1)),
        ("inner space", format!("{} {}", &signature[..40], &signature[40..])),
    ] {
        let answer = api.with(&token, &format!("{message}.{encoded}")).await.is(Expected::Proof, row);
        answer.coded("proof.not_base64url", &format!("JOSE-01 X-25 {row}"));
    }
    let no_signature = format!("{message}.");
    api.with(&token, &no_signature).await.is(Expected::Proof, "JOSE-25").coded("proof.not_compact", "JOSE-25");
    api.with(&token, &proof).await.is(Expected::Ok, "the twin");
}

/// JOSE-10, JOSE-11, X-08, X-09: two numbers of fixed length between 1 and n - 1.
#[tokio::test]
async fn rejects_ecdsa_signatures_of_another_form() {
    for backend in CryptoBackend::COMPILED_IN {
        let api = api_on(*backend);
        let token = api.token().mint();
        let proof = api.proof(&token).mint();
        let (message, signature) = proof.rsplit_once('.').unwrap();
        let good = jose::decode(signature).unwrap();
        const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
        let n: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&N[2 * at..2 * at + 2], 16).unwrap()).collect();
        let with = |r: &[u8], s: &[u8]| [r, s].concat();
        let der = {
            let integer = |bytes: &[u8]| [&[2, 33, 0], bytes].concat();
            let body = [integer(&good[..32]), integer(&good[32..])].concat();
            [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat()
        };
        for (row, bytes) in [
            ("X-08 all zero", vec![0; 64]),
            ("r = n", with(&n, &good[32..])),
            ("s = n", with(&good[..32], &n)),
            ("r = 0", with(&[0; 32], &good[32..])),
            ("s = 0", with(&good[..32], &[0; 32])),
            ("X-09 63 bytes", good[..63].to_vec()),
            ("X-09 65 bytes", with(&good, &[0])),
            ("X-09 zero-extended", [&[0], &good[..32], &[0], &good[32..]].concat()),
            ("X-09 DER", der),
        ] {
            let spoiled = format!("{message}.{}", jose::encode(bytes));
            let row = format!("JOSE-10 JOSE-11 {row} on {backend:?}");
            api.with(&token, &spoiled).await.is(Expected::Proof, &row).coded("proof.signature", &row);
        }
        api.with(&token, &proof).await.is(Expected::Ok, "the twin");
    }
}

/// JOSE-13, X-11: small orders and other encodings of S, R and keys.
#[test]
fn rejects_ed25519_signatures_and_keys_that_are_not_canonical() {
    let key = DpopKey::generate(Algorithm::Ed25519).unwrap();
    let good = key.sign(b"message").unwrap();
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    for backend in CryptoBackend::COMPILED_IN {
        let verifier = VerifyingKey::new(&public(&key), Algorithm::Ed25519, *backend).unwrap();
        assert!(verifier.verify(b"message", &good).is_ok());
        let mut above = good.clone();
        let mut carry = 0_u16;
        for at in 0..32 {
            let sum = u16::from(good[32 + at]) + u16::from(L[at]) + carry;
            above[32 + at] = u8::try_from(sum & 0xff).unwrap();
            carry = sum >> 8;
        }
        assert!(verifier.verify(b"message", &above).is_err(), "JOSE-13 S + L on {backend:?}");
        for low in low_order_points() {
            let rejected = VerifyingKey::new(&PublicKey::Ed25519(low), Algorithm::Ed25519, *backend);
            assert!(rejected.is_err(), "X-11 key {low:02x?} on {backend:?}");
            let mut with_low_r = good.clone();
            with_low_r[..32].copy_from_slice(&low);
            assert!(verifier.verify(b"message", &with_low_r).is_err(), "X-11 R on {backend:?}");
        }
        // A lenient library accepts this signature for any message under the identity point.
        let mut identity = [0; 64];
        identity[0] = 1;
        assert!(verifier.verify(b"anything", &identity).is_err());
    }
}

/// The points of order 1, 2, 4, 8 and their non-canonical encodings.
fn low_order_points() -> Vec<[u8; 32]> {
    let hex = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];
    hex.iter()
        .map(|text| std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()))
        .collect()
}

/// JOSE-12, JOSE-23: and a key of one algorithm is not imported for another.
#[test]
fn rejects_a_pss_signature_when_its_salt_is_not_as_long_as_the_hash() {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{RSA_PSS_SHA256, RSA_PSS_SHA384, RsaKeyPair};
    let key = DpopKey::generate(Algorithm::PS256).unwrap();
    let pair = RsaKeyPair::from_pkcs8(&key.to_pkcs8_der().unwrap()).unwrap();
    let sign = |encoding: &'static dyn aws_lc_rs::signature::RsaEncoding| {
        let mut signature = vec![0; 256];
        pair.sign(encoding, &SystemRandom::new(), b"message", &mut signature).unwrap();
        signature
    };
    let (good, other_hash) = (sign(&RSA_PSS_SHA256), sign(&RSA_PSS_SHA384));
    for backend in CryptoBackend::COMPILED_IN {
        let verifier = VerifyingKey::new(&public(&key), Algorithm::PS256, *backend).unwrap();
        assert!(verifier.verify(b"message", &good).is_ok());
        assert!(verifier.verify(b"message", &other_hash).is_err(), "JOSE-12 on {backend:?}");
        assert!(verifier.verify(b"message", &good[..255]).is_err());
        assert!(verifier.verify(b"message", &[&[0], &good[..]].concat()).is_err());
        assert!(VerifyingKey::new(&public(&key), Algorithm::ES256, *backend).is_err(), "JOSE-23");
    }
}

/// ATK-24: some serializers write every member that they know. In a set of the issuer, `null` and empty optional
/// members restrict nothing; in a proof they are rejected (`tests/suite/dpop.rs`).
#[tokio::test]
async fn empty_optional_members_of_published_keys_count_as_absent() {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let set: Value = serde_json::from_str(&server.jwks_json()).unwrap();
    let with = |members: Value| {
        let mut key = set["keys"][0].clone();
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let another = DpopKey::generate(Algorithm::ES256).unwrap().public_jwk();
        IssuerConfig::new(ISSUER).static_jwks(json!({ "keys": [key, another] }).to_string())
    };
    for (members, expected) in [
        (json!({ "use": null }), Expected::Ok),
        (json!({ "use": "" }), Expected::Ok),
        (json!({ "use": "enc" }), Expected::Token),
        (json!({ "use": [] }), Expected::Token),
        (json!({ "use": 0 }), Expected::Token),
        (json!({ "key_ops": null }), Expected::Ok),
        (json!({ "key_ops": [] }), Expected::Ok),
        (json!({ "key_ops": [null] }), Expected::Token),
        (json!({ "key_ops": ["encrypt"] }), Expected::Token),
        (json!({ "key_ops": "" }), Expected::Token),
        (json!({ "alg": null }), Expected::Ok),
        (json!({ "alg": "" }), Expected::Ok),
        (json!({ "alg": "ES384" }), Expected::Token),
        (json!({ "alg": [] }), Expected::Token),
        (json!({ "x5c": null, "x5t": null, "x5u": null, "n": null, "e": null }), Expected::Ok),
        (json!({ "d": null, "k": null, "p": null, "q": null, "oth": null }), Expected::Ok),
        (json!({ "d": "" }), Expected::Token),
        (json!({ "d": 0 }), Expected::Token),
        (json!({ "y": null }), Expected::Token),
        (json!({ "kty": null }), Expected::Token),
        (json!({ "crv": null }), Expected::Token),
    ] {
        let api = api_for(TestAuthServer::offline_at(ISSUER, NOW), with(members.clone()), |builder| builder);
        let token = server.token().audience(AUDIENCE).bound_to(&api.key);
        api.with_token(&token.mint()).await.is(expected, &members.to_string());
    }
    let api = api_for(TestAuthServer::offline_at(ISSUER, NOW), with(json!({ "kid": null })), |builder| builder);
    let token = server.token().audience(AUDIENCE).bound_to(&api.key);
    api.with_token(&token.mint())
        .await
        .is(Expected::Token, "a kid that is null is none")
        .coded("token.unknown_key", "");
    api.with_token(&token.without_header("kid").mint()).await.is(Expected::Ok, "as for a token without one");
    let twice = set["keys"][0].to_string().replacen('{', "{\"use\":null,", 1);
    let twice = IssuerConfig::new(ISSUER).static_jwks(format!("{{\"keys\":[{twice}]}}"));
    let error = tower_pop::PopConfig::builder(twice, AUDIENCE).build().unwrap_err();
    assert!(error.to_string().contains("duplicate member"), "JOSE-04 {error}");
}

/// JOSE-14: one octet before the modulus, and only for that issuer.
#[tokio::test]
async fn accepts_a_leading_zero_octet_of_an_rsa_modulus_when_the_issuer_is_allowed_to() {
    for backend in CryptoBackend::COMPILED_IN {
        for alg in [Algorithm::RS256, Algorithm::PS256] {
            let key = DpopKey::generate(alg).unwrap();
            let with = |member: &str, zeros: usize| {
                let mut jwk = key.public_jwk();
                let bytes = [vec![0; zeros], jose::decode(jwk[member].as_str().unwrap()).unwrap()].concat();
                jwk[member] = jose::encode(bytes).into();
                let another = DpopKey::generate(Algorithm::ES256).unwrap().public_jwk();
                IssuerConfig::new(ISSUER).static_jwks(json!({ "keys": [jwk, another] }).to_string())
            };
            for (row, issuer, expected) in [
                ("canonical", with("n", 0), Expected::Ok),
                ("canonical, allowed", with("n", 0).allow_rsa_leading_zero(), Expected::Ok),
                ("one zero", with("n", 1), Expected::Token),
                ("one zero, allowed", with("n", 1).allow_rsa_leading_zero(), Expected::Ok),
                ("two zeros, allowed", with("n", 2).allow_rsa_leading_zero(), Expected::Token),
                ("a zero before e, allowed", with("e", 1).allow_rsa_leading_zero(), Expected::Token),
            ] {
                let api = api_for(TestAuthServer::offline_at(ISSUER, NOW), issuer, |b| b.crypto_backend(*backend));
                let token = api.token().without_header("kid").header("alg", alg.name()).signed_by(&key);
                api.with_token(&token.mint()).await.is(expected, &format!("{row} {alg:?} {backend:?}"));
            }
        }
    }
}

/// JOSE-14, JOSE-15: otherwise one key would have two thumbprints.
#[test]
fn a_leading_zero_octet_changes_no_thumbprint_and_is_rejected_in_a_proof() {
    let key = DpopKey::generate(Algorithm::RS256).unwrap();
    let mut jwk = key.public_jwk();
    let bytes = [vec![0], jose::decode(jwk["n"].as_str().unwrap()).unwrap()].concat();
    jwk["n"] = jose::encode(bytes).into();
    let text = jwk.to_string();
    let object = Object::parse(text.as_bytes(), JsonLimits::PROOF).unwrap();
    let allowed = RsaLimits::default().allow_leading_zero();
    let read = Jwk::parse_published(&object, allowed).unwrap();
    assert_eq!(read.key().thumbprint(), key.thumbprint(), "JOSE-15");
    assert_eq!(Jwk::parse_published(&object, RsaLimits::default()).unwrap_err(), JwkError::LeadingZero);
    assert_eq!(Jwk::parse(&object, allowed).unwrap_err(), JwkError::LeadingZero, "JOSE-14 strict whatever is allowed");
    let largest = json!({ "kty": "RSA", "e": "AQAB", "n": jose::encode([vec![0], vec![0xff; 1024]].concat()) });
    let text = largest.to_string();
    let object = Object::parse(text.as_bytes(), JsonLimits::PROOF).unwrap();
    Jwk::parse_published(&object, RsaLimits::up_to(8192).allow_leading_zero()).unwrap();
}

/// JOSE-05: a realm with many clients has one member for each of them in a claim.
#[tokio::test]
async fn the_limits_of_tokens_are_configurable() {
    let clients = |count: usize| -> Value {
        let roles = json!({ "roles": ["view-profile"] });
        (0..count).map(|i| (format!("client-{i}"), roles.clone())).collect::<serde_json::Map<_, _>>().into()
    };
    let deep = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
    let standard = api();
    let larger = api_with(|builder| {
        let builder = builder.max_token_members(1000).max_token_values(20_000).max_token_depth(20);
        builder.max_token_len(256 * 1024)
    });
    for (row, claim, code) in [
        ("128 clients", clients(128), None),
        ("150 clients", clients(150), Some("token.too_many_members")),
        ("12 kB of values", json!(vec![0; 4500]), Some("token.too_many_members")),
        ("deep", deep(15), Some("token.too_deep")),
    ] {
        let token = standard.token().claim("resource_access", claim.clone()).mint();
        let answer = standard.with_token(&token).await;
        assert_eq!(answer.code, code, "{row}");
        let token = larger.token().claim("resource_access", claim).mint();
        larger.with_token(&token).await.is(Expected::Ok, row);
    }
    for (row, claim, code) in [
        ("1001 clients", clients(1001), "token.too_many_members"),
        ("values", json!(vec![0; 20_001]), "token.too_many_members"),
        ("too deep", deep(20), "token.too_deep"),
    ] {
        let token = larger.token().claim("resource_access", claim).mint();
        larger.with_token(&token).await.is(Expected::Token, row).coded(code, row);
    }
    let twice = format!("{{\"client-999\":1,{}", &clients(1000).to_string()[1..]);
    let payload = larger.token().payload_text();
    let token = larger.token().raw_payload(format!("{{\"resource_access\":{twice},{}", &payload[1..]));
    larger.with_token(&token.mint()).await.is(Expected::Token, "JOSE-04").coded("token.duplicate_member", "JOSE-04");
    let mut wide = standard.proof("x").claim("pad", clients(100));
    wide = wide.claim("ath", "x");
    larger.with(&larger.token().mint(), &wide.mint()).await.is(Expected::Proof, "proofs have separate limits");
}

/// JOSE-05: both have the same claims.
#[test]
fn the_limits_of_tokens_apply_to_introspection_responses() {
    let clients: serde_json::Map<_, _> = (0..150).map(|i| (format!("client-{i}"), json!({}))).collect();
    let answer = json!({ "active": true, "aud": AUDIENCE, "resource_access": clients }).to_string();
    let audiences = [AUDIENCE.into()];
    let read = |members: u16| {
        let mut policy = TokenPolicy::default();
        policy.json.members = members;
        let token = Expectations { audiences: &audiences, allowances: TokenAllowances::default(), policy: &policy };
        let expected = IntrospectionExpectations { issuer: ISSUER, token, cache_for: Duration::from_secs(10) };
        introspection::read(answer.as_bytes(), &expected, NOW).map(drop).map_err(|error| error.code())
    };
    assert_eq!(read(128), Err("unavailable.introspection"));
    assert_eq!(read(150), Ok(()));
}

/// JOSE-16: RFC 9278.
#[test]
fn a_thumbprint_can_be_written_as_a_uri() {
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let uri = key.thumbprint().to_uri();
    assert_eq!(uri, format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}", key.thumbprint()), "JOSE-16");
}

/// JOSE-20: without Unicode normalisation.
#[tokio::test]
async fn compares_strings_code_point_by_code_point() {
    let (nfc, nfd) = ("https://as.example/\u{e9}", "https://as.example/e\u{301}");
    assert!(tower_pop::PopConfig::builder(nfc, crate::support::AUDIENCE).build().is_err(), "issuers are ASCII");
    let api = api();
    for issuer in [nfc, nfd, "https://as.example/", "https://AS.example"] {
        api.with_token(&api.token().claim("iss", issuer).mint()).await.is(Expected::Token, "JOSE-20");
    }
    let audience = |audience: &str| api.token().claim("aud", json!([audience])).mint();
    api.with_token(&audience("https://api.example\u{301}")).await.is(Expected::Token, "JOSE-20");
    api.with_token(&audience(crate::support::AUDIENCE)).await.is(Expected::Ok, "the twin");
}

/// JOSE-24: two signatures with one nonce reveal the key.
#[tokio::test]
async fn ecdsa_signatures_never_repeat_a_nonce() {
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let verifier = VerifyingKey::new(&public(&key), Algorithm::ES256, CryptoBackend::default()).unwrap();
    let signatures: Vec<_> = (0..20).map(|_| key.sign(b"message").unwrap()).collect();
    assert!(signatures.iter().all(|signature| verifier.verify(b"message", signature).is_ok()));
    let repeated_r = signatures
        .iter()
        .enumerate()
        .any(|(at, one)| signatures[at + 1..].iter().any(|other| one[..32] == other[..32] && one[32..] != other[32..]));
    assert!(!repeated_r, "JOSE-24 a nonce was used for two different signatures");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// JOSE-21, JOSE-04: what our parser accepts, serde_json reads to the same members; our parser never panics.
    #[test]
    fn agrees_with_serde_json_on_all_json_that_it_accepts(text in json_text()) {
        if let Ok(object) = Object::parse(text.as_bytes(), JsonLimits::PROOF) {
            let other: serde_json::Value = serde_json::from_str(&text).unwrap();
            let other = other.as_object().unwrap();
            prop_assert_eq!(object.members().count(), other.len());
            for (name, value) in object.members() {
                match (value, &other[name]) {
                    (Json::String(text), serde_json::Value::String(other)) => prop_assert_eq!(text.as_ref(), other),
                    (Json::Integer(number), other) => prop_assert_eq!(Some(*number), other.as_u64()),
                    (Json::Null, other) => prop_assert!(other.is_null()),
                    (Json::Bool(value), other) => prop_assert_eq!(Some(*value), other.as_bool()),
                    (Json::Float(number), other) => prop_assert_eq!(Some(*number), other.as_f64()),
                    (Json::Array(list), other) => prop_assert_eq!(list.len(), other.as_array().unwrap().len()),
                    (Json::Object(inner), other) => {
                        prop_assert_eq!(inner.members().count(), other.as_object().unwrap().len());
                    }
                    (value, other) => prop_assert!(false, "{value:?} {other:?}"),
                }
            }
        }
    }

    /// ERR-17: any string and any bytes.
    #[test]
    fn parsers_never_panic(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = DecodedJws::parse(&text, 8192).map(|jws| jws.payload().len());
        let _ = Object::parse(&bytes, JsonLimits::PROOF);
        let _ = jose::decode(&bytes);
        let _ = jose::decode_array::<32>(&bytes);
        prop_assert_eq!(DecodedJws::parse(&"a".repeat(9000), 8192).err(), Some(Malformed::TooLarge));
    }
}

/// Strings near JSON: members that repeat, escapes, nesting, numbers of all kinds.
fn json_text() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("a"), Just("b"), Just("\\u0061"), Just("htu"), Just("\u{e9}")];
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("-1".to_owned()),
        Just("1e3".to_owned()),
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("\"x\"".to_owned()),
        Just("\"\\ud83d\\ude00\"".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("01".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("".to_owned()),
        Just("[1,]".to_owned()),
    ];
    let value = leaf.prop_recursive(4, 20, 4, move |inner| {
        let member = (name.clone(), inner.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    });
    prop::collection::vec((prop_oneof![Just("a"), Just("b"), Just("c")], value), 0..4).prop_map(|members| {
        let members: Vec<_> = members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}
