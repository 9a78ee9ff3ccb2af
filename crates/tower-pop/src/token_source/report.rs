//! Log lines about what issuers put into tokens.

use pop_core::{ConfirmationError, Error};

use crate::log_limit::LogLimit;

/// Reports an error in claims that the issuer signed, or sent over an authenticated connection. An issuer that puts a symmetric
/// key into a token gives the key of its client to everyone who sees the token.
pub(super) fn issuer_error(issuer: &str, error: &Error) {
    static LIMIT: LogLimit = LogLimit::new();
    if let Error::Confirmation(ConfirmationError::SymmetricKeyInClear) = error
        && let Some(times) = LIMIT.count()
    {
        tracing::error!(%issuer, code = error.code(), times, "the issuer puts symmetric keys into its tokens in the clear");
    }
}
