//! Which key sets are accepted.

use super::*;
use crate::jose::{JwkError, Malformed};

/// An RSA modulus of 1024 bits.
const WEAK_MODULUS: &str = "sOd-qwh5hWw5JN-n0KP7e-QvhrkNfJcQ0VErK-7tnCo-IScHE59iDftZEZ2fWKH1wwUL1goU3XeSmnAavjysTLEZ-IwhHCEXQHDE0fcFsF_NiUYa4imIcUAeEDQD3MrKrQ4n7etiFuqMhZDxTjF202N_s1vs-XwzM9VKt3brOsc";

fn rejected(keys: &[Value]) -> (usize, Option<String>, UnusableKey) {
    match parse(keys) {
        Err(KeyEncryptionKeysError::Key { index, kid, reason }) => (index, kid.map(Into::into), reason),
        other => panic!("{other:?}"),
    }
}

/// Returns the reason for which a key is rejected with a member replaced. `None` removes the member.
fn reason(kid: &str, name: &str, value: Option<Value>) -> UnusableKey {
    let mut jwk = private_jwk(kid);
    assert!(parse(std::slice::from_ref(&jwk)).is_ok(), "{kid}");
    match value {
        Some(value) => jwk[name] = value,
        None => drop(jwk.as_object_mut().unwrap().remove(name)),
    }
    rejected(&[jwk]).2
}

#[test]
fn accepts_one_key_for_each_algorithm_and_curve() {
    let keys = keys();
    assert_eq!((keys.len(), keys.is_empty()), (12, false));
    assert!(KeyEncryptionKeys::default().is_empty());
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["decrypt", "unwrapKey", "deriveKey"])),
        ("unknown", json!({ "a": 1 })),
    ] {
        let mut with = jwks();
        for jwk in &mut with {
            jwk[name] = value.clone();
        }
        assert_eq!(parse(&with).unwrap().len(), 12, "{name}");
    }
}

#[test]
fn errors_name_the_first_key_that_cannot_be_used() {
    let mut keys = jwks();
    keys[3]["alg"] = "RSA1_5".into();
    keys[5].as_object_mut().unwrap().remove("kid");
    assert_eq!(rejected(&keys), (3, Some("P-384 ECDH-ES".to_owned()), UnusableKey::Algorithm));
    assert_eq!(
        parse(&keys).unwrap_err().to_string(),
        "keys[3] (kid \"P-384 ECDH-ES\"): alg is missing, not allowed, or does not fit kty"
    );
    keys[3] = private_jwk("A256KW");
    keys[3]["kid"] = "another".into();
    assert_eq!(rejected(&keys), (5, None, UnusableKey::Kid));
    assert_eq!(parse(&keys).unwrap_err().to_string(), "keys[5]: kid is missing");
    keys[5]["kid"] = "rsa".into();
    assert_eq!(rejected(&keys), (5, Some("rsa".to_owned()), UnusableKey::DuplicateKid));
    keys[5]["kid"] = "line\nbreak".into();
    keys[5]["alg"] = "none".into();
    assert_eq!(rejected(&keys), (5, Some("line?break".to_owned()), UnusableKey::Algorithm));
}

