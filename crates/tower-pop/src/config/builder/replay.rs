//! Options of the replay store.

use std::sync::Arc;
use std::time::Duration;

use pop_core::policy::ReplayQuota;

use super::PopConfigBuilder;
use crate::replay::ReplayStore;

impl PopConfigBuilder {
    /// Sets the store that records used proofs. Defaults to a [`MemoryReplayStore`](crate::replay::MemoryReplayStore), which serves one
    /// process. An `Arc` of a store is a store, so that several configurations can share one.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    /// use tower_pop::replay::MemoryReplayStore;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .replay_store(MemoryReplayStore::with_capacity(100_000))
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn replay_store(mut self, store: impl ReplayStore) -> Self {
        self.replay = Some(Arc::new(store));
        self
    }

    /// Sets the capacity of the default in-memory store, at least 1,000 entries. Defaults to 4,000,000. Contradicts
    /// [`replay_store`](Self::replay_store).
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").replay_capacity(100_000).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn replay_capacity(mut self, entries: usize) -> Self {
        self.replay_capacity = Some(entries);
        self
    }

    /// Sets whose share of the replay store a proof counts against: that of its key, or that of the client with all its keys. Defaults
    /// to [`ReplayQuota::PerKey`].
    ///
    /// ```
    /// use tower_pop::{PopConfig, ReplayQuota};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .replay_quota(ReplayQuota::PerClient)
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn replay_quota(mut self, quota: ReplayQuota) -> Self {
        self.proof.quota = quota;
        self
    }

    /// Sets the timeout of a custom replay store that answers later, 1 ms to 60 s. A request whose store takes longer is rejected with
    /// 503, `replay.unavailable`; its proof may have been recorded. Requires a tokio runtime with timers, and
    /// [`replay_store`](Self::replay_store). Defaults to 1 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_pop::PopConfig;
    /// use tower_pop::replay::MemoryReplayStore;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .replay_store(MemoryReplayStore::with_capacity(100_000))
    ///     .replay_timeout(Duration::from_millis(200))
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn replay_timeout(mut self, timeout: Duration) -> Self {
        self.replay_timeout = Some(timeout);
        self
    }

    /// Rejects proofs dated before the configuration was built, or up to the clock skew after that. Then a restart that empties an
    /// in-memory store does not allow replays. For the length of the clock skew after the start all requests are rejected, and requests of
    /// clients with a slow clock for as long as it is slow. Contradicts [`IatPolicy::NonceOnly`](crate::IatPolicy::NonceOnly). Off by
    /// default.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .reject_proofs_from_before_start()
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn reject_proofs_from_before_start(mut self) -> Self {
        self.reject_before_start = true;
        self
    }
}
