//! Requests that prove possession of the key of their token.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pop_client::reqwest::Url;
use pop_client::{Envelope, Proof, RequestSignature};
use pop_core::proof::message_signature::SignatureProfile;

use crate::failure::{Failure, with_causes};
use crate::token::{Binding, BoundToken};

/// The header field of DPoP proofs.
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");
/// The header fields that prove possession.
pub(crate) const PROVING: [&str; 5] = ["authorization", "dpop", "content-digest", "signature-input", "signature"];

/// A request that is not signed yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Option<Vec<u8>>,
}

impl Draft {
    /// Returns the header with what the token needs: its proof covers the content, where there can be one.
    pub(crate) fn signed(&self, token: &BoundToken, nonce: Option<&str>) -> Result<HeaderMap, Failure> {
        let (method, url, at) = (self.method.as_str(), self.url.as_str(), token.access_token.as_str());
        let failed = |error: &dyn std::error::Error| Failure::failed(with_causes(error));
        let mut headers = self.headers.clone();
        let content = self.content.as_deref();
        let credentials = match token.binding {
            Binding::Pop | Binding::PopThumbprint => {
                let covered: &[&str] = if self.headers.contains_key(CONTENT_TYPE) { &["content-type"] } else { &[] };
                let mut envelope = Envelope::new(method, url, at).header_fields(&self.headers, covered).nonce(nonce);
                if token.binding == Binding::PopThumbprint {
                    envelope = envelope.embed_key();
                }
                if let Some(content) = content {
                    envelope = envelope.content(content);
                }
                envelope.sign(&token.key).map_err(|error| failed(&error))?
            }
            _ => at.to_owned(),
        };
        headers.insert(AUTHORIZATION, sensitive(&format!("{} {credentials}", token.binding.scheme()))?);
        match token.binding {
            Binding::Dpop => {
                let proof = Proof::new(method, url).access_token(at).nonce(nonce).sign(&token.key);
                headers.insert(DPOP, sensitive(&proof.map_err(|error| failed(&error))?)?);
            }
            Binding::Httpsig => {
                let mut signature = RequestSignature::new(SignatureProfile::HttpSig);
                if let Some(content) = content {
                    signature = signature.content(content);
                }
                if headers.contains_key(CONTENT_TYPE) {
                    signature = signature.cover("content-type");
                }
                signature.sign(method, url, &mut headers, &token.key).map_err(|error| failed(&error))?;
            }
            Binding::Pop | Binding::PopThumbprint | Binding::Certificate => {}
        }
        Ok(headers)
    }
}

/// Returns the value of a field that logs must not show.
pub(crate) fn sensitive(value: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Failure::input("the token has characters that no header field can have: expected visible ASCII")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
