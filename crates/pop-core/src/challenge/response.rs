use std::borrow::Cow;

use http::{HeaderValue, StatusCode};

/// The `Retry-After` of a response that says that something is unavailable, in seconds.
const RETRY_AFTER: u32 = 5;

/// The response to a rejected request, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The status code.
    pub status: StatusCode,
    /// The `WWW-Authenticate` field lines, one for each challenge.
    pub challenges: Vec<HeaderValue>,
    /// The `error` code of the challenge, if it has one.
    pub error: Option<&'static str>,
    /// A description for people. It needs no escaping in a quoted string.
    pub description: Cow<'static, str>,
    /// Whether the response must carry a `DPoP-Nonce`.
    pub nonce: bool,
    /// The value of `Accept-Signature` (RFC 9421 §5.1): the signature that the request lacks.
    pub accept_signature: Option<&'static str>,
    /// The value of `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
}

impl ErrorResponse {
    /// Returns a response without challenges.
    pub(super) fn plain(status: StatusCode, description: &'static str, retry_after: Option<u32>) -> Self {
        let description = description.into();
        Self {
            status,
            challenges: Vec::new(),
            error: None,
            description,
            nonce: false,
            accept_signature: None,
            retry_after,
        }
    }

    pub(super) fn unavailable() -> Self {
        Self::plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "The authorization of this request cannot be decided now",
            Some(RETRY_AFTER),
        )
    }
}
