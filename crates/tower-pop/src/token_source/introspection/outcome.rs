//! The result of an introspection: an active token, or why there is none.

use std::sync::Arc;
use std::time::Duration;

use pop_core::access_token::AccessToken;
use pop_core::{Error, TokenError, Unavailable};

use crate::clock::Moment;

/// An active token.
pub(super) struct ActiveToken {
    pub(super) token: Arc<AccessToken>,
    /// The time before the request was sent. The response may be as old as that.
    pub(super) sent_at: Moment,
    /// The `Age` of the response (RFC 9111 §5.1).
    pub(super) age: Duration,
}

/// The cause of a failed introspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The server does not respond, or rejects this client. Counts for the circuit breaker.
    Server,
    /// The token.
    Token,
    /// Neither of them: the request was not sent.
    NotSent,
    /// Neither of them: there were no keys to verify the response with.
    NoKeys,
}

/// A failed introspection.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) cause: Cause,
}

impl Failure {
    /// Returns the failure of a request that was not sent.
    pub(super) fn not_sent() -> Self {
        Self { error: Unavailable::Introspection.into(), cause: Cause::NotSent }
    }

    /// Returns the failure of a signed response that cannot be verified.
    pub(super) fn without_keys(unavailable: Unavailable) -> Self {
        Self { error: unavailable.into(), cause: Cause::NoKeys }
    }

    /// Returns whether the failure may be cached: the token is not active, or the response is unusable. An active token that this
    /// resource rejects is not cached, because the next response may be different.
    pub(super) const fn may_be_cached(&self) -> bool {
        matches!(self.cause, Cause::Token)
            && matches!(self.error, Error::Unavailable(_) | Error::Token(TokenError::Inactive))
    }
}

/// The outcome of an introspection request, for metrics. There is none if it was not sent.
pub(super) const fn outcome(result: &Result<ActiveToken, Failure>) -> Option<&'static str> {
    Some(match result {
        Ok(_) => "active",
        Err(Failure { cause: Cause::NotSent, .. }) => return None,
        Err(Failure { cause: Cause::Server, .. }) => "failed",
        Err(Failure { error: Error::Unavailable(_), .. }) => "unusable",
        Err(Failure { error: Error::Token(TokenError::Inactive), .. }) => "inactive",
        Err(_) => "rejected",
    })
}
