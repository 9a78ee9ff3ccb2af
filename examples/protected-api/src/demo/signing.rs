//! How requests are signed as a whole.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use pop_client::{BoundToken, Envelope, KeyError, Proof, ProofMethod};
use pop_core::content::content_digest;
use pop_core::jose::encode;
use pop_core::proof::message_signature::{SignatureParameters, SignatureProfile, sign as sign_head};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use reqwest::Request;
use tower_pop::clock::{Clock, SystemClock};

use super::error::DemoError;

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Adds the token to a request, and signs it as the token demands. `by` has the key that signs: that of the token, or that
/// of a thief. A token that is bound to a DPoP key gets a proof by that key, and the request a signature in addition.
pub(super) fn sign(
    request: &mut Request,
    token: &BoundToken,
    by: &ProofMethod,
    nonce: Option<&str>,
) -> Result<(), DemoError> {
    let at = token.access_token();
    let (method, url) = (request.method().as_str().to_owned(), request.url().as_str().to_owned());
    if let (ProofMethod::Pop(_), ProofMethod::Pop(key)) = (token.proof(), by) {
        let envelope = Envelope::new(&method, &url, at).header_fields(request.headers(), &["content-type"]);
        let envelope = envelope.content(content(request)).nonce(nonce).sign(key)?;
        return insert(request, AUTHORIZATION, &format!("PoP {envelope}"));
    }
    insert(request, AUTHORIZATION, &format!("{} {at}", token.proof().scheme()))?;
    if let ProofMethod::Dpop(own) = token.proof() {
        let proof = Proof::new(&method, &url).access_token(at).nonce(nonce).sign(own)?;
        insert(request, DPOP, &proof)?;
    }
    match by {
        ProofMethod::HttpSig(key) => add_signature(request, SignatureProfile::HttpSig, |base| key.sign(base)),
        ProofMethod::SharedKey(key) => {
            add_signature(request, SignatureProfile::Hmac, |base| Ok(key.sign(base).to_vec()))
        }
        ProofMethod::Dpop(key) => add_signature(request, SignatureProfile::Request, |base| key.sign(base)),
        _ => Ok(()), // the API rejects a request without a signature
    }
}

/// Adds an HTTP message signature (RFC 9421) over the method, the URL, the content and the header fields that matter.
fn add_signature(
    request: &mut Request,
    profile: SignatureProfile,
    key: impl FnOnce(&[u8]) -> Result<Vec<u8>, KeyError>,
) -> Result<(), DemoError> {
    let digest = content_digest(content(request));
    request.headers_mut().insert(CONTENT_DIGEST, digest);
    let mut components = vec!["@method", "@target-uri", "authorization", "content-type", "content-digest"];
    if request.headers().contains_key(DPOP) {
        components.push("dpop");
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| DemoError::Random)?;
    let (now, nonce) = (SystemClock::default().now(), encode(random));
    let parameters = SignatureParameters::of(profile, now).nonce(&nonce);
    let url = request.url();
    let origin = Origin::parse(&url.origin().ascii_serialization())?;
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let head = RequestHead::new(request.method().as_str(), &origin, &target, request.headers(), now);
    let (input, signature) = sign_head(&head, "sig", &components, &parameters, key)?;
    request.headers_mut().insert("signature-input", input);
    request.headers_mut().insert("signature", signature);
    Ok(())
}

fn content(request: &Request) -> &[u8] {
    request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default()
}

fn insert(request: &mut Request, name: HeaderName, value: &str) -> Result<(), DemoError> {
    request.headers_mut().insert(name, HeaderValue::from_str(value)?);
    Ok(())
}