#[test]
fn rejects_documents_that_are_not_a_set_of_keys() {
    use KeyEncryptionKeysError::{Key, NoKeys, TooMany};
    for (text, error) in [
        ("", Malformed::NotJson.into()),
        ("not JSON", Malformed::NotJson.into()),
        ("[]", Malformed::NotObject.into()),
        (r#"{"keys":[],"keys":[]}"#, Malformed::DuplicateMember.into()),
        ("{}", NoKeys),
        (r#"{"keys":[]}"#, NoKeys),
        (r#"{"keys":{}}"#, NoKeys),
        (r#"{"keys":[1]}"#, Key { index: 0, kid: None, reason: UnusableKey::NotObject }),
        (r#"{"keys":[{}]}"#, Key { index: 0, kid: None, reason: UnusableKey::Kid }),
    ] {
        assert_eq!(KeyEncryptionKeys::parse(text.as_bytes()).unwrap_err(), error, "{text}");
    }
    let numbered = |at: usize| {
        let mut jwk = private_jwk("A256KW");
        jwk["kid"] = at.to_string().into();
        jwk
    };
    assert_eq!(parse(&(0..64).map(numbered).collect::<Vec<_>>()).unwrap().len(), 64);
    assert_eq!(parse(&(0..65).map(numbered).collect::<Vec<_>>()).unwrap_err(), TooMany);
}

/// SYM-03, SYM-13: `kid` and `alg` are required, `alg` is allowed and fits the key.
#[test]
fn rejects_keys_without_kid_or_with_an_algorithm_that_does_not_fit() {
    for kid in ["rsa", "P-256 ECDH-ES", "X25519 ECDH-ES+A256KW", "A256KW"] {
        for value in [None, Some(json!("")), Some(json!(1)), Some(Value::Null)] {
            assert_eq!(reason(kid, "kid", value.clone()), UnusableKey::Kid, "{kid}: {value:?}");
            assert_eq!(reason(kid, "alg", value.clone()), UnusableKey::Algorithm, "{kid}: {value:?}");
        }
        for alg in ["RSA1_5", "RSA-OAEP", "RSA-OAEP-512", "A128KW", "ECDH-ES+A128KW", "PBES2-HS256+A128KW", "HS256"] {
            assert_eq!(reason(kid, "alg", Some(alg.into())), UnusableKey::Algorithm, "{kid}: {alg}");
        }
        for kty in ["RSA", "EC", "OKP", "oct", "ec"] {
            if private_jwk(kid)["kty"] != kty {
                let expected = match (kid, kty) {
                    ("P-256 ECDH-ES", "OKP") | ("X25519 ECDH-ES+A256KW", "EC") => UnusableKey::Jwk(JwkError::Curve),
                    _ => UnusableKey::Algorithm,
                };
                assert_eq!(reason(kid, "kty", Some(kty.into())), expected, "{kid}: {kty}");
            }
        }
        for (name, value) in [
            ("use", json!("sig")),
            ("use", Value::Null),
            ("key_ops", json!(["sign"])),
            ("key_ops", json!([])),
            ("key_ops", json!("decrypt")),
        ] {
            assert_eq!(reason(kid, name, Some(value.clone())), UnusableKey::Usage, "{kid}: {name} {value}");
        }
    }
}

#[test]
fn rejects_public_keys() {
    for kid in ["rsa", "P-256 ECDH-ES", "P-384 ECDH-ES", "P-521 ECDH-ES", "X25519 ECDH-ES"] {
        assert_eq!(rejected(&[without_private_members(private_jwk(kid))]).2, UnusableKey::PublicOnly, "{kid}");
    }
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        assert_eq!(reason("rsa", name, None), UnusableKey::PublicOnly, "{name}");
    }
    assert_eq!(reason("A256KW", "k", None), UnusableKey::Jwk(JwkError::Member));
}

#[test]
fn rejects_weak_inconsistent_and_malformed_keys() {
    let rsa = private_jwk("rsa");
    let member = |name: &str| Some(rsa[name].clone());
    for (kid, name, value, expected) in [
        ("rsa", "n", Some(json!(WEAK_MODULUS)), UnusableKey::RsaModulus),
        ("rsa", "e", Some(json!("AQ")), UnusableKey::Jwk(JwkError::RsaExponent)),
        ("rsa", "e", Some(json!("AAEAAQ")), UnusableKey::Jwk(JwkError::LeadingZero)),
        ("rsa", "e", Some(json!("Aw")), UnusableKey::Inconsistent),
        ("rsa", "p", member("q"), UnusableKey::Inconsistent),
        ("rsa", "dp", member("dq"), UnusableKey::Inconsistent),
        ("rsa", "qi", member("dp"), UnusableKey::Inconsistent),
        ("rsa", "d", member("dp"), UnusableKey::Inconsistent),
        ("rsa", "d", Some(json!("+")), UnusableKey::Jwk(JwkError::Member)),
        ("rsa", "d", Some(Value::Null), UnusableKey::Jwk(JwkError::Member)),
        ("rsa", "oth", Some(json!([])), UnusableKey::Jwk(JwkError::Member)),
        ("P-256 ECDH-ES", "d", Some(private_jwk("P-256 ECDH-ES+A256KW")["d"].clone()), UnusableKey::Inconsistent),
        ("P-256 ECDH-ES", "x", Some(private_jwk("P-256 ECDH-ES+A256KW")["x"].clone()), UnusableKey::Inconsistent),
        ("P-256 ECDH-ES", "d", Some(json!("AA")), UnusableKey::Inconsistent),
        ("P-256 ECDH-ES", "crv", Some(json!("P-192")), UnusableKey::Jwk(JwkError::Curve)),
        ("P-256 ECDH-ES", "y", None, UnusableKey::Jwk(JwkError::Member)),
        ("X25519 ECDH-ES", "crv", Some(json!("Ed25519")), UnusableKey::Jwk(JwkError::Curve)),
        ("X25519 ECDH-ES", "d", Some(private_jwk("X25519 ECDH-ES+A256KW")["d"].clone()), UnusableKey::Inconsistent),
        ("A256KW", "k", Some(json!("hJtXIZ2uSN5kbQfbtTNWbg")), UnusableKey::OctLength),
        ("A256GCMKW", "k", Some(json!("A".repeat(44))), UnusableKey::OctLength),
        ("dir", "k", Some(json!("")), UnusableKey::OctLength),
        ("dir", "k", Some(json!(format!("{KEY}="))), UnusableKey::Jwk(JwkError::Member)),
    ] {
        assert_eq!(reason(kid, name, value.clone()), expected, "{kid}: {name} {value:?}");
    }
}

/// The other side is as strict, and takes public keys only.
#[test]
fn rejects_recipients_that_are_not_public_keys_for_encryption() {
    let read = |kid: &str, name: &str, value: Value| {
        let mut jwk = without_private_members(private_jwk(kid));
        assert!(read_recipient(&jwk).is_ok(), "{kid}");
        jwk[name] = value;
        read_recipient(&jwk).map(drop)
    };
    for kid in ["rsa", "P-256 ECDH-ES", "X25519 ECDH-ES"] {
        let private = private_jwk(kid);
        assert_eq!(read(kid, "d", private["d"].clone()), Err(UnusableKey::Jwk(JwkError::PrivateMember)), "{kid}");
        assert_eq!(read(kid, "use", "sig".into()), Err(UnusableKey::Usage), "{kid}");
        assert_eq!(read(kid, "key_ops", json!(["verify"])), Err(UnusableKey::Usage), "{kid}");
        assert_eq!(read(kid, "key_ops", json!(["wrapKey", "deriveBits"])), Ok(()), "{kid}");
        assert_eq!(read(kid, "kid", "".into()), Err(UnusableKey::Kid), "{kid}");
        assert_eq!(read(kid, "alg", "RSA1_5".into()), Err(UnusableKey::Algorithm), "{kid}");
        assert_eq!(read(kid, "alg", "A256KW".into()), Err(UnusableKey::Algorithm), "{kid}");
    }
    assert_eq!(read("rsa", "n", WEAK_MODULUS.into()), Err(UnusableKey::RsaModulus));
    let off_curve = private_jwk("P-256 ECDH-ES+A256KW")["x"].clone();
    assert_eq!(read("P-256 ECDH-ES", "x", off_curve), Err(UnusableKey::Inconsistent));
    assert_eq!(read("A256KW", "k", "AAAA".into()), Err(UnusableKey::OctLength));
}
