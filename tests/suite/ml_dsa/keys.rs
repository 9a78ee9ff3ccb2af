//! JWKs and key sets.

use pop_authserver::{Algorithm, DpopKey};
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{AlgorithmSet, JsonLimits, Jwk, JwkError, JwkSet, JwksError, Object, RsaLimits, encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::ALL;

fn read(jwk: &Value) -> Result<Jwk, JwkError> {
    let text = jwk.to_string();
    Jwk::parse(&Object::parse(text.as_bytes(), JsonLimits::PROOF).unwrap(), RsaLimits::default())
}

fn set(
    keys: &[&Value],
    algorithms: AlgorithmSet,
    backend: CryptoBackend,
) -> Result<(JwkSet, Vec<JwkError>), JwksError> {
    let text = json!({ "keys": keys }).to_string();
    let (set, skipped) = JwkSet::parse(text.as_bytes(), algorithms, RsaLimits::default(), backend)?;
    Ok((set, skipped.into_iter().map(|key| key.reason).collect()))
}

/// JOSE-15, DPOP-44: `alg`, `kty` and `pub`, in this order, and nothing else.
#[test]
fn the_thumbprint_is_over_alg_kty_and_pub() {
    for algorithm in ALL {
        let mut jwk = DpopKey::generate(algorithm).unwrap().public_jwk();
        let text = format!(r#"{{"alg":"{algorithm}","kty":"AKP","pub":{}}}"#, jwk["pub"]);
        let expected = encode(Sha256::digest(text));
        assert_eq!(read(&jwk).unwrap().key().thumbprint().to_string(), expected, "{algorithm}");
        for (name, value) in [("kid", "a"), ("use", "sig"), ("x", "AA"), ("crv", "P-256")] {
            jwk[name] = value.into();
        }
        assert_eq!(read(&jwk).unwrap().key().thumbprint().to_string(), expected, "JOSE-15 {algorithm}");
    }
}

/// JOSE-23: each key serves the algorithm that it names, and no backend imports it for another.
#[test]
fn a_key_serves_one_algorithm() {
    for algorithm in ALL {
        let key = DpopKey::generate(algorithm).unwrap();
        let jwk = read(&key.public_jwk()).unwrap();
        assert_eq!(jwk.alg(), Some(algorithm.name()));
        for other in Algorithm::compiled_in() {
            assert_eq!(jwk.serves(other), other == algorithm, "{algorithm} as {other}");
            for backend in CryptoBackend::COMPILED_IN {
                let imported = VerifyingKey::new(jwk.key(), other, *backend);
                let expected = other == algorithm && *backend == CryptoBackend::AwsLcRs;
                assert_eq!(imported.is_ok(), expected, "{algorithm} as {other} on {backend:?}");
            }
        }
        let verifier = VerifyingKey::new(jwk.key(), algorithm, CryptoBackend::AwsLcRs).unwrap();
        let signature = key.sign(b"message").unwrap();
        assert!(verifier.verify(b"message", &signature).is_ok());
        assert!(verifier.verify(b"message!", &signature).is_err() && verifier.verify(b"", &signature).is_err());
        // Signatures are randomized, and the same message has many.
        assert_ne!(key.sign(b"message").unwrap(), signature, "{algorithm}");
    }
}

/// JOSE-23, ATK-24: a key of a set is used where its algorithm is named, and skipped otherwise.
#[test]
fn a_key_set_may_hold_keys_that_are_not_used() {
    let elliptic = DpopKey::generate(Algorithm::ES256).unwrap().public_jwk();
    let akp = DpopKey::generate(Algorithm::MlDsa65).unwrap().public_jwk();
    let (named, usual) = (AlgorithmSet::TOKEN.with(Algorithm::MlDsa65), AlgorithmSet::TOKEN);
    let (keys, skipped) = set(&[&akp, &elliptic], named, CryptoBackend::AwsLcRs).unwrap();
    assert!(skipped.is_empty());
    for algorithm in Algorithm::compiled_in() {
        let expected = usize::from([Algorithm::ES256, Algorithm::MlDsa65].contains(&algorithm));
        assert_eq!(keys.candidates(None, algorithm).count(), expected, "{algorithm}");
    }
    for (algorithms, backend) in
        CryptoBackend::COMPILED_IN.iter().flat_map(|backend| [(usual, backend), (named, backend)])
    {
        if algorithms == named && *backend == CryptoBackend::AwsLcRs {
            continue;
        }
        let (keys, skipped) = set(&[&akp, &elliptic], algorithms, *backend).unwrap();
        assert_eq!(skipped, [JwkError::Algorithm], "{backend:?}");
        assert_eq!(keys.candidates(None, Algorithm::ES256).count(), 1);
        assert!(matches!(set(&[&akp], algorithms, *backend), Err(JwksError::NoUsableKey)), "{backend:?}");
    }
}

/// ATK-24: published keys may have empty members, except those that an AKP key needs.
#[test]
fn published_keys_need_their_algorithm() {
    let jwk = DpopKey::generate(Algorithm::MlDsa44).unwrap().public_jwk();
    let elliptic = DpopKey::generate(Algorithm::ES256).unwrap().public_jwk();
    for (name, value, expected) in [
        ("priv", json!(null), None),
        ("use", json!(""), None),
        ("priv", json!("AA"), Some(JwkError::PrivateMember)),
        ("d", json!("AA"), Some(JwkError::PrivateMember)),
        ("alg", json!(""), Some(JwkError::Algorithm)),
        ("alg", json!(null), Some(JwkError::Member)),
        ("pub", json!(""), Some(JwkError::Member)),
        ("alg", json!("SLH-DSA-SHA2-128s"), Some(JwkError::Algorithm)),
    ] {
        let mut changed = jwk.clone();
        changed[name] = value;
        let named = AlgorithmSet::TOKEN.with(Algorithm::MlDsa44);
        let (keys, skipped) = set(&[&changed, &elliptic], named, CryptoBackend::AwsLcRs).unwrap();
        assert_eq!(skipped, Vec::from_iter(expected), "{name}");
        let usable = keys.candidates(None, Algorithm::MlDsa44).count();
        assert_eq!(usable, usize::from(expected.is_none()), "{name}");
    }
}
