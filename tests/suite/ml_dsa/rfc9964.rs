//! The example of RFC 9964 appendix A.1: a key of 32 zero bytes, and a signature that others made with it.

use pop_authserver::{Algorithm, DpopKey};
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{DecodedJws, JsonLimits, Jwk, Object, RsaLimits};

const THUMBPRINT: &str = "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o";

fn key() -> DpopKey {
    DpopKey::from_ml_dsa_seed(&[0; 32], Algorithm::MlDsa44).unwrap()
}

/// V-05, JOSE-15, DPOP-44: the thumbprint that the RFC prints, of the public key that the seed gives.
#[test]
fn computes_the_thumbprint_that_the_rfc_prints() {
    let text = key().public_jwk().to_string();
    let object = Object::parse(text.as_bytes(), JsonLimits::PROOF).unwrap();
    let jwk = Jwk::parse(&object, RsaLimits::default()).unwrap();
    assert_eq!(jwk.key().thumbprint().to_string(), THUMBPRINT);
    assert_eq!(key().thumbprint().to_string(), THUMBPRINT);
}

/// V-05, DPOP-44: the signature that the RFC prints, and none that differs from it by a bit.
#[test]
fn verifies_the_signature_that_the_rfc_prints() {
    let text: String = include_str!("../../vectors/rfc9964-jws.txt").split_ascii_whitespace().collect();
    let jws = DecodedJws::parse(&text, 8 * 1024).unwrap();
    assert_eq!(jws.header(), format!(r#"{{"alg":"ML-DSA-44","kid":"{THUMBPRINT}"}}"#).as_bytes());
    assert_eq!(jws.payload(), "It’s a dangerous business, Frodo, going out your door.".as_bytes());
    let verifier = VerifyingKey::new(key().public_key(), Algorithm::MlDsa44, CryptoBackend::AwsLcRs).unwrap();
    assert!(verifier.verify(jws.signing_input(), jws.signature()).is_ok());
    for at in (0..jws.signature().len()).step_by(11) {
        let mut altered = jws.signature().to_vec();
        altered[at] ^= 1 << (at % 8);
        assert!(verifier.verify(jws.signing_input(), &altered).is_err(), "byte {at}");
    }
    let (message, _) = text.rsplit_once('.').unwrap();
    assert!(verifier.verify(&message.as_bytes()[1..], jws.signature()).is_err());
}
