use super::*;
use crate::jose::crypto::{CryptoBackend, VerifyingKey};
use crate::jose::{Algorithm, AlgorithmSet, Json, JsonLimits, Jwk, Object, RsaLimits, SigningKey};

fn public(key: &SigningKey, alg: Algorithm) -> VerifyingKey {
    let jwk = key.public_jwk().to_string();
    let object = Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap();
    let jwk = Jwk::parse(&object, RsaLimits::default()).unwrap();
    VerifyingKey::new(jwk.key(), alg, CryptoBackend::default()).unwrap()
}

fn signed_by(key: &SigningKey, alg: &str, payload: &Payload) -> String {
    let members: Vec<String> = payload.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    key.sign_jws(&format!(r#"{{"typ":"pop","alg":"{alg}"}}"#), &format!("{{{}}}", members.join(","))).unwrap()
}

fn with_jwk(jwk: &str) -> Payload {
    with(payload(), "cnf", &format!(r#"{{"jwk":{jwk}}}"#))
}

/// SHR-04, SHR-05: each algorithm, with the key that the envelope names.
#[test]
fn verifies_with_the_key_of_the_token_and_the_algorithm_of_that_key() {
    let all: AlgorithmSet = Algorithm::compiled_in().collect();
    let policy = SignedRequestPolicy { algorithms: all, ..strict() };
    for alg in Algorithm::compiled_in() {
        let (key, other) = (SigningKey::generate(alg).unwrap(), SigningKey::generate(alg).unwrap());
        let text = signed_by(&key, alg.name(), &with_jwk(&key.public_jwk().to_string()));
        let envelope = read(&text, &policy).unwrap();
        let embedded = envelope.embedded_key().unwrap();
        assert_eq!(*embedded.thumbprint(), key.thumbprint(), "{alg}");
        assert_eq!(envelope.algorithm(), EnvelopeAlgorithm::Asymmetric(alg));
        assert_eq!(envelope.verify_signature(PopKey::Public(embedded.verifying_key())), Ok(()), "{alg}");
        assert_eq!(envelope.verify_signature(PopKey::Public(&public(&key, alg))), Ok(()), "{alg}");
        let foreign = public(&other, alg);
        assert_eq!(envelope.verify_signature(PopKey::Public(&foreign)), Err(SignedRequestError::Signature), "{alg}");
        assert_eq!(Request::default().check(&envelope, &policy), Ok(()), "{alg}");
        assert_eq!(
            read(&text, &SignedRequestPolicy { algorithms: AlgorithmSet::EMPTY, ..strict() }).map(drop),
            Err("envelope.alg")
        );
    }
}

/// SYM-10, X-61: the kind of key decides the algorithm, not the envelope.
#[test]
fn rejects_an_algorithm_when_the_key_is_of_another_kind() {
    let key = SigningKey::generate(Algorithm::RS256).unwrap();
    let jwk = key.public_jwk().to_string();
    let (rs256, ps256) = (public(&key, Algorithm::RS256), public(&key, Algorithm::PS256));
    let policy = strict();
    let signature = signed_by(&key, "RS256", &payload());
    let envelope_ = read(&signature, &policy).unwrap();
    let verdict = |key| envelope_.verify_signature(key);
    assert_eq!(verdict(PopKey::Public(&rs256)), Ok(()));
    assert_eq!(verdict(PopKey::Public(&ps256)), Err(SignedRequestError::KeyAlgorithm), "the key is for PS256");
    assert_eq!(verdict(PopKey::Shared(&shared_key())), Err(SignedRequestError::KeyAlgorithm));

    // An HMAC whose key is the public key, as its JWK or its modulus.
    for secret in [jwk.into_bytes(), key.to_pkcs8_der().unwrap().to_vec()] {
        let input = signed(r#"{"typ":"pop","alg":"HS256"}"#, &payload());
        let input = input.rsplit_once('.').unwrap().0;
        let mac = SharedKey::new(secret).unwrap().sign(input.as_bytes());
        let text = format!("{input}.{}", encode(mac));
        let envelope = read(&text, &policy).unwrap();
        assert_eq!(envelope.algorithm(), EnvelopeAlgorithm::Hs256);
        assert_eq!(envelope.verify_signature(PopKey::Public(&rs256)), Err(SignedRequestError::KeyAlgorithm));
        assert_eq!(envelope.verify_signature(PopKey::Shared(&shared_key())), Err(SignedRequestError::Signature));
    }
}

/// SHR-04, CNF-07, CNF-08: the key of the envelope is read as strictly as that of a DPoP proof.
#[test]
fn rejects_an_embedded_key_when_it_is_not_a_public_key_for_the_algorithm() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let own = key.public_jwk();
    let edited = |name: &str, value: Json<'_>| {
        let mut jwk = own.clone();
        jwk[name] = serde_json::to_value(value).unwrap();
        jwk.to_string()
    };
    let text = |value: &'static str| Json::String(value.into());
    let rsa = SigningKey::generate(Algorithm::RS256).unwrap().public_jwk().to_string();
    for (jwk, expected) in [
        (own.to_string(), Ok(())),
        (edited("alg", text("ES256")), Ok(())),
        (edited("kid", text("any")), Ok(())),
        (edited("alg", text("ES384")), Err("envelope.jwk_algorithm")),
        (edited("use", text("enc")), Err("envelope.jwk_usage")),
        (edited("d", text("AAAA")), Err("envelope.jwk_private")),
        (edited("d", Json::Null), Err("envelope.jwk_private")),
        (edited("k", text("AAAA")), Err("envelope.jwk_private")),
        (edited("x", text("AAAA")), Err("envelope.jwk_member")),
        (edited("x", text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")), Err("envelope.jwk_point")),
        (edited("crv", text("secp256k1")), Err("envelope.jwk_crv")),
        (edited("kty", text("oct")), Err("envelope.jwk_kty")),
        (rsa, Err("envelope.jwk_algorithm")),
        (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(), Err("envelope.jwk_rsa_modulus")),
    ] {
        let text = signed_by(&key, "ES256", &with_jwk(&jwk));
        assert_eq!(read(&text, &strict()).map(drop), expected, "{jwk}");
    }
    let beside_hmac = envelope(&with_jwk(&own.to_string()));
    assert_eq!(read(&beside_hmac, &strict()).map(drop), Err("envelope.jwk_algorithm"));
    let no_key = signed_by(&key, "ES256", &payload());
    assert!(read(&no_key, &strict()).unwrap().embedded_key().is_none());
}
