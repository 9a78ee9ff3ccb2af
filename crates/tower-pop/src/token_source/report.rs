//! Log lines about the tokens of issuers.

use pop_core::{ConfirmationError, Error};

use crate::log_limit::LogLimit;

/// Reports an error in claims that the issuer signed, or sent over an authenticated connection. An issuer that puts a symmetric
/// key into a token gives the key of its client to everyone who sees the token.
pub(super) fn issuer_error(limit: &LogLimit, issuer: &str, error: &Error) {
    if let Error::Confirmation(ConfirmationError::SymmetricKeyInClear) = error
        && let Some(times) = limit.count()
    {
        tracing::error!(%issuer, code = error.code(), times, "the issuer puts symmetric keys into its tokens in the clear");
    }
}
