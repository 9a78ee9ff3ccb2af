//! Signatures of responses (RFC 9421 §2.4).

use http::{HeaderMap, StatusCode};
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{Algorithm, JsonLimits, Jwk, Object, RsaLimits};
use pop_core::policy::SignaturePolicy;
use pop_core::proof::PopKey;
use pop_core::proof::message_signature::{ResponseHead, verify_response};
use pop_core::request::RequestHead;

use crate::clock::unix_now;
use crate::error::ResponseSignatureError;
use crate::url::{checked_url, origin_of, path_and_query};

/// Verifies signed responses of one resource server: with the tag `fapi-2-response`, over status and content, and over method and
/// target of the request. `Debug` shows the algorithm only.
///
/// ```
/// use pop_client::{Algorithm, DpopKey, ResponseVerifier};
///
/// let servers_key = DpopKey::generate(Algorithm::Ed25519)?.public_jwk(); // from elsewhere
/// let verifier = ResponseVerifier::new(&servers_key)?;
/// # drop(verifier);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ResponseVerifier {
    key: VerifyingKey,
}

impl ResponseVerifier {
    /// Takes the server's public key as a JWK with a fully specified `alg`. For an elliptic curve, `alg` may be missing.
    ///
    /// # Errors
    /// [`ResponseSignatureError::Key`], also for a key of ML-DSA, which message signatures do not have.
    pub fn new(jwk: &serde_json::Value) -> Result<Self, ResponseSignatureError> {
        let text = jwk.to_string();
        let key = || {
            let jwk =
                Jwk::parse(&Object::parse(text.as_bytes(), JsonLimits::TOKEN).ok()?, RsaLimits::default()).ok()?;
            let named = jwk.alg().map(Algorithm::from_name);
            let algorithm = match named {
                Some(named) => named?,
                None => {
                    [Algorithm::ES256, Algorithm::ES384, Algorithm::Ed25519].into_iter().find(|alg| jwk.serves(*alg))?
                }
            };
            VerifyingKey::new(jwk.key(), algorithm, CryptoBackend::default())
                .ok()
                .filter(|key| !key.algorithm().is_ml_dsa())
        };
        Ok(Self { key: key().ok_or(ResponseSignatureError::Key)? })
    }

    /// Verifies a response to a request with this method, URL and header fields. The signature must cover the signature, the DPoP proof
    /// and the credentials among those fields, so that a response to another request is not taken for this one. `content` is the
    /// content as received.
    ///
    /// # Errors
    /// Any [`ResponseSignatureError`]: the response must not be trusted.
    pub fn verify(
        &self,
        method: &str,
        url: &str,
        request: &HeaderMap,
        status: StatusCode,
        headers: &HeaderMap,
        content: &[u8],
    ) -> Result<(), ResponseSignatureError> {
        let url = checked_url(url, true)?;
        let origin = origin_of(&url)?;
        let target = path_and_query(&url);
        let now = unix_now();
        let request = RequestHead::new(method, &origin, &target, request, now);
        let head = ResponseHead { status, headers, request: &request };
        let expected = verify_response(head, PopKey::Public(&self.key), &SignaturePolicy::default(), now)?;
        expected.check(content)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pop_core::content::content_digest;
    use pop_core::jose::SigningKey;
    use pop_core::proof::message_signature::{RESPONSE_TAG, SignatureParameters, sign_response};
    use pop_core::target::Origin;

    /// SIG-31: status, content, method and target, and time.
    #[test]
    fn verifies_what_a_server_signed() {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let verifier = ResponseVerifier::new(&key.public_jwk()).unwrap();
        let origin = Origin::parse("https://api.example").unwrap();
        let mut asked = HeaderMap::new();
        asked.insert("dpop", "proof".parse().unwrap());
        let mut another = HeaderMap::new();
        another.insert("dpop", "another".parse().unwrap());
        let signed = |created: u64, alg: Option<&'static str>| {
            let request = RequestHead::new("GET", &origin, "/notes?a=1", &asked, created);
            let mut headers = HeaderMap::new();
            headers.insert("content-digest", content_digest(b"content"));
            let mut parameters = SignatureParameters::new(created).tag(RESPONSE_TAG);
            parameters.alg = alg;
            let head = ResponseHead { status: StatusCode::OK, headers: &headers, request: &request };
            let (input, signature) = sign_response(head, &parameters, |base| key.sign(base)).unwrap();
            headers.insert("signature-input", input);
            headers.insert("signature", signature);
            headers
        };
        let url = "https://api.example/notes?a=1";
        let fresh = signed(unix_now(), None);
        assert_eq!(verifier.verify("GET", url, &asked, StatusCode::OK, &fresh, b"content"), Ok(()));
        let named = signed(unix_now(), Some("ecdsa-p256-sha256"));
        assert_eq!(verifier.verify("GET", url, &asked, StatusCode::OK, &named, b"content"), Ok(()));
        let other = ResponseVerifier::new(&SigningKey::generate(Algorithm::ES256).unwrap().public_jwk()).unwrap();
        for (row, result) in [
            ("content", verifier.verify("GET", url, &asked, StatusCode::OK, &fresh, b"other")),
            ("status", verifier.verify("GET", url, &asked, StatusCode::CREATED, &fresh, b"content")),
            ("method", verifier.verify("POST", url, &asked, StatusCode::OK, &fresh, b"content")),
            (
                "URL",
                verifier.verify("GET", "https://api.example/notes?a=2", &asked, StatusCode::OK, &fresh, b"content"),
            ),
            ("another request", verifier.verify("GET", url, &another, StatusCode::OK, &fresh, b"content")),
            ("key", other.verify("GET", url, &asked, StatusCode::OK, &fresh, b"content")),
            ("time", verifier.verify("GET", url, &asked, StatusCode::OK, &signed(unix_now() - 61, None), b"content")),
            (
                "alg",
                verifier.verify("GET", url, &asked, StatusCode::OK, &signed(unix_now(), Some("ed25519")), b"content"),
            ),
            ("none", verifier.verify("GET", url, &asked, StatusCode::OK, &HeaderMap::new(), b"content")),
        ] {
            assert!(result.is_err(), "{row}");
        }
        assert!(ResponseVerifier::new(&serde_json::json!({ "kty": "oct", "k": "AA" })).is_err());
    }
}
