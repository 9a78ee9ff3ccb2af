//! HTTP message signatures (RFC 9421), and the digest of the content (RFC 9530).

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use pop_core::SignatureError;
use pop_core::content::content_digest;
use pop_core::jose::KeyError;
use pop_core::proof::message_signature::{RuntimeKey, SignError, SignatureParameters, SignatureProfile, sign};
use pop_core::request::RequestHead;
use reqwest::Url;

use crate::clock::unix_now;
use crate::random::random_id;
use crate::signature_key::SignatureKey;
use crate::url::{origin_of, path_and_query};

pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");

/// Signs the method, the URL, the token, the content and further fields of a request. Every signature gets the current
/// time and a nonce of 128 random bits.
///
/// ```
/// use http::HeaderMap;
/// use pop_client::pop_core::proof::message_signature::SignatureProfile;
/// use pop_client::{Algorithm, DpopKey, RequestSignature};
///
/// let key = DpopKey::generate(Algorithm::Ed25519)?; // the key that the token is bound to
/// let mut headers = HeaderMap::new();
/// headers.insert("authorization", "HTTPSig the-token".parse()?);
/// RequestSignature::new(SignatureProfile::HttpSig)
///     .content(b"buy milk")
///     .sign("POST", "https://api.example/notes", &mut headers, &key)?;
/// assert!(headers.contains_key("content-digest") && headers.contains_key("signature"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a signature is made by sign()"]
pub struct RequestSignature<'s> {
    profile: SignatureProfile,
    components: Vec<&'s str>,
    content: Option<&'s [u8]>,
    server_nonce: Option<&'s str>,
    keyid: Option<&'s str>,
    created: Option<u64>,
}

impl<'s> RequestSignature<'s> {
    /// Starts a signature that covers the method, the URL with its query, and these fields if the request has them:
    /// `Authorization`, `Content-Digest` and, for [`SignatureProfile::Request`], `DPoP`.
    pub const fn new(profile: SignatureProfile) -> Self {
        Self { profile, components: Vec::new(), content: None, server_nonce: None, keyid: None, created: None }
    }

    /// Covers a further component: the name of a field in lower case, a derived component such as `@query`, or a
    /// serialized component identifier such as `"@query-param";name="id"`.
    pub fn cover(mut self, component: &'s str) -> Self {
        self.components.push(component);
        self
    }

    /// Covers the content, by the field `Content-Digest` with SHA-256. Without this, a `Content-Digest` that the
    /// request already has is covered.
    pub const fn content(mut self, content: &'s [u8]) -> Self {
        self.content = Some(content);
        self
    }

    /// Uses the nonce of a server instead of a random one. A random `jti` keeps signatures with the same nonce apart.
    pub const fn server_nonce(mut self, nonce: Option<&'s str>) -> Self {
        self.server_nonce = nonce;
        self
    }

    /// Names the key, for [`SignatureProfile::Request`] and [`SignatureProfile::TokenRequest`] with a registered key.
    /// Defaults to none. Signatures of token requests have the public key itself then.
    pub const fn keyid(mut self, keyid: &'s str) -> Self {
        self.keyid = Some(keyid);
        self
    }

    /// Sets `created`, in seconds since the epoch. Defaults to the current time of this machine.
    pub const fn created(mut self, seconds: u64) -> Self {
        self.created = Some(seconds);
        self
    }

