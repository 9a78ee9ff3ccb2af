//! What can go wrong for a client. No error holds a token, a proof or a secret.

use crate::nonce::MalformedNonce;
use crate::{Algorithm, KeyError};

/// Why a token request or a call of a protected resource failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The key could not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The authorization server's metadata does not list the key's algorithm for proofs.
    #[error("the authorization server takes no proofs by this key's algorithm")]
    Algorithm {
        /// The algorithm to generate a key for instead, if there is one in common.
        preferred: Option<Algorithm>,
    },
    /// No complete exchange with the server.
    #[error("no complete HTTP exchange: {0}")]
    Http(#[from] reqwest::Error),
    /// Neither https nor http on loopback, or no URL at all (RFC 9449 §2).
    #[error("{0:?} is neither https nor http on loopback")]
    Url(String),
    /// A `DPoP-Nonce` that is none.
    #[error(transparent)]
    Nonce(#[from] MalformedNonce),
    /// The server asked for another nonce again, although it was given its newest one.
    #[error("the server keeps asking for another nonce")]
    NonceLoop,
    /// The body is a stream that cannot be sent a second time.
    #[error("the request has to be sent again, but its body is a stream: fetch a nonce first")]
    BodyNotReplayable,
    /// A redirect to another origin, which gets no token, or one too many.
    #[error("a redirect that is not followed: another origin, or one too many")]
    Redirect,
    /// The authorization server answered with an OAuth error.
    #[error("the authorization server refused: {code}")]
    OAuth {
        /// The `error` code.
        code: String,
        /// `error_description`.
        description: Option<String>,
    },
    /// The authorization server's answer is not what RFC 6749 prescribes.
    #[error("unusable answer: {0}")]
    Response(&'static str),
    /// The token is of another type than `DPoP` (RFC 9449 §5), or, with a client certificate, than `Bearer`: it is not
    /// bound as it must be.
    #[error("the authorization server issued a token of another type than was asked for")]
    TokenType,
    /// Metadata names another issuer or resource than was asked for (RFC 8414 §3.3, RFC 9728 §3.3).
    #[error("the metadata is of another {0}")]
    WrongMetadata(&'static str),
    /// The redirect back from the authorization endpoint is not an answer to this request (`state`, `iss`; RFC 9207).
    #[error("the authorization response is not an answer to this request: {0}")]
    AuthorizationResponse(&'static str),
}
