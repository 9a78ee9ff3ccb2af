//! Errors of this crate. No error holds a token, a proof, a secret or the query of a URL.

mod envelope;
mod http;
mod options;
mod response_signature;
mod url;

use std::error::Error;
use std::fmt;

use ::http::StatusCode;
use pop_core::SignatureError;
use pop_core::jose::{Algorithm, KeyError};
use pop_core::proof::message_signature::SignError;

pub use self::envelope::EnvelopeError;
pub use self::http::{HttpError, HttpFailure};
pub use self::options::OptionsError;
pub use self::response_signature::ResponseSignatureError;
pub use self::url::{UrlError, UrlSyntaxError};
use crate::nonce::MalformedNonce;

/// Why a token request or a call of a protected resource failed. [`source`](Error::source) returns the cause.
///
/// ```
/// use pop_client::{ClientError, HttpFailure};
///
/// fn is_worth_a_retry(error: &ClientError) -> bool {
///     match error {
///         ClientError::Http(error) => error.is_connect() || error.failure() == HttpFailure::Timeout,
///         ClientError::Status { status, .. } => status.is_server_error(),
///         _ => false,
///     }
/// }
/// # assert!(!is_worth_a_retry(&ClientError::NonceLoop));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The authorization server does not accept proofs with the algorithm of the key, according to its metadata.
    #[error("the authorization server does not accept proofs with the algorithm of this key")]
    Algorithm {
        /// The algorithm to generate a key for instead. `None` when the server accepts none that this crate supports.
        preferred: Option<Algorithm>,
    },
    /// An option has an unusable value, or is missing.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// There was no complete exchange with the server.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The connection broke while a large body was sent. The server may have rejected the request early, or processed
    /// it. The client repeats idempotent requests itself (RFC 9110 §9.2.2). The caller decides whether other requests
    /// may be repeated. The repetition fetches a nonce first.
    #[error("the connection broke while the body was sent, so the server may have processed the request: {0}")]
    Interrupted(#[source] HttpError),
    /// A URL that the client does not send tokens or secrets to (RFC 9449 §2).
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The proof must cover the content, but the content is a stream. A message signature covers a stream whose
    /// `Content-Digest` the caller sets.
    #[error("the proof must cover the content, but the content is a stream")]
    StreamNotCovered,
    /// [`RequestBuilder::cover`](crate::RequestBuilder::cover) names header fields, which a DPoP proof alone does not
    /// cover.
    #[error("a DPoP proof covers no header fields: add a message signature")]
    FieldsNotCovered,
    /// The request cannot be signed: for example, it does not have a header field that the signature is to cover.
    #[error("the request cannot be signed: {0}")]
    Signature(#[source] SignatureError),
    /// No envelope can cover the request.
    #[error(transparent)]
    Envelope(EnvelopeError),
    /// The server asked for a nonce, but its nonce is missing, empty, malformed or repeated (RFC 9449 §8.1).
    #[error("the server asks for a nonce, but does not send a usable one")]
    Nonce(#[source] MalformedNonce),
    /// The server asked for another nonce again, although the proof had its newest one.
    #[error("the server keeps asking for another nonce")]
    NonceLoop,
    /// The request must be sent again, but its body is a stream that cannot be sent a second time.
    #[error("the request must be sent again, but its body is a stream: call warm_up() first to fetch a nonce")]
    BodyNotReplayable,
    /// There are more redirects within the origin than the client follows.
    #[error("too many redirects")]
    Redirect,
    /// The authorization server responded with an OAuth error (RFC 6749 §4.1.2.1, §5.2).
    #[error("the authorization server rejected the request: {}", OAuthMessage(status.as_ref(), code, description.as_deref()))]
    OAuth {
        /// The status of the response. `None` for an error in the redirect from the authorization endpoint.
        status: Option<StatusCode>,
        /// The `error` code.
        code: String,
        /// The `error_description`. Characters that RFC 6749 does not allow there are replaced by `?`.
        description: Option<String>,
    },
    /// A response with a status that the protocol does not define here, and without an OAuth error.
    #[error("{url} responded with {status}: {what}")]
    Status {
        /// The URL without its query.
        url: String,
        /// The status of the response.
        status: StatusCode,
        /// What the response does not contain.
        what: &'static str,
    },
    /// A response is larger than the limit in [`ClientOptions`](crate::ClientOptions).
    #[error("the response of {url} is larger than {limit} bytes")]
    TooLarge {
        /// The URL without its query.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// A response does not have the content that RFC 6749, RFC 8414, RFC 9126 or RFC 9728 requires.
    #[error("unusable response: {0}")]
    Response(&'static str),
    /// The token has another type than `DPoP` (RFC 9449 §5) or, with [`MtlsTokenClient`](crate::MtlsTokenClient), than
    /// `Bearer`. It is not bound as required, and is discarded.
    #[error("the authorization server issued a token of another type than requested")]
    TokenType,
    /// The metadata names another issuer or resource than the requested one (RFC 8414 §3.3, RFC 9728 §3.3).
    #[error("the metadata names another {0} than the requested one")]
    WrongMetadata(&'static str),
    /// No well-known URL of the issuer has usable metadata.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The redirect back from the authorization endpoint does not belong to this request (`state`, `iss`; RFC 9207).
    #[error("the authorization response does not belong to this request: {0}")]
    AuthorizationResponse(&'static str),
}

impl From<SignError<KeyError>> for ClientError {
    fn from(error: SignError<KeyError>) -> Self {
        match error {
            SignError::Request(error) => Self::Signature(error),
            SignError::Key(error) => Self::Key(error),
            // Later reasons.
            _ => Self::Key(KeyError),
        }
    }
}

impl From<EnvelopeError> for ClientError {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::Key(error) => Self::Key(error),
            EnvelopeError::Url(error) => Self::Url(error),
            EnvelopeError::QueryRepeated | EnvelopeError::FieldMissing { .. } | EnvelopeError::FieldRepeated { .. } => {
                Self::Envelope(error)
            }
        }
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(HttpError::new(None, error))
    }
}

/// Code, description and status of an OAuth error.
struct OAuthMessage<'e>(Option<&'e StatusCode>, &'e str, Option<&'e str>);

impl fmt::Display for OAuthMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(status, code, description) = self;
        f.write_str(code)?;
        if let Some(description) = description {
            write!(f, ": {description}")?;
        }
        status.map_or(Ok(()), |status| write!(f, " (status {})", status.as_u16()))
    }
}

/// No well-known URL of an issuer has usable metadata. `Display` lists every URL with its reason.
///
/// [`source`](Error::source) returns the reason of the last attempt.
#[derive(Debug)]
pub struct DiscoveryError {
    pub(crate) issuer: String,
    pub(crate) attempts: Vec<(String, ClientError)>,
}

impl DiscoveryError {
    /// Returns the requested issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the URLs that were tried, in order, each with the reason why it has no usable metadata.
    pub fn attempts(&self) -> impl Iterator<Item = (&str, &ClientError)> {
        self.attempts.iter().map(|(url, error)| (url.as_str(), error))
    }
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no usable metadata of {}", self.issuer)?;
        self.attempts.iter().try_for_each(|(url, error)| write!(f, "; {url}: {error}"))
    }
}

impl Error for DiscoveryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.attempts.last().map(|(_, error)| error as _)
    }
}

/// Returns the message of an error followed by those of its causes, for logs.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    for cause in std::iter::successors(error.source(), |&error| error.source()) {
        message.push_str(": ");
        message.push_str(&cause.to_string());
    }
    message
}