    /// Signs a request, and adds the fields `Signature-Input`, `Signature` and, for [`content`](Self::content),
    /// `Content-Digest`. Call it last: a covered field must not be changed afterwards. Fields of an earlier call with
    /// the same profile are replaced.
    ///
    /// The URL is read as browsers and `reqwest` read it. Its path and query are signed as they are sent then.
    ///
    /// # Errors
    /// [`SignError::Request`] if the URL is not an http URL, a component is not in the request, the key is one of ML-DSA,
    /// or the signature of a token request cannot have a key of this kind. [`SignError::Key`] if the key cannot sign, or
    /// the operating system gives no random bytes.
    pub fn sign<'k>(
        &self,
        method: &str,
        url: &str,
        headers: &mut HeaderMap,
        key: impl Into<SignatureKey<'k>>,
    ) -> Result<(), SignError<KeyError>> {
        let key = key.into();
        key.check_message_signature()?;
        let not_a_url = SignError::Request(SignatureError::ComponentValue);
        let url = Url::parse(url).map_err(|_| not_a_url)?;
        let origin = origin_of(&url).map_err(|_| not_a_url)?;
        if let Some(content) = self.content {
            headers.insert(CONTENT_DIGEST, content_digest(content));
        }
        let brings_key = self.profile == SignatureProfile::TokenRequest && self.keyid.is_none();
        let runtime_key = brings_key.then(|| key.runtime_key()).transpose()?;
        let label = label(self.profile);
        for name in [&SIGNATURE_INPUT, &SIGNATURE] {
            remove_member(headers, name, label);
        }
        let path_and_query = path_and_query(&url);
        let created = self.created.unwrap_or_else(unix_now);
        let id = random_id().map_err(SignError::Key)?;
        let parameters = SignatureParameters::of(self.profile, created);
        let mut parameters = match self.server_nonce {
            Some(nonce) => parameters.nonce(nonce).jti(&id),
            None => parameters.nonce(&id),
        };
        parameters.keyid = self.keyid;
        parameters.alg = runtime_key.as_ref().map(RuntimeKey::alg);
        parameters.public_key = runtime_key.as_ref().map(RuntimeKey::as_bytes);
        let components = self.components(headers);
        let head = RequestHead::new(method, &origin, &path_and_query, headers, created);
        let (input, mut signature) = sign(&head, label, &components, &parameters, |base| key.sign(base))?;
        signature.set_sensitive(true);
        headers.append(SIGNATURE_INPUT, input);
        headers.append(SIGNATURE, signature);
        Ok(())
    }

    fn components(&self, headers: &HeaderMap) -> Vec<&'s str> {
        let mut components = vec!["@method", "@target-uri"];
        let fields: &[&str] = match self.profile {
            SignatureProfile::Request => &["authorization", "dpop", "content-digest"],
            _ => &["authorization", "content-digest"],
        };
        components.extend(fields.iter().filter(|name| headers.contains_key(**name)));
        for component in &self.components {
            if !components.contains(component) {
                components.push(component);
            }
        }
        components
    }
}

/// Shows the profile and the names of further components.
impl fmt::Debug for RequestSignature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSignature")
            .field("profile", &self.profile)
            .field("components", &self.components)
            .finish_non_exhaustive()
    }
}

/// Returns the label of a profile. Signatures of two profiles can be in one request.
const fn label(profile: SignatureProfile) -> &'static str {
    match profile {
        SignatureProfile::HttpSig => "sig",
        SignatureProfile::Hmac => "mac",
        SignatureProfile::TokenRequest => "token",
        _ => "req",
    }
}

