//! The trait of replay stores.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use pop_core::ReplayError;
use pop_core::replay::{FirstUse, ReplayEntry};

/// Remembers used proofs.
///
/// An `Arc` of a store is a store too, so that several configurations can share one.
///
/// # Contract
/// 1. `insert` checks and records in one atomic step: of any number of concurrent calls with one key, exactly one returns
///    [`FirstUse`].
/// 2. An entry is remembered at least until its `expires_at`, by `entry.now` and by the store's own clock, if it has one. A
///    proof that was accepted once stays a replay when the clock behind `entry.now` steps back: a store must reject what it
///    may have dropped, for example by remembering the latest `expires_at` that it dropped.
/// 3. An entry that has already expired (`expires_at <= now`) is rejected with [`ReplayError::Replayed`], even if it is new:
///    it would not be remembered.
/// 4. A full store rejects new entries with [`ReplayError::Full`], and the entries of a client that has used its share with
///    [`ReplayError::KeyQuota`]. It never drops live entries, and still rejects them as replays.
/// 5. A store that cannot be reached returns [`ReplayError::Unavailable`]. A store that takes longer than the
///    [`replay_timeout`](crate::PopConfigBuilder::replay_timeout) counts as unavailable: its future is dropped, and the
///    request is rejected with 503 whether the entry was recorded or not.
/// 6. `insert` does not block: a store that waits for I/O returns [`ReplayAnswer::Later`].
///
/// [`conformance`](crate::replay::conformance) checks the first four.
///
/// # Example
/// A store that counts the proofs it was given, around another one:
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use tower_pop::PopConfig;
/// use tower_pop::replay::{MemoryReplayStore, ReplayAnswer, ReplayEntry, ReplayStore};
///
/// #[derive(Default)]
/// struct CountingStore {
///     inner: MemoryReplayStore,
///     proofs: AtomicU64,
/// }
///
/// impl ReplayStore for CountingStore {
///     fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
///         self.proofs.fetch_add(1, Ordering::Relaxed);
///         self.inner.insert(entry)
///     }
/// }
///
/// let store = Arc::new(CountingStore::default());
/// let cfg = PopConfig::builder("https://as.example", "https://api.example").replay_store(Arc::clone(&store)).build()?;
/// assert_eq!(store.proofs.load(Ordering::Relaxed), 0);
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
pub trait ReplayStore: Send + Sync + 'static {
    /// Records an entry, unless it is already recorded. The [contract](ReplayStore#contract) says which error to return.
    fn insert(&self, entry: ReplayEntry) -> ReplayAnswer;

    /// Returns whether the store can be used now, after an attempt to connect if it has no connection. For
    /// [`PopConfig::warm_up`](crate::PopConfig::warm_up). It must end within the time of an insert. Defaults to yes.
    fn ready(&self) -> StoreReadiness<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The result of [`ReplayStore::ready`].
pub type StoreReadiness<'s> =
    Pin<Box<dyn Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send + 's>>;

impl<S: ReplayStore + ?Sized> ReplayStore for Arc<S> {
    fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
        (**self).insert(entry)
    }

    fn ready(&self) -> StoreReadiness<'_> {
        (**self).ready()
    }
}

/// The result of [`ReplayStore::insert`], now or later. `Now` needs no allocation and no await.
#[must_use = "a proof is accepted only if the store returns FirstUse"]
pub enum ReplayAnswer {
    /// The result is known.
    Now(Result<FirstUse, ReplayError>),
    /// The future ends with the result.
    Later(Pin<Box<dyn Future<Output = Result<FirstUse, ReplayError>> + Send>>),
}

impl ReplayAnswer {
    /// Waits for the result.
    ///
    /// # Errors
    /// The [`ReplayError`] of the store.
    pub async fn wait(self) -> Result<FirstUse, ReplayError> {
        match self {
            Self::Now(result) => result,
            Self::Later(result) => result.await,
        }
    }
}

impl fmt::Debug for ReplayAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(result) => f.debug_tuple("Now").field(result).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{MemoryReplayStore, conformance};

    fn insert(store: &impl ReplayStore, entry: ReplayEntry) -> Result<FirstUse, ReplayError> {
        match store.insert(entry) {
            ReplayAnswer::Now(result) => result,
            ReplayAnswer::Later(_) => panic!("the memory store returns at once"),
        }
    }

    /// REPLAY-02: several configurations can share one store.
    #[test]
    fn an_arc_of_a_store_is_the_same_store() {
        let store = Arc::new(MemoryReplayStore::with_capacity(1_000));
        let shared: Arc<dyn ReplayStore> = store.clone();
        let entry = conformance::entry(1, "shared", 1_000, 1_000);
        assert!(insert(&store, entry).is_ok());
        assert_eq!(insert(&shared, entry).err(), Some(ReplayError::Replayed));
        assert_eq!(store.len(), 1);
    }
}
