//! Requests that prove possession of the key of their token.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use pop_client::reqwest::Url;
use pop_client::{BoundToken, NonceMemory, RequestSigner, Role, SignableRequest};

use crate::failure::Failure;
use crate::http_client::{client_failure, origin};
use crate::token::{Binding, Token};

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

/// What proves possession in the requests of a token.
pub(crate) struct Prover {
    binding: Binding,
    /// `None` for a certificate: the connection proves it.
    signer: Option<RequestSigner>,
    token: String,
}

impl Prover {
    /// `nonce` is that of the first proof for a URL.
    pub(crate) fn new(token: Token, url: &Url, nonce: Option<&str>) -> Result<Self, Failure> {
        let nonces = NonceMemory::default();
        if let (Some(nonce), Some(origin)) = (nonce, origin(url)) {
            let stored = nonces.insert(Role::ResourceServer, &origin, nonce);
            stored.map_err(|_| Failure::input("--nonce: expected visible ASCII without quotes and backslashes"))?;
        }
        let Token { access_token: token, key, binding } = token;
        if nonce.is_some() && matches!(binding, Binding::Httpsig | Binding::Certificate) {
            return Err(Failure::input(
                "--nonce: this binding has no nonce of the server: expected --binding dpop or pop",
            ));
        }
        let proof = binding.proof(key);
        let signer = proof.map(|proof| RequestSigner::new(BoundToken::new(&token, proof)).with_nonces(nonces));
        Ok(Self { binding, signer, token })
    }

    /// Starts a request.
    pub(crate) fn request<'r>(&'r self, draft: &'r Draft) -> Result<ProvenRequest<'r>, Failure> {
        let Some(signer) = &self.signer else {
            return Ok(ProvenRequest::Certificate { token: &self.token });
        };
        let request = signer.request(draft.method.as_str(), draft.url.as_str());
        let mut request = request.map_err(|error| client_failure(&error.into()))?;
        if let Some(content) = &draft.content {
            request = request.content(content);
        }
        if self.binding != Binding::Dpop && draft.headers.contains_key(CONTENT_TYPE) {
            request = request.cover(CONTENT_TYPE);
        }
        Ok(ProvenRequest::Signed(request))
    }
}

/// A request that can be sent, and sent again if the server asks for a nonce.
pub(crate) enum ProvenRequest<'r> {
    Signed(SignableRequest<'r>),
    Certificate { token: &'r str },
}

impl ProvenRequest<'_> {
    /// Adds what proves possession.
    pub(crate) fn sign(&self, headers: &mut HeaderMap) -> Result<(), Failure> {
        match self {
            Self::Signed(request) => request.sign(headers).map_err(|error| client_failure(&error)),
            Self::Certificate { token } => {
                headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {token}"))?);
                Ok(())
            }
        }
    }

    /// Returns whether the request is to be sent again.
    pub(crate) fn repeats(&mut self, status: StatusCode, headers: &HeaderMap) -> bool {
        match self {
            Self::Signed(request) => request.repeats(status, headers),
            Self::Certificate { .. } => false,
        }
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
