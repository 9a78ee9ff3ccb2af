//! Symmetric keys as JWKs (RFC 7518 §6.4): the form in which they are inside a JWE or an introspection response.

use zeroize::Zeroizing;

use super::{Json, Object, SharedKey, base64url};

/// Why a JWK is not a symmetric proof-of-possession key. Contains nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum OctError {
    /// `kty` is missing or not `oct`.
    #[error("kty is not oct")]
    KeyType,
    /// `k` is missing, not a string or not canonical base64url.
    #[error("k is missing or not canonical base64url")]
    Key,
    /// `k` has fewer than [`SharedKey::MIN_LEN`] bytes.
    #[error("the key is shorter than 32 bytes")]
    TooShort,
    /// `alg` is present and not `HS256`.
    #[error("alg is not HS256")]
    Algorithm,
    /// `use` is not `sig`, or `key_ops` does not list `sign` or `verify`, or lists an operation twice.
    #[error("the key must not be used for MACs")]
    Usage,
}

/// Reads a symmetric proof-of-possession key from its JWK, strictly. Unknown members are ignored (RFC 7517 §4).
///
/// `alg` may be absent. `use` and `key_ops` may be absent, or must allow MACs.
///
/// # Errors
/// Any [`OctError`].
pub fn shared_key_from_jwk(object: &Object<'_>) -> Result<SharedKey, OctError> {
    let text = |name| object.get(name).and_then(Json::as_str);
    if text("kty") != Some("oct") {
        return Err(OctError::KeyType);
    }
    if object.contains("alg") && text("alg") != Some("HS256") {
        return Err(OctError::Algorithm);
    }
    if object.contains("use") && text("use") != Some("sig") || !object.get("key_ops").is_none_or(allows_macs) {
        return Err(OctError::Usage);
    }
    let key = Zeroizing::new(base64url::decode(text("k").ok_or(OctError::Key)?).map_err(|_| OctError::Key)?);
    // Copied into a box of its exact length: shrinking the buffer could leave a second copy in freed memory.
    SharedKey::new(key.as_slice()).map_err(|_| OctError::TooShort)
}

/// Returns whether `key_ops` is a list of different strings (RFC 7517 §4.3), one of which is an operation of MACs.
fn allows_macs(operations: &Json<'_>) -> bool {
    let Some(operations) = operations.as_array() else {
        return false;
    };
    let distinct = operations.iter().enumerate().all(|(at, operation)| {
        operation.as_str().is_some() && !operations.iter().take(at).any(|earlier| earlier == operation)
    });
    distinct && operations.iter().any(|operation| matches!(operation.as_str(), Some("sign" | "verify")))
}

impl SharedKey {
    /// Returns the key as a JWK with `"alg":"HS256"`.
    ///
    /// # Security
    /// Only for encrypting the key to its recipient.
    #[must_use]
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(base64url::encode(self.expose_bytes()));
        let parts = ["{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"", key.as_str(), "\"}"];
        Zeroizing::new(parts.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{JsonLimits, Malformed};

    /// The key of RFC 7800 §3.3, 32 bytes.
    const RFC_KEY: &str = "ZoRSOrFzN_FzUA5XKMYoVHyzff5oRJxl-IXRtztJ6uE";

    fn read(jwk: &str) -> Result<SharedKey, OctError> {
        shared_key_from_jwk(&Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap())
    }

    fn with(members: &str) -> Result<SharedKey, OctError> {
        read(&format!(r#"{{"kty":"oct","k":"{RFC_KEY}"{members}}}"#))
    }

    /// SYM-04, V-04: what a MAC allows.
    #[test]
    fn accepts_keys_for_macs() {
        for members in [
            "",
            r#","alg":"HS256""#,
            r#","use":"sig""#,
            r#","key_ops":["verify"]"#,
            r#","key_ops":["sign","verify"]"#,
            r#","key_ops":["sign"],"use":"sig","alg":"HS256","kid":"a","unknown":[1]"#,
        ] {
            let key = with(members).unwrap();
            assert_eq!(base64url::encode(key.expose_bytes()), RFC_KEY, "{members}");
        }
    }

    /// SYM-04, SYM-10, X-61: a key for another algorithm, another use or of another type, such as a public one.
    #[test]
    fn rejects_keys_that_are_not_for_macs() {
        for (members, error) in [
            (r#","alg":"A128KW""#, OctError::Algorithm),
            (r#","alg":"HS512""#, OctError::Algorithm),
            (r#","alg":"hs256""#, OctError::Algorithm),
            (r#","alg":null"#, OctError::Algorithm),
            (r#","use":"enc""#, OctError::Usage),
            (r#","use":null"#, OctError::Usage),
            (r#","key_ops":["encrypt"]"#, OctError::Usage),
            (r#","key_ops":[]"#, OctError::Usage),
            (r#","key_ops":"verify""#, OctError::Usage),
            (r#","key_ops":["verify","verify"]"#, OctError::Usage),
            (r#","key_ops":["verify",1]"#, OctError::Usage),
        ] {
            assert_eq!(with(members).unwrap_err(), error, "{members}");
        }
        let public = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(read(public).unwrap_err(), OctError::KeyType);
        assert_eq!(read(&format!(r#"{{"k":"{RFC_KEY}"}}"#)).unwrap_err(), OctError::KeyType);
        assert_eq!(read(&format!(r#"{{"kty":"OCT","k":"{RFC_KEY}"}}"#)).unwrap_err(), OctError::KeyType);
    }

    /// SYM-05, V-24: the 16-byte key of the draft is too short; JOSE-01, JOSE-04: one encoding, one `k`.
    #[test]
    fn rejects_short_keys_and_other_encodings() {
        for (k, error) in [
            (r#""hJtXIZ2uSN5kbQfbtTNWbg""#, OctError::TooShort),
            (r#""""#, OctError::TooShort),
            (r#""ZoRSOrFzN_FzUA5XKMYoVHyzff5oRJxl-IXRtztJ6uE=""#, OctError::Key),
            (r#""ZoRSOrFzN/FzUA5XKMYoVHyzff5oRJxl+IXRtztJ6uE""#, OctError::Key),
            (r#""ZoRSOrFzN_FzUA5XKMYoVHyzff5oRJxl-IXRtztJ6uF""#, OctError::Key),
            ("1", OctError::Key),
            ("null", OctError::Key),
        ] {
            assert_eq!(read(&format!(r#"{{"kty":"oct","k":{k}}}"#)).unwrap_err(), error, "{k}");
        }
        assert_eq!(read(r#"{"kty":"oct"}"#).unwrap_err(), OctError::Key);
        let twice = format!(r#"{{"kty":"oct","k":"{RFC_KEY}","k":"{RFC_KEY}"}}"#);
        assert_eq!(Object::parse(twice.as_bytes(), JsonLimits::PROOF), Err(Malformed::DuplicateMember));
    }

    #[test]
    fn a_key_survives_the_way_through_its_jwk() {
        let key = SharedKey::new([7; 48]).unwrap();
        assert_eq!(read(&key.to_jwk()).unwrap().expose_bytes(), key.expose_bytes());
    }
}
