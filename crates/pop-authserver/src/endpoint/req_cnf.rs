//! `req_cnf`: the key that a client asks to bind its token to (RFC 9201 §3.1, draft-ietf-oauth-pop-key-distribution-07
//! §4.2). The value is a `cnf` object as JSON, or as base64url of JSON.
//!
//! 1. `jwk`: a public key.
//! 2. `kid`: the thumbprint of a key (RFC 7638). This is what MSAL sends, with `xms_ksl` beside it.
//! 3. A symmetric key is rejected, in clear or encrypted: the server generates symmetric keys itself.
//! 4. Other confirmation methods are rejected. Unknown members are ignored.

use pop_core::jose::{Algorithm, Json, JsonLimits, Jwk, JwkError, JwkThumbprint, Object, RsaLimits, decode};
use serde_json::Value;

use crate::cnf::{self, Cnf};
use crate::oauth_error::OAuthError;

/// The maximum size of the parameter in bytes.
const MAX_LEN: usize = 8192;
/// Confirmation methods that cannot be requested.
const OTHER_METHODS: [&str; 7] = ["jwe", "jku", "jkt", "x5t#S256", "htsk", "osc", "tbh"];

/// A public key that a client asks for. Possession is not proven yet.
#[derive(Debug)]
pub(super) enum RequestedKey {
    /// The key itself.
    Jwk { jwk: Box<Jwk>, public_jwk: Value },
    /// The thumbprint of the key.
    Kid(JwkThumbprint),
}

impl RequestedKey {
    /// Reads the parameter.
    pub(super) fn parse(value: &str) -> Result<Self, OAuthError> {
        let invalid = OAuthError::invalid_request;
        if value.len() > MAX_LEN {
            return Err(invalid("req_cnf is too long"));
        }
        let json = if value.trim_start().starts_with('{') {
            value.as_bytes().to_vec()
        } else {
            decode(value).map_err(|_| invalid("req_cnf is neither JSON nor base64url"))?
        };
        let not_object = |_| invalid("req_cnf is not a JSON object without duplicate members");
        let object = Object::parse(&json, JsonLimits::PROOF).map_err(not_object)?;
        if object.contains("kty") {
            return Err(invalid("req_cnf is a JWK, but must be an object with the member jwk or kid"));
        }
        if OTHER_METHODS.iter().any(|name| object.contains(name)) {
            return Err(invalid("req_cnf has another confirmation method than jwk and kid"));
        }
        match (object.get("jwk"), object.get("kid")) {
            (Some(Json::Object(jwk)), None) => Self::from_jwk(jwk),
            (None, Some(Json::String(kid))) => JwkThumbprint::parse(kid)
                .map(Self::Kid)
                .map_err(|_| invalid("kid of req_cnf is not the thumbprint of a key")),
            (None, None) => Err(invalid("req_cnf has neither jwk nor kid")),
            (Some(_), Some(_)) => Err(invalid("req_cnf has both jwk and kid")),
            _ => Err(invalid("a member of req_cnf has a wrong type")),
        }
    }

    fn from_jwk(object: &Object<'_>) -> Result<Self, OAuthError> {
        if object.get("kty").and_then(Json::as_str) == Some("oct") || object.contains("k") {
            return Err(OAuthError::invalid_request("a symmetric key cannot be requested by its value"));
        }
        let jwk = Jwk::parse(object, RsaLimits::default()).map_err(|error| match error {
            JwkError::PrivateMember => OAuthError::invalid_request("jwk of req_cnf has a private member"),
            JwkError::NotObject | JwkError::Member | JwkError::LeadingZero => {
                OAuthError::invalid_request("jwk of req_cnf is malformed")
            }
            _ => unsupported(),
        })?;
        let public_jwk = jwk.key().to_jwk();
        Ok(Self::Jwk { jwk: Box::new(jwk), public_jwk })
    }

    /// Returns the `cnf` of the token, in exchange for the key and the algorithm of a verified proof.
    pub(super) fn confirmed(self, proven: JwkThumbprint, algorithm: Algorithm) -> Result<Cnf, OAuthError> {
        let other_key = || OAuthError::invalid_dpop_proof("the key of the proof is not the key of req_cnf");
        match self {
            Self::Kid(kid) if kid == proven => Ok(cnf::kid(kid)),
            Self::Jwk { jwk, .. } if jwk.key().thumbprint() != proven => Err(other_key()),
            Self::Jwk { jwk, .. } if !jwk.serves(algorithm) => {
                Err(OAuthError::unsupported_pop_key("alg of the key is not the algorithm of the proof"))
            }
            Self::Jwk { public_jwk, .. } => Ok(cnf::jwk(public_jwk, algorithm)),
            Self::Kid(_) => Err(other_key()),
        }
    }
}

const fn unsupported() -> OAuthError {
    OAuthError::unsupported_pop_key("this kind of key is not supported")
}

