//! Signed HTTP requests: the envelope of `Authorization: PoP` (draft-ietf-oauth-signed-http-request-03).

use std::collections::BTreeSet;

use http::HeaderMap;
use pop_core::jose::encode;
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock::unix_now;
use crate::error::EnvelopeError;
use crate::random::random_id;
use crate::signature_key::SignatureKey;
use crate::url::{checked_url, origin_of};

/// Builds an envelope: a JWS that holds the access token and covers the request. It covers the method, the host, the
/// path and the whole query. Header fields and content are covered if they are set here. Every signature gets a new
/// `jti` of 128 random bits, and the current time.
///
/// ```
/// use pop_client::{Algorithm, DpopKey, Envelope};
///
/// let key = DpopKey::generate(Algorithm::ES256)?;
/// let content = br#"{"title":"x"}"#;
/// let envelope = Envelope::new("POST", "https://api.example/notes?draft=1", "the-token").content(content).sign(&key)?;
/// let authorization = format!("PoP {envelope}"); // the value of the header field `Authorization`
/// # assert_eq!(authorization.split('.').count(), 3);
/// # Ok::<(), pop_client::EnvelopeError>(())
/// ```
#[derive(Clone)]
#[must_use = "an envelope is made by sign()"]
pub struct Envelope<'e> {
    method: &'e str,
    url: &'e str,
    access_token: &'e str,
    fields: Option<(&'e HeaderMap, &'e [&'e str])>,
    content: Option<[u8; 32]>,
    nonce: Option<&'e str>,
    issued_at: Option<u64>,
    embeds_key: bool,
}

impl<'e> Envelope<'e> {
    /// Starts an envelope for a request with this method, in the same case as sent, to this URL. The URL is read as
    /// browsers and `reqwest` read it.
    pub const fn new(method: &'e str, url: &'e str, access_token: &'e str) -> Self {
        Self { method, url, access_token, fields: None, content: None, nonce: None, issued_at: None, embeds_key: false }
    }

    /// Covers these header fields of the request. Each must have one line. Don't cover fields that the HTTP client or
    /// a proxy changes. Defaults to none.
    pub const fn header_fields(mut self, headers: &'e HeaderMap, names: &'e [&'e str]) -> Self {
        self.fields = Some((headers, names));
        self
    }

    /// Covers the content of the request, which is hashed here and not copied. Defaults to none: the server may reject
    /// content that is not covered.
    pub fn content(mut self, content: &[u8]) -> Self {
        self.content = Some(Sha256::digest(content).into());
        self
    }

    /// Sets `nonce`, the newest nonce of the server. Defaults to none.
    pub const fn nonce(mut self, nonce: Option<&'e str>) -> Self {
        self.nonce = nonce;
        self
    }

    /// Sets `ts`, in seconds since the epoch. Defaults to the current time of this machine.
    pub const fn issued_at(mut self, seconds: u64) -> Self {
        self.issued_at = Some(seconds);
        self
    }

    /// Adds the public key as `cnf.jwk`. Required if the access token has only its thumbprint (`cnf.kid`). Symmetric keys
    /// are never added.
    pub const fn embed_key(mut self) -> Self {
        self.embeds_key = true;
        self
    }

    /// Signs the envelope.
    ///
    /// # Errors
    /// Any [`EnvelopeError`].
    pub fn sign<'k>(&self, key: impl Into<SignatureKey<'k>>) -> Result<String, EnvelopeError> {
        let key = key.into();
        let url = checked_url(self.url, true)?;
        let mut claims = json!({
            "at": self.access_token,
            "ts": self.issued_at.unwrap_or_else(unix_now),
            "m": self.method,
            "u": origin_of(&url)?.authority(),
            "p": url.path(),
            "jti": random_id()?,
        });
        let optional = [
            ("q", cover_query(&url)?),
            ("h", self.fields.map(|(headers, names)| cover_fields(headers, names)).transpose()?.flatten()),
            ("b", self.content.map(|digest| encode(digest).into())),
            ("nonce", self.nonce.map(Into::into)),
            ("cnf", self.confirmation(key)),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                claims[name] = value;
            }
        }
        Ok(sign(&claims, key)?)
    }

    fn confirmation(&self, key: SignatureKey<'_>) -> Option<Value> {
        match key {
            SignatureKey::Private(key) if self.embeds_key => Some(json!({ "jwk": key.public_jwk() })),
            SignatureKey::Private(_) | SignatureKey::Shared(_) => None,
        }
    }
}

/// Shows what is covered, but neither the token nor the query.
impl std::fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("method", &self.method)
            .field("fields", &self.fields.map(|(_, names)| names))
            .field("content", &self.content.is_some())
            .finish_non_exhaustive()
    }
}

