use pop_core::{ContentError, SignatureError};

use super::UrlError;

/// Why a signed response must not be trusted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseSignatureError {
    /// The server's key is not a public JWK with a fully specified algorithm.
    #[error("the server's key is not an accepted public key")]
    Key,
    /// The URL is not an http or https URL, or has a user name or a password.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The signature is missing or rejected.
    #[error("the signature of the response: {0}")]
    Signature(#[from] SignatureError),
    /// The content is not what the signature covers.
    #[error("the content of the response: {0}")]
    Content(#[from] ContentError),
}
