//! The header of a JWE (RFC 7516 §4). It is decided before any cryptography whether the algorithms are allowed.

use std::borrow::Cow;

use super::algorithm::{ContentEncryption, KeyManagement};
use super::error::JweError;
use crate::jose::{Json, JsonLimits, Object, base64url};

/// Parameters that change how the content is read. None is implemented, so that a JWE with one of them is rejected.
const REJECTED: [&str; 3] = ["zip", "crit", "b64"];

/// A header with allowed algorithms. Other parameters than those that are read are ignored (RFC 7516 §4).
pub(super) struct JweHeader<'h> {
    pub(super) alg: KeyManagement,
    pub(super) enc: ContentEncryption,
    pub(super) kid: Cow<'h, str>,
    parameters: Object<'h>,
}

impl<'h> JweHeader<'h> {
    /// Parses a decoded header.
    pub(super) fn parse(json: &'h [u8]) -> Result<Self, JweError> {
        let mut parameters = Object::parse(json, JsonLimits::PROOF).map_err(|_| JweError)?;
        if REJECTED.iter().any(|name| parameters.contains(name)) {
            return Err(JweError);
        }
        let text = |name| parameters.get(name).and_then(Json::as_str);
        let alg = text("alg").and_then(KeyManagement::from_name).ok_or(JweError)?;
        let enc = text("enc").and_then(ContentEncryption::from_name).ok_or(JweError)?;
        let Some(Json::String(kid)) = parameters.take("kid") else {
            return Err(JweError);
        };
        if alg.allows(enc) { Ok(Self { alg, enc, kid, parameters }) } else { Err(JweError) }
    }

    /// Returns the `epk` parameter (RFC 7518 §4.6.1.1).
    pub(super) fn epk(&self) -> Option<&Object<'h>> {
        self.parameters.get("epk").and_then(Json::as_object)
    }

    /// Returns a parameter that is binary, in base64url.
    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        base64url::decode(self.parameters.get(name)?.as_str()?).ok()
    }

    /// Returns a binary parameter as [`bytes`](Self::bytes) does. If it is absent, returns no bytes.
    pub(super) fn optional_bytes(&self, name: &str) -> Option<Vec<u8>> {
        if self.parameters.contains(name) { self.bytes(name) } else { Some(Vec::new()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SYM-03: every allowed combination.
    #[test]
    fn accepts_allowed_algorithms() {
        for alg in KeyManagement::ALL {
            for enc in ContentEncryption::ALL.into_iter().filter(|enc| alg.allows(*enc)) {
                let json = format!(r#"{{"alg":"{alg}","enc":"{enc}","kid":"k","typ":"JWE","cty":"jwk+json","p2c":1}}"#);
                let header = JweHeader::parse(json.as_bytes()).unwrap();
                assert_eq!((header.alg, header.enc, header.kid.as_ref()), (alg, enc, "k"));
            }
        }
    }

    /// SYM-03, X-28: the header alone decides. An iteration count or a compression never gets the chance to cost anything.
    #[test]
    fn rejects_bombs_and_legacy_algorithms_from_the_header_alone() {
        for json in [
            r#"{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","kid":"k","p2s":"AAAAAAAAAAA","p2c":1000000000}"#,
            r#"{"alg":"PBES2-HS512+A256KW","enc":"A128CBC-HS256","kid":"k","p2s":"AAAAAAAAAAA","p2c":1}"#,
            r#"{"alg":"A256KW","enc":"A256GCM","kid":"k","zip":"DEF"}"#,
            r#"{"alg":"A256KW","enc":"A256GCM","kid":"k","zip":null}"#,
            r#"{"alg":"A256KW","enc":"A256GCM","kid":"k","crit":["exp"],"exp":1}"#,
            r#"{"alg":"A256KW","enc":"A256GCM","kid":"k","crit":[]}"#,
            r#"{"alg":"A256KW","enc":"A256GCM","kid":"k","b64":true}"#,
            r#"{"alg":"RSA1_5","enc":"A128CBC-HS256","kid":"k"}"#,
            r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"RSA-OAEP-512","enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"k"}"#,
            r#"{"alg":"A128GCMKW","enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"ECDH-ES+A128KW","enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"ECDH-1PU","enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"none","enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"HS256","enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"a256kw","enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"A256KW","enc":"a256gcm","kid":"k"}"#,
            r#"{"alg":"A256KW","enc":"A128GCM","kid":"k"}"#,
            r#"{"alg":"A256KW","enc":"A256CBC-HS512","kid":"k"}"#,
            r#"{"alg":"dir","enc":"A128CBC-HS256","kid":"k"}"#,
        ] {
            assert!(JweHeader::parse(json.as_bytes()).is_err(), "{json}");
        }
    }

    /// SYM-13: `kid` is required. JOSE-04: no duplicates.
    #[test]
    fn rejects_missing_duplicate_and_mistyped_parameters() {
        for json in [
            r#"{"alg":"A256KW","enc":"A256GCM"}"#,
            r#"{"alg":"A256KW","enc":"A256GCM","kid":null}"#,
            r#"{"alg":"A256KW","enc":"A256GCM","kid":1}"#,
            r#"{"alg":["A256KW"],"enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"A256KW","enc":null,"kid":"k"}"#,
            r#"{"alg":"A256KW","kid":"k"}"#,
            r#"{"enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"A256KW","enc":"A256GCM","kid":"k","kid":"k"}"#,
            r#"{"alg":"A256KW","alg":"RSA1_5","enc":"A256GCM","kid":"k"}"#,
            r#"{"alg":"A256KW","enc":"A256GCM","kid":"k","\u0061lg":"dir"}"#,
            r#"[]"#,
            "",
        ] {
            assert!(JweHeader::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}