fn sign(claims: &Value, key: SignatureKey<'_>) -> Result<String, pop_core::jose::KeyError> {
    let header = |alg: &str| json!({ "typ": "pop", "alg": alg }).to_string();
    match key {
        SignatureKey::Private(key) => key.sign_jws(&header(key.algorithm().name()), &claims.to_string()),
        SignatureKey::Shared(key) => {
            let input = format!("{}.{}", encode(header("HS256")), encode(claims.to_string()));
            let mac = key.sign(input.as_bytes());
            Ok(format!("{input}.{}", encode(mac)))
        }
    }
}

/// Returns `q`: the names of all parameters, and the digest of the query as it is sent.
fn cover_query(url: &Url) -> Result<Option<Value>, EnvelopeError> {
    let Some(query) = url.query().filter(|query| !query.is_empty()) else {
        return Ok(None);
    };
    let names: Vec<&str> = query.split('&').map(|parameter| parameter.split('=').next().unwrap_or_default()).collect();
    // Different encodings of a name are the same name to a server.
    let decoded: Vec<_> = url.query_pairs().map(|(name, _)| name).collect();
    let distinct = decoded.iter().collect::<BTreeSet<_>>().len() == decoded.len()
        && names.iter().collect::<BTreeSet<_>>().len() == names.len();
    if distinct { Ok(Some(json!([names, encode(Sha256::digest(query))]))) } else { Err(EnvelopeError::QueryRepeated) }
}

