//! Where used proofs are remembered, so that each passes once (RFC 9449 §11.1).
//!
//! A store that forgets an entry too early lets a stolen proof pass a second time; a store that refuses too much costs
//! availability. Stores must err on the second side: when full, refuse.

pub mod conformance;
mod memory;
mod pages;
mod secret;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

pub use memory::{DEFAULT_CAPACITY, MemoryReplayStore};
pub use pop_core::ReplayError;
pub use pop_core::replay::{FirstUse, QuotaOwner, ReplayEntry, ReplayKey};

/// Remembers used proofs.
///
/// # Contract
/// 1. `insert` checks and records in one atomic step: of any number of concurrent calls with one key, exactly one is
///    answered with [`FirstUse`].
/// 2. An entry is remembered at least until its `expires_at`, by `entry.now` and by the store's own clock, if it has one. A
///    proof that passed once stays a replay when the clock behind `entry.now` steps back: what the store has dropped is
///    rejected, for example by the latest `expires_at` that it dropped.
/// 3. An entry that has expired already (`expires_at <= now`) is answered with [`ReplayError::Replayed`], whether it was
///    there or not: it would not be remembered.
/// 4. A full store rejects new entries with [`ReplayError::Full`], and those of a client that has its share with
///    [`ReplayError::KeyQuota`]; it never drops live ones, and still knows them as replays.
/// 5. A store that cannot be reached answers [`ReplayError::Unavailable`]. One that answers later than the
///    [`replay_timeout`](crate::PopConfigBuilder::replay_timeout) counts as unavailable: its future is dropped, and the
///    request is rejected with 503 whether the entry was recorded or not.
/// 6. `insert` does not block: what waits for I/O is [`ReplayAnswer::Later`].
///
/// [`conformance`] checks the first four.
pub trait ReplayStore: Send + Sync + 'static {
    /// Records an entry unless it is there already.
    fn insert(&self, entry: ReplayEntry) -> ReplayAnswer;
}

/// A store's answer, at once when it is known: the in-memory store costs no allocation and no await.
pub enum ReplayAnswer {
    /// Known already.
    Now(Result<FirstUse, ReplayError>),
    /// Known once the future is done.
    Later(Pin<Box<dyn Future<Output = Result<FirstUse, ReplayError>> + Send>>),
}

impl ReplayAnswer {
    /// Waits for the answer.
    ///
    /// # Errors
    /// The store's [`ReplayError`].
    pub async fn wait(self) -> Result<FirstUse, ReplayError> {
        match self {
            Self::Now(answer) => answer,
            Self::Later(answer) => answer.await,
        }
    }
}

impl fmt::Debug for ReplayAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
        }
    }
}
