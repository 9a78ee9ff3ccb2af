//! How requests are signed as a whole.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use pop_client::{BoundToken, Envelope, Proof, ProofMethod, RequestSignature, SignatureKey};
use pop_core::proof::message_signature::SignatureProfile;
use reqwest::Request;

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
        ProofMethod::HttpSig(key) => add_signature(request, SignatureProfile::HttpSig, key.into()),
        ProofMethod::SharedKey(key) => add_signature(request, SignatureProfile::Hmac, (&**key).into()),
        ProofMethod::Dpop(key) => add_signature(request, SignatureProfile::Request, key.into()),
        _ => Ok(()), // the API rejects a request without a signature
    }
}

/// Adds an HTTP message signature (RFC 9421) over the method, the URL, the content and the header fields that matter.
fn add_signature(request: &mut Request, profile: SignatureProfile, key: SignatureKey<'_>) -> Result<(), DemoError> {
    let (method, url, content) = (request.method().clone(), request.url().clone(), content(request).to_vec());
    let signature = RequestSignature::new(profile).content(&content).cover("content-type");
    Ok(signature.sign(method.as_str(), url.as_str(), request.headers_mut(), key)?)
}

fn content(request: &Request) -> &[u8] {
    request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default()
}

fn insert(request: &mut Request, name: HeaderName, value: &str) -> Result<(), DemoError> {
    request.headers_mut().insert(name, HeaderValue::from_str(value)?);
    Ok(())
}
