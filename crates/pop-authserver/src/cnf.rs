//! The `cnf` claim (RFC 7800 §3): one function for each way to name a key.

use pop_client::{Algorithm, DpopKey};
use pop_core::jose::{CertThumbprint, JwkThumbprint, SharedKey, encode};
use serde_json::{Map, Value, json};

/// Members of `cnf`.
pub(crate) type Cnf = Map<String, Value>;

fn member(name: &str, value: impl Into<Value>) -> Cnf {
    [(name.to_owned(), value.into())].into_iter().collect()
}

/// RFC 9449 §6.1
pub(crate) fn jkt(key: JwkThumbprint) -> Cnf {
    member("jkt", key.to_string())
}

/// RFC 8705 §3.1
pub(crate) fn x5t(certificate: CertThumbprint) -> Cnf {
    member("x5t#S256", certificate.to_string())
}

/// RFC 7800 §3.2. `alg` is fully specified (RFC 9864), so that the key verifies exactly one algorithm.
pub(crate) fn jwk(mut public_jwk: Value, algorithm: Algorithm) -> Cnf {
    public_jwk["alg"] = fully_specified(algorithm).name().into();
    member("jwk", public_jwk)
}

/// RFC 7800 §3.4. The identifier is the thumbprint of the key (RFC 7638).
pub(crate) fn kid(key: JwkThumbprint) -> Cnf {
    member("kid", key.to_string())
}

/// RFC 7800 §3.3
pub(crate) fn jwe(jwe: String) -> Cnf {
    member("jwe", jwe)
}

/// A symmetric key in clear, for a response over TLS. Never for a token.
pub(crate) fn oct(key: &SharedKey) -> Cnf {
    member("jwk", json!({ "kty": "oct", "k": encode(key.expose_bytes()), "alg": "HS256" }))
}

/// Returns the public JWK of a key, with its algorithm.
pub(crate) fn jwk_of(key: &DpopKey) -> Cnf {
    jwk(key.public_jwk(), key.algorithm())
}

/// `EdDSA` names two curves. The only one that is supported is Ed25519.
const fn fully_specified(algorithm: Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::EdDSA => Algorithm::Ed25519,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use pop_core::jose::{JsonLimits, Jwk, Object, RsaLimits};

    use super::*;

    #[test]
    fn a_key_has_the_same_jwk_whether_it_was_generated_or_read() {
        for algorithm in Algorithm::compiled_in() {
            let key = DpopKey::generate(algorithm).unwrap();
            let text = Value::Object(jwk_of(&key))["jwk"].to_string();
            let read = Jwk::parse(&Object::parse(text.as_bytes(), JsonLimits::PROOF).unwrap(), RsaLimits::default());
            let read = read.unwrap();
            assert_eq!(read.key().to_jwk(), key.public_jwk(), "{algorithm}");
            assert!(read.serves(algorithm), "{algorithm}");
            assert!(!text.contains("EdDSA"), "CNF-07 {text}");
        }
    }
}