#[cfg(test)]
mod tests {
    use pop_client::DpopKey;
    use pop_core::jose::encode;
    use serde_json::json;

    use super::*;

    fn key() -> DpopKey {
        DpopKey::generate(Algorithm::ES256).unwrap()
    }

    /// AS-15, D-15: as JSON and as base64url of it.
    #[test]
    fn reads_a_jwk_or_a_thumbprint_in_both_encodings() {
        let ml_dsa = Algorithm::ML_DSA.iter().copied();
        for algorithm in [Algorithm::ES256].into_iter().chain(ml_dsa) {
            let key = DpopKey::generate(algorithm).unwrap();
            let kid = key.thumbprint().to_string();
            for (value, expected) in [
                (json!({ "jwk": key.public_jwk() }), cnf::jwk_of(&key)),
                (json!({ "jwk": key.public_jwk(), "foo": 1 }), cnf::jwk_of(&key)),
                (json!({ "kid": kid }), cnf::kid(key.thumbprint())),
                // MSAL
                (json!({ "kid": kid, "xms_ksl": "sw" }), cnf::kid(key.thumbprint())),
            ] {
                let text = value.to_string();
                for encoded in [format!(" {text}"), encode(&text), text] {
                    let requested = RequestedKey::parse(&encoded).unwrap();
                    assert_eq!(requested.confirmed(key.thumbprint(), algorithm), Ok(expected.clone()), "{encoded}");
                }
            }
        }
    }

    /// AS-15, AS-16, AS-21: each row names what is wrong.
    #[test]
    fn rejects_a_key_when_it_is_malformed_symmetric_or_unsupported() {
        let (invalid, unsupported) = ("invalid_request", "unsupported_pop_key");
        let with = |name: &str, value: Value| {
            let mut jwk = key().public_jwk();
            jwk[name] = value;
            json!({ "jwk": jwk }).to_string()
        };
        let both = json!({ "jwk": key().public_jwk(), "kid": key().thumbprint().to_string() }).to_string();
        let ok = with("kid", json!("k1"));
        RequestedKey::parse(&ok).unwrap();
        for (row, value, expected) in [
            ("not JSON", "nonsense!".to_owned(), invalid),
            ("base64url of nonsense", encode("nonsense"), invalid),
            ("padded base64url", format!("{}=", encode(&ok)), invalid),
            ("duplicate member", r#"{"kid":"a","kid":"b"}"#.to_owned(), invalid),
            ("an array", "[]".to_owned(), invalid),
            ("empty", "{}".to_owned(), invalid),
            ("a JWK without cnf around it", key().public_jwk().to_string(), invalid),
            ("both", both, invalid),
            ("too long", format!("{}{ok}", " ".repeat(8192)), invalid),
            ("jwk is a string", r#"{"jwk":"x"}"#.to_owned(), invalid),
            ("kid is a number", r#"{"kid":7}"#.to_owned(), invalid),
            ("kid is no thumbprint", r#"{"kid":"k1"}"#.to_owned(), invalid),
            ("AS-16 oct", r#"{"jwk":{"kty":"oct","k":"AAAA"}}"#.to_owned(), invalid),
            ("AS-16 k in a public key", with("k", json!("AAAA")), invalid),
            ("AS-16 encrypted", r#"{"jwe":"a.b.c.d.e"}"#.to_owned(), invalid),
            ("jku", r#"{"jku":"https://example.com"}"#.to_owned(), invalid),
            ("private key", with("d", json!("AAAA")), invalid),
            ("short coordinate", with("x", json!("AAAA")), invalid),
            ("AS-21 another curve", with("crv", json!("secp256k1")), unsupported),
            ("AS-21 another kind", with("kty", json!("ASCON")), unsupported),
            ("AS-21 another AKP", r#"{"jwk":{"kty":"AKP","alg":"SLH-DSA","pub":"AAAA"}}"#.to_owned(), unsupported),
            ("AS-21 for encryption", with("use", json!("enc")), unsupported),
        ] {
            assert_eq!(RequestedKey::parse(&value).unwrap_err().code(), expected, "{row}");
        }
    }

    /// AS-15: the key of the proof, for the algorithm of the proof.
    #[test]
    fn rejects_a_key_when_possession_of_another_one_is_proven() {
        let (own, other) = (key(), key());
        let mut jwk = own.public_jwk();
        jwk["alg"] = "ES384".into();
        for (row, value, proven, expected) in [
            ("jwk", json!({ "jwk": own.public_jwk() }), &other, "invalid_dpop_proof"),
            ("kid", json!({ "kid": own.thumbprint().to_string() }), &other, "invalid_dpop_proof"),
            ("AS-21 alg", json!({ "jwk": jwk }), &own, "unsupported_pop_key"),
        ] {
            let requested = RequestedKey::parse(&value.to_string()).unwrap();
            let error = requested.confirmed(proven.thumbprint(), Algorithm::ES256).unwrap_err();
            assert_eq!(error.code(), expected, "{row}");
        }
    }
}