/// Returns `h`: the names of the fields in lower case, and the digest of their lines.
fn cover_fields(headers: &HeaderMap, names: &[&str]) -> Result<Option<Value>, EnvelopeError> {
    let names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let mut hash = Sha256::new();
    for (at, name) in names.iter().enumerate() {
        let mut lines = headers.get_all(name).iter();
        let line = lines.next().ok_or_else(|| EnvelopeError::FieldMissing { name: name.clone() })?;
        if lines.next().is_some() || names.iter().skip(at + 1).any(|other| other == name) {
            return Err(EnvelopeError::FieldRepeated { name: name.clone() });
        }
        hash.update(if at == 0 { "" } else { "\n" });
        hash.update(name);
        hash.update(": ");
        hash.update(line.as_bytes().trim_ascii());
    }
    Ok((!names.is_empty()).then(|| json!([names, encode(hash.finalize())])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
    use pop_core::jose::{Algorithm, JsonLimits, Jwk, Object, RsaLimits, SharedKey, SigningKey as DpopKey};
    use pop_core::policy::SignedRequestPolicy;
    use pop_core::proof::{PopCredentials, PopKey, SignedRequest};
    use pop_core::request::RequestHead;
    use pop_core::target::Origin;
    use pop_core::{ContentError, SignedRequestError};

    const NOW: u64 = 1_800_000_000;

    fn headers() -> HeaderMap {
        let line = |name: &str, value| (name.parse().unwrap(), HeaderValue::from_static(value));
        [line("content-type", "application/json"), line("x-tenant", " 7"), line("x-tenant-name", "a")]
            .into_iter()
            .collect()
    }

    /// Verifies an envelope as a server does. Returns the names of what it covers.
    fn verify(text: &str, key: PopKey<'_>, method: &str, target: &str, content: &[u8]) -> Result<String, &'static str> {
        let (policy, origin, headers) =
            (SignedRequestPolicy::default(), Origin::parse("https://api.example").unwrap(), headers());
        let PopCredentials::Envelope(envelope) =
            SignedRequest::read(text, &policy).map_err(SignedRequestError::code)?
        else {
            return Err("a token");
        };
        assert_eq!(envelope.access_token(), "the-token");
        envelope.verify_signature(key).map_err(SignedRequestError::code)?;
        envelope.check_time(&policy, NOW).map_err(SignedRequestError::code)?;
        let head = RequestHead::new(method, &origin, target, &headers, NOW);
        envelope.check_request(&head, &policy).map_err(SignedRequestError::code)?;
        let expected = envelope.expected_content(&policy).expect("content is required by default");
        expected.check(content).map_err(ContentError::code)?;
        Ok(envelope.covered().names().collect())
    }

    fn public(key: &DpopKey) -> VerifyingKey {
        let jwk = key.public_jwk().to_string();
        let object = Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap();
        let jwk = Jwk::parse(&object, RsaLimits::default()).unwrap();
        VerifyingKey::new(jwk.key(), key.algorithm(), CryptoBackend::default()).unwrap()
    }

    /// CLI-16, SHR-02: with every kind of key.
    #[test]
    fn makes_what_a_server_verifies_with_the_same_key() {
        let (headers, shared) = (headers(), SharedKey::new([7; 32]).unwrap());
        let envelope = Envelope::new("POST", "https://api.example/notes?b=2&a=%20", "the-token")
            .header_fields(&headers, &["Content-Type", "x-tenant"])
            .content(b"{}")
            .issued_at(NOW);
        let target = "/notes?b=2&a=%20";
        for alg in [Algorithm::ES256, Algorithm::Ed25519, Algorithm::PS256] {
            let key = DpopKey::generate(alg).unwrap();
            let text = envelope.sign(&key).unwrap();
            let key = public(&key);
            let verdict = |target, content| verify(&text, PopKey::Public(&key), "POST", target, content);
            assert_eq!(verdict(target, b"{}"), Ok("mupqhb".to_owned()), "{alg}");
            assert_eq!(verdict("/notes?b=3&a=%20", b"{}"), Err("envelope.q_mismatch"), "{alg}");
            assert_eq!(verdict(target, b"[]"), Err("content.digest_mismatch"), "{alg}");
        }
        let text = envelope.embed_key().sign(&shared).unwrap();
        assert_eq!(verify(&text, PopKey::Shared(&shared), "POST", target, b"{}"), Ok("mupqhb".to_owned()));
        let other = SharedKey::new([8; 32]).unwrap();
        assert_eq!(verify(&text, PopKey::Shared(&other), "POST", target, b"{}"), Err("envelope.signature"));
    }

    /// CLI-21, SHR-07, SHR-08: what is covered is what is sent.
    #[test]
    fn covers_urls_as_they_are_sent() {
        let key = SharedKey::new([7; 32]).unwrap();
        for (url, target, covered) in [
            ("https://API.example:443", "/", "mup"),
            ("https://api.example/notes?#top", "/notes?", "mup"),
            ("https://api.example/caf\u{e9}|x?filter[name]=y z", "/caf%C3%A9%7Cx?filter[name]=y%20z", "mupq"),
            ("https://api.example/a/../b?x&y=&&z=1", "/b?x&y=&&z=1", "mupq"),
        ] {
            let text = Envelope::new("GET", url, "the-token").issued_at(NOW).sign(&key).unwrap();
            assert_eq!(verify(&text, PopKey::Shared(&key), "GET", target, b"").as_deref(), Ok(covered), "{url}");
        }
    }

    /// SHR-11, SHR-04: `jti`, `nonce` and the key.
    #[test]
    fn has_its_own_jti_and_the_nonce_and_key_that_are_asked_for() {
        let (key, policy) = (DpopKey::generate(Algorithm::ES256).unwrap(), SignedRequestPolicy::default());
        let envelope = Envelope::new("GET", "https://api.example/", "the-token");
        let (one, other) = (envelope.sign(&key).unwrap(), envelope.nonce(Some("n")).embed_key().sign(&key).unwrap());
        let read = |text| match SignedRequest::read(text, &policy).unwrap() {
            PopCredentials::Envelope(envelope) => envelope,
            _ => panic!("an envelope"),
        };
        let (one, other) = (read(&one), read(&other));
        assert_eq!((one.nonce(), other.nonce()), (None, Some("n")));
        assert_eq!(one.jti().map(str::len), Some(22));
        assert_ne!(one.jti(), other.jti());
        assert!(one.embedded_key().is_none());
        assert_eq!(other.embedded_key().map(|key| *key.thumbprint()), Some(key.thumbprint()));
        assert!(one.timestamp().abs_diff(unix_now()) < 5);
    }

    /// CLI-16: rather than an envelope that no server accepts.
    #[test]
    fn rejects_requests_that_an_envelope_cannot_cover() {
        let key = SharedKey::new([7; 32]).unwrap();
        let sign = |url: &str| Envelope::new("GET", url, "the-token").sign(&key);
        assert!(sign("https://api.example/?a=1&b=1").is_ok());
        for query in ["a=1&a=2", "a=1&%61=2", "a&a", "&", "a+b&a%20b"] {
            let error = sign(&format!("https://api.example/?{query}")).unwrap_err();
            assert!(matches!(error, EnvelopeError::QueryRepeated), "{query}: {error}");
        }
        for url in ["nonsense", "ftp://api.example/", "https://user:secret@api.example/"] {
            let error = sign(url).unwrap_err();
            assert!(matches!(error, EnvelopeError::Url(_)) && !error.to_string().contains("secret"), "{error}");
        }
        let mut headers = headers();
        headers.append("accept", HeaderValue::from_static("a"));
        let cover = |headers: &HeaderMap, names: &[&str]| {
            Envelope::new("GET", "https://api.example/", "the-token").header_fields(headers, names).sign(&key)
        };
        assert!(cover(&headers, &["accept"]).is_ok());
        assert!(
            matches!(cover(&headers, &["x-absent"]), Err(EnvelopeError::FieldMissing { name }) if name == "x-absent")
        );
        assert!(matches!(cover(&headers, &["accept", "Accept"]), Err(EnvelopeError::FieldRepeated { .. })));
        headers.append("accept", HeaderValue::from_static("b"));
        assert!(matches!(cover(&headers, &["accept"]), Err(EnvelopeError::FieldRepeated { .. })));
    }

    #[test]
    fn debug_shows_neither_the_token_nor_the_query() {
        let shown =
            format!("{:?}", Envelope::new("GET", "https://api.example/?secret", "the-token").nonce(Some("n-1")));
        assert!(shown.contains("GET"), "{shown}");
        assert!(!shown.contains("secret") && !shown.contains("the-token") && !shown.contains("n-1"), "{shown}");
    }
}