/// Removes the line that an earlier signature with this label has written.
fn remove_member(headers: &mut HeaderMap, name: &HeaderName, label: &str) {
    let is_own =
        |line: &HeaderValue| line.as_bytes().strip_prefix(label.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
    if headers.get_all(name).iter().any(is_own) {
        let others: Vec<_> = headers.get_all(name).iter().filter(|line| !is_own(line)).cloned().collect();
        headers.remove(name);
        for line in others {
            headers.append(name, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
    use pop_core::jose::{Algorithm, JsonLimits, Jwk, Object, RsaLimits, SharedKey, SigningKey};
    use pop_core::policy::SignaturePolicy;
    use pop_core::proof::PopKey;
    use pop_core::proof::message_signature::MessageSignature;
    use pop_core::target::Origin;

    const URL: &str = "https://api.example/notes|1?filter[name]=caf\u{e9} x";
    const SENT: &str = "/notes|1?filter[name]=caf%C3%A9%20x";

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    /// Returns what the signature covers and its nonce, after verifying it against what is sent.
    fn verified(
        profile: SignatureProfile,
        headers: &HeaderMap,
        content: &[u8],
        key: PopKey<'_>,
    ) -> Result<(Vec<String>, String), SignatureError> {
        let (origin, policy) = (Origin::parse("https://api.example").unwrap(), SignaturePolicy::default());
        let head = RequestHead::new("POST", &origin, SENT, headers, unix_now());
        let signature = MessageSignature::parse(profile, &head, &policy)?;
        signature.check_time(&policy, head.now())?;
        signature.verify_signature(key, &head, &policy)?;
        assert!(signature.expected_content().unwrap().check(content).is_ok());
        let covered = signature.covered().map(str::to_owned).collect();
        Ok((covered, signature.nonce().unwrap().to_owned()))
    }

    /// CLI-16: and no parameter names the key.
    #[test]
    fn signs_what_the_profile_demands() {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let jwk = key.public_jwk().to_string();
        let jwk = Jwk::parse(&Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap(), RsaLimits::default()).unwrap();
        let public = VerifyingKey::new(jwk.key(), Algorithm::ES256, CryptoBackend::default()).unwrap();
        let shared = SharedKey::new([7; 32]).unwrap();
        let plain = ["@method", "@target-uri", "authorization"];
        for (profile, signer, verifier) in [
            (SignatureProfile::HttpSig, SignatureKey::from(&key), PopKey::Public(&public)),
            (SignatureProfile::Hmac, SignatureKey::from(&shared), PopKey::Shared(&shared)),
        ] {
            let mut headers = headers(&[("authorization", "HTTPSig t"), ("x", "y")]);
            let signature = RequestSignature::new(profile);
            signature.sign("POST", URL, &mut headers, signer).unwrap();
            let (covered, first) = verified(profile, &headers, b"", verifier).unwrap();
            assert_eq!((covered, first.len()), (plain.map(str::to_owned).to_vec(), 22), "{profile:?}");
            // Again, with content and a further field: the first signature is replaced.
            let signature = signature.content(b"buy milk").cover("x").cover("@method");
            signature.sign("POST", URL, &mut headers, signer).unwrap();
            let (covered, second) = verified(profile, &headers, b"buy milk", verifier).unwrap();
            assert_eq!(covered, [&plain[..], &["content-digest", "x"]].concat(), "{profile:?}");
            assert_ne!(first, second, "every signature has its own nonce");
            headers.insert("x", HeaderValue::from_static("z"));
            assert_eq!(verified(profile, &headers, b"buy milk", verifier), Err(SignatureError::Invalid));
        }
    }

    /// CLI-16, SIG-26: in addition to a DPoP proof, and beside another signature.
    #[test]
    fn adds_a_signature_to_a_proof() {
        let (key, shared) = (SigningKey::generate(Algorithm::Ed25519).unwrap(), SharedKey::new([7; 32]).unwrap());
        let jwk = key.public_jwk().to_string();
        let jwk = Jwk::parse(&Object::parse(jwk.as_bytes(), JsonLimits::PROOF).unwrap(), RsaLimits::default()).unwrap();
        let public = VerifyingKey::new(jwk.key(), Algorithm::Ed25519, CryptoBackend::default()).unwrap();
        let mut headers = headers(&[("authorization", "DPoP t"), ("dpop", "a.b.c"), ("content-digest", "md5=:AA==:")]);
        RequestSignature::new(SignatureProfile::Request)
            .server_nonce(Some("n"))
            .content(b"x")
            .sign("POST", URL, &mut headers, &key)
            .unwrap();
        RequestSignature::new(SignatureProfile::Hmac).sign("POST", URL, &mut headers, &shared).unwrap();
        let (covered, nonce) = verified(SignatureProfile::Request, &headers, b"x", PopKey::Public(&public)).unwrap();
        assert_eq!(covered, ["@method", "@target-uri", "authorization", "dpop", "content-digest"]);
        assert_eq!(nonce, "n");
        assert!(
            headers["signature-input"].to_str().unwrap().contains(";jti=\""),
            "or two of one second would be the same"
        );
        assert!(verified(SignatureProfile::Hmac, &headers, b"x", PopKey::Shared(&shared)).is_ok());
    }

    #[test]
    fn signs_no_request_that_has_no_url_or_lacks_a_component() {
        let key = SharedKey::new([7; 32]).unwrap();
        let sign = |url: &str, component| {
            let signature = RequestSignature::new(SignatureProfile::Hmac).cover(component);
            signature.sign("GET", url, &mut headers(&[("authorization", "PoP t")]), &key)
        };
        assert_eq!(sign(URL, "@query"), Ok(()));
        for url in ["notes", "data:text/plain,x", "https://"] {
            assert_eq!(sign(url, "@query"), Err(SignError::Request(SignatureError::ComponentValue)), "{url}");
        }
        assert_eq!(sign(URL, "x"), Err(SignError::Request(SignatureError::ComponentMissing)));
        let shared =
            RequestSignature::new(SignatureProfile::TokenRequest).sign("POST", URL, &mut HeaderMap::new(), &key);
        assert_eq!(
            shared,
            Err(SignError::Request(SignatureError::Algorithm)),
            "AS-23 a secret stays out of the request"
        );
        let text = format!("{:?}", RequestSignature::new(SignatureProfile::Hmac).content(b"secret").keyid("k"));
        assert_eq!(text, "RequestSignature { profile: Hmac, components: [], .. }");
    }
}
