//! Why a store cannot be set up, or cannot be used now.

use std::fmt;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// A configuration of a [`RedisReplayStore`](super::RedisReplayStore) that cannot work. Messages show no credentials.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RedisSetupError {
    /// A URL is not one of Redis.
    #[error("{url} is not a URL of Redis: {reason}")]
    Url {
        /// The URL without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A list of URLs is empty.
    #[error("there is no URL of {0}")]
    NoUrl(&'static str),
    /// An option is out of its range.
    #[error("{option} is {value}, which is not between {least} and {most}")]
    Range {
        /// The option, with its unit.
        option: &'static str,
        /// Its value.
        value: u64,
        /// The least value.
        least: u64,
        /// The greatest value.
        most: u64,
    },
    /// An option has no effect for this kind of server.
    #[error("{option} contradicts {with}")]
    Contradiction {
        /// The option.
        option: &'static str,
        /// What it contradicts.
        with: &'static str,
    },
    /// The operating system provides no random bytes.
    #[error("no random bytes for the values of entries")]
    NoRandomness,
    /// Certificates or a private key cannot be used.
    #[error("the certificates cannot be used: {0}")]
    Certificates(String),
}

/// Why the server of a [`RedisReplayStore`](super::RedisReplayStore) is not used now. Messages show no credentials.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RedisUnavailable {
    /// The server did not answer in time, and no attempt to connect has failed yet.
    #[error("the server does not answer")]
    NoAnswer,
    /// The connection failed, was refused or was lost, or the server answered with an error.
    #[error("the server cannot be used")]
    Connection(#[source] Arc<RedisError>),
    /// The server may drop entries before they expire.
    #[error(
        "maxmemory-policy is {policy}: the server may drop used proofs, which could then be replayed; it must be noeviction"
    )]
    Evicts {
        /// The value of `maxmemory-policy`.
        policy: String,
    },
    /// The server does not know `SET` with `NX` and `GET`: it is older than Redis 7.
    #[error("the server does not know SET with NX and GET: Redis 7 or Valkey is needed")]
    TooOld(#[source] Arc<RedisError>),
    /// The server answers `SET` with `NX` and `GET`, but does not say that a key was there.
    #[error("the server does not say that a key was there: it is not compatible with Redis 7")]
    Incompatible,
}

impl RedisUnavailable {
    /// Returns whether the server answers and cannot be used as it is: it refuses the credentials or a command, may evict, or is
    /// too old. Waiting does not help, so a program can stop at its start. A server that is not there may come.
    #[must_use]
    pub fn needs_repair(&self) -> bool {
        match self {
            Self::NoAnswer => false,
            Self::Evicts { .. } | Self::TooOld(_) | Self::Incompatible => true,
            Self::Connection(error) => {
                let refused = matches!(
                    error.kind(),
                    ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm)
                );
                refused || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
            }
        }
    }
}

impl From<RedisError> for RedisUnavailable {
    fn from(error: RedisError) -> Self {
        Self::Connection(Arc::new(error))
    }
}

/// A URL as far as it cannot hold credentials: without user, password and query.
pub(super) struct Redacted<'u>(pub(super) &'u str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", self.0));
        let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        // An `@` after that can belong to the query, which may hold a password.
        let is_clear = !user.contains(['/', '?', '#']) && !scheme.contains("unix");
        let place = if is_clear { place.split(['?', '#']).next().unwrap_or_default() } else { "…" };
        if scheme.is_empty() { f.write_str(place) } else { write!(f, "{scheme}://{place}") }
    }
}
