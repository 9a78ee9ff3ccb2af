//! How tokens are bound to a key, and what proves possession of it.

use std::fmt;
use std::sync::Arc;

use pop_core::jose::{SharedKey, SigningKey as DpopKey, encode};
use serde_json::json;

/// How a client asks the authorization server to bind its tokens (draft-ietf-oauth-pop-key-distribution-07, RFC 9201
/// §3). Set it with [`TokenClientBuilder::binding`](crate::TokenClientBuilder::binding).
///
/// | binding | `token_type` | `req_cnf` | the token has | requests are proven by |
/// |---|---|---|---|---|
/// | `Dpop` | none | none | `cnf.jkt` | DPoP proofs |
/// | `HttpSig` | `httpsig` | the key | `cnf.jwk` | HTTP message signatures |
/// | `Pop` | `pop` | the key | `cnf.jwk` | signed requests |
/// | `PopThumbprint` | `pop` | the thumbprint | `cnf.kid` | signed requests that carry the key |
/// | `SharedKey` | `pop` | none | `cnf.jwe` | MACs with a key that the server generates |
///
/// Every token request has a DPoP proof, which shows possession of the key in `req_cnf`. With
/// [`sign_token_requests`](crate::TokenClientBuilder::sign_token_requests) it has a message signature instead of all
/// three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TokenBinding {
    /// To the key of the DPoP proof (RFC 9449).
    #[default]
    Dpop,
    /// To the key itself, for HTTP message signatures.
    HttpSig,
    /// To the key itself, for signed requests.
    Pop,
    /// To the thumbprint of the key, for signed requests. This is what MSAL asks for.
    PopThumbprint,
    /// To a symmetric key that the server generates for this client and one resource. Token requests must name the
    /// resource.
    ///
    /// # Security
    /// The resource server has the key too: **it can forge requests of this client**.
    SharedKey,
}

impl TokenBinding {
    /// Returns the type that the token response must have.
    pub(crate) const fn token_type(self) -> &'static str {
        match self {
            Self::Dpop => "DPoP",
            Self::HttpSig => "httpsig",
            Self::Pop | Self::PopThumbprint | Self::SharedKey => "PoP",
        }
    }

    /// Returns the parameters of token requests.
    pub(crate) fn parameters(self, key: &DpopKey) -> Vec<(&'static str, String)> {
        let token_type = |name: &str| ("token_type", name.to_owned());
        // As base64url, which MSAL sends too.
        let req_cnf = |cnf: serde_json::Value| ("req_cnf", encode(cnf.to_string()));
        match self {
            Self::Dpop => Vec::new(),
            Self::HttpSig => vec![token_type("httpsig"), req_cnf(json!({ "jwk": key.public_jwk() }))],
            Self::Pop => vec![token_type("pop"), req_cnf(json!({ "jwk": key.public_jwk() }))],
            Self::PopThumbprint => vec![token_type("pop"), req_cnf(json!({ "kid": key.thumbprint().to_string() }))],
            Self::SharedKey => vec![token_type("pop")],
        }
    }
}

/// What proves possession of the key of a token. Cheap to clone. `Debug` shows thumbprints only.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ProofMethod {
    /// DPoP proofs by this key (RFC 9449).
    Dpop(DpopKey),
    /// HTTP message signatures by this key.
    HttpSig(DpopKey),
    /// Signed requests by this key.
    Pop(DpopKey),
    /// Signed requests by this key. They carry the public key, because the token has only its thumbprint.
    PopThumbprint(DpopKey),
    /// MACs with this key. It is erased from memory when the last clone is dropped.
    SharedKey(Arc<SharedKey>),
}

impl ProofMethod {
    /// Returns the authentication scheme of requests.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        match self {
            Self::Dpop(_) => "DPoP",
            Self::HttpSig(_) => "HTTPSig",
            Self::Pop(_) | Self::PopThumbprint(_) | Self::SharedKey(_) => "PoP",
        }
    }

    /// Returns the binding that a token for this proof has.
    #[must_use]
    pub const fn binding(&self) -> TokenBinding {
        match self {
            Self::Dpop(_) => TokenBinding::Dpop,
            Self::HttpSig(_) => TokenBinding::HttpSig,
            Self::Pop(_) => TokenBinding::Pop,
            Self::PopThumbprint(_) => TokenBinding::PopThumbprint,
            Self::SharedKey(_) => TokenBinding::SharedKey,
        }
    }
}

/// An access token together with what proves possession of its key.
/// [`TokenClient::bound_token`](crate::TokenClient::bound_token) makes one. Cheap to clone, except for the token. `Debug`
/// hides the token.
///
/// ```
/// use pop_client::{Algorithm, BoundToken, DpopKey, ProofMethod};
///
/// let key = DpopKey::generate(Algorithm::Ed25519)?;
/// let token = BoundToken::new("the-token", ProofMethod::HttpSig(key)); // from elsewhere
/// assert_eq!((token.access_token(), token.proof().scheme()), ("the-token", "HTTPSig"));
/// # Ok::<(), pop_client::KeyError>(())
/// ```
#[derive(Clone)]
pub struct BoundToken {
    access_token: String,
    proof: ProofMethod,
}

impl BoundToken {
    /// Joins a token and its proof. The token must be bound to the key of the proof.
    pub fn new(access_token: impl Into<String>, proof: ProofMethod) -> Self {
        Self { access_token: access_token.into(), proof }
    }

    /// Returns the access token.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// Returns what proves possession of its key.
    #[must_use]
    pub const fn proof(&self) -> &ProofMethod {
        &self.proof
    }
}

impl fmt::Debug for BoundToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundToken").field("proof", &self.proof).finish_non_exhaustive()
    }
}
