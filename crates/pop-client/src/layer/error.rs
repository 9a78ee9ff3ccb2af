//! Errors of a [`ProofService`](crate::ProofService).

use std::error::Error;
use std::fmt;

use super::BoxError;
use crate::error::ClientError;

/// Why a request through a [`ProofService`](crate::ProofService) has no response. No variant of the layer holds a token, a
/// proof or a key. [`source`](Error::source) returns the cause.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProofServiceError {
    /// The request was not sent: [`ClientError::Url`] for another origin, [`ClientError::StreamNotCovered`],
    /// [`ClientError::Signature`], [`ClientError::Envelope`] or [`ClientError::Key`].
    Request(ClientError),
    /// The inner service failed.
    Service(BoxError),
}

impl fmt::Display for ProofServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => write!(f, "the request was not sent: {error}"),
            Self::Service(error) => error.fmt(f),
        }
    }
}

impl Error for ProofServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Service(error) => Some(&**error),
        }
    }
}
