//! Which tokens, and which keys and certificates of clients, were active a moment ago.

use std::time::Duration;

use moka::sync::Cache;
use pop_core::access_token::{AccessToken, AccessTokenHash};
use pop_core::confirmation::Requirement;

/// How long a token or a key is remembered after the last active response.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// The number of tokens, and of keys, that are remembered.
const CAPACITY: u64 = 100_000;

/// What is known about a token before it is introspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    /// The token was active a moment ago.
    KnownToken,
    /// The token is new. The key or certificate that the client proved to hold belonged to an active token a moment ago.
    KnownKey(Requirement),
    /// Nothing is known.
    Unknown,
}

/// The memory behind [`Priority`]. Only introspection responses write to it.
pub(super) struct Priorities {
    tokens: Cache<AccessTokenHash, ()>,
    keys: Cache<Requirement, ()>,
}

impl Priorities {
    pub(super) fn new() -> Self {
        Self {
            tokens: Cache::builder().max_capacity(CAPACITY).time_to_live(REMEMBERED_FOR).build(),
            keys: Cache::builder().max_capacity(CAPACITY).time_to_live(REMEMBERED_FOR).build(),
        }
    }

    pub(super) fn of(&self, hash: &AccessTokenHash, proven: Option<Requirement>) -> Priority {
        if self.tokens.contains_key(hash) {
            return Priority::KnownToken;
        }
        match proven {
            Some(key) if self.keys.contains_key(&key) => Priority::KnownKey(key),
            _ => Priority::Unknown,
        }
    }

    pub(super) fn active(&self, hash: AccessTokenHash, token: &AccessToken) {
        self.tokens.insert(hash, ());
        if let Some(confirmation) = token.confirmation() {
            for key in confirmation.requirements() {
                self.keys.insert(key, ());
            }
        }
    }

    /// Forgets a token that is not active, and the key that gave it priority: a client that makes up tokens loses its priority
    /// after the first.
    pub(super) fn inactive(&self, hash: &AccessTokenHash, priority: Priority) {
        self.tokens.invalidate(hash);
        if let Priority::KnownKey(key) = priority {
            self.keys.invalidate(&key);
        }
    }
}
