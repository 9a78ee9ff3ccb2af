//! How a signed token request names its key.

/// How a signed token request says which key it is signed with (draft-richer-oauth-httpsig). Set it with
/// [`TokenClientBuilder::sign_token_requests`](crate::TokenClientBuilder::sign_token_requests).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRequestKey {
    /// The public key is in the request, in `alg` and `pub` of the signature. It must be an Ed25519, P-256 or P-384 key.
    InRequest,
    /// The server knows the key by this `keyid`, because the client registered it.
    Registered(String),
}

impl TokenRequestKey {
    pub(crate) const fn keyid(&self) -> Option<&str> {
        match self {
            Self::InRequest => None,
            Self::Registered(keyid) => Some(keyid.as_str()),
        }
    }
}
