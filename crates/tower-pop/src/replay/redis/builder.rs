//! The options of a [`RedisReplayStore`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::command::Values;
use super::error::RedisSetupError;
use super::link::{Link, LinkOptions};
use super::place::{Access, Place};
use super::{Inner, RedisReplayStore};
use crate::log_limit::LogLimit;
use crate::meter;
use crate::replay::MemoryReplayStore;

/// Builds a [`RedisReplayStore`]. `Debug` shows no credentials.
#[must_use = "call build()"]
pub struct RedisReplayStoreBuilder {
    place: Place,
    access: Access,
    prefix: String,
    timeout: Duration,
    max_calls: usize,
    clock_difference: Duration,
    wait_for_replicas: Option<u32>,
    capacity: usize,
    per_key: Option<usize>,
    may_evict: bool,
    falls_back: bool,
}

impl RedisReplayStoreBuilder {
    pub(super) fn standalone(url: String) -> Self {
        Self::new(Place::Standalone(url))
    }

    pub(super) fn cluster(urls: Vec<String>) -> Self {
        Self::new(Place::Cluster(urls))
    }

    pub(super) fn sentinel(urls: Vec<String>, master: String) -> Self {
        Self::new(Place::Sentinel(urls, master))
    }

    fn new(place: Place) -> Self {
        Self {
            place,
            access: Access::default(),
            prefix: "poplayer:".to_owned(),
            timeout: Duration::from_millis(500),
            max_calls: 4096,
            clock_difference: Duration::from_secs(30),
            wait_for_replicas: None,
            capacity: 1_000_000,
            per_key: None,
            may_evict: false,
            falls_back: false,
        }
    }

    /// Sets user and password of the servers that Sentinel names. Only for [`RedisReplayStore::sentinel`]: elsewhere they are
    /// in the URL. Defaults to none.
    ///
    /// ```
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::sentinel(["redis://sentinel-1.example:26379"], "notes")
    ///     .credentials("api", "secret")
    ///     .build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn credentials(mut self, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.access.credentials = Some((username.into(), password.into()));
        self
    }

    /// Sets the certificates in PEM that a server's must be signed by, for `rediss://`. Defaults to those of the system.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.access.root_certificate = Some(pem.into());
        self
    }

    /// Sets the certificate and its private key, in PEM, that this client shows to servers, for `rediss://`. Defaults to
    /// none.
    pub fn client_certificate(mut self, certificate: impl Into<Vec<u8>>, private_key: impl Into<Vec<u8>>) -> Self {
        self.access.client_certificate = Some((certificate.into(), private_key.into()));
        self
    }

    /// Sets what the name of each entry begins with; 32 bytes follow. All replicas of a service must have the same one, and
    /// services that share a server different ones. Defaults to `poplayer:`.
    ///
    /// ```
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::builder("redis://127.0.0.1").key_prefix("notes:").build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long one proof may wait for the server, 1 ms to 60 s, with a reconnection if one is needed; then the request
    /// is rejected with 503. It should be less than
    /// [`PopConfigBuilder::replay_timeout`](crate::PopConfigBuilder::replay_timeout). Defaults to 500 ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::builder("redis://127.0.0.1").timeout(Duration::from_millis(100)).build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many proofs may wait for the server at a time, 1 to 1,000,000. Further requests are rejected with 503 at once,
    /// so that memory is bounded while the server is slow. Defaults to 4,096.
    ///
    /// ```
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::builder("redis://127.0.0.1").max_calls(10_000).build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls;
        self
    }

    /// Sets how far the clocks of replicas and of the server may be apart, up to an hour. Entries live that much longer, because
    /// a replica whose clock is behind accepts a proof for longer. Defaults to 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::builder("redis://127.0.0.1").clock_difference(Duration::from_secs(5)).build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn clock_difference(mut self, difference: Duration) -> Self {
        self.clock_difference = difference;
        self
    }

    /// Accepts a proof only when this many replicas of the server, 1 to 100, have acknowledged it (`WAIT`). It makes the loss
    /// of an entry at a failover unlikely, not impossible, and costs a round trip between the servers for each request. A
    /// server with fewer replicas makes all requests fail with 503. Off by default.
    ///
    /// ```
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::sentinel(["redis://sentinel-1.example:26379"], "notes").wait_for_replicas(1).build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn wait_for_replicas(mut self, replicas: u32) -> Self {
        self.wait_for_replicas = Some(replicas);
        self
    }

    /// Sets how many proofs this replica remembers, at least 1,000, to reject their replays without a round trip; about 40
    /// bytes each. Defaults to 1,000,000.
    ///
    /// ```
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::builder("redis://127.0.0.1").local_capacity(100_000).build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn local_capacity(mut self, entries: usize) -> Self {
        self.capacity = entries;
        self
    }

    /// Sets how many live entries one client key may have by way of this replica; further requests get 429. They are counted in
    /// the local memory: while that is full, they are not. Defaults to a tenth of the local capacity.
    ///
    /// ```
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::builder("redis://127.0.0.1").per_key(10_000).build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn per_key(mut self, entries: usize) -> Self {
        self.per_key = Some(entries);
        self
    }

    /// Returns options that make replays possible.
    pub fn dangerous(self) -> DangerousRedisOptions {
        DangerousRedisOptions(self)
    }

    /// Builds the store. It connects later.
    ///
    /// # Errors
    /// Any [`RedisSetupError`].
    pub fn build(self) -> Result<RedisReplayStore, RedisSetupError> {
        let timeout_ms = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        let entries = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        for (option, value, least, most) in [
            ("timeout in ms", timeout_ms, 1, 60_000),
            ("max_calls", entries(self.max_calls), 1, 1_000_000),
            ("clock_difference in s", self.clock_difference.as_secs(), 0, 3600),
            ("wait_for_replicas", self.wait_for_replicas.unwrap_or(1).into(), 1, 100),
            ("local_capacity", entries(self.capacity), 1_000, u64::from(u32::MAX)),
            ("per_key", entries(self.per_key.unwrap_or(1)), 1, u64::from(u32::MAX)),
        ] {
            if !(least..=most).contains(&value) {
                return Err(RedisSetupError::Range { option, value, least, most });
            }
        }
        meter::register_shared_store();
        let server = self.place.server(&self.access, self.timeout)?;
        let prefix: Box<[u8]> = self.prefix.as_bytes().into();
        let link = LinkOptions { timeout: self.timeout, prefix: prefix.clone(), may_evict: self.may_evict };
        let mut seen = MemoryReplayStore::with_capacity(self.capacity).beside_redis();
        if let Some(entries) = self.per_key {
            seen = seen.per_key(entries);
        }
        Ok(RedisReplayStore(Arc::new(Inner {
            link: Link::new(server, link),
            seen,
            prefix,
            timeout: self.timeout,
            values: Values::new().map_err(|_| RedisSetupError::NoRandomness)?,
            calls: Semaphore::new(self.max_calls),
            clock_difference: self.clock_difference.as_secs(),
            wait_for_replicas: self.wait_for_replicas,
            falls_back: self.falls_back,
            fallbacks: LogLimit::new(),
        })))
    }
}

impl fmt::Debug for RedisReplayStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplayStoreBuilder").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Options that make replays possible.
#[derive(Debug)]
#[must_use = "call build()"]
pub struct DangerousRedisOptions(RedisReplayStoreBuilder);

impl DangerousRedisOptions {
    /// Uses a server even if it may drop entries before they expire, or does not say.
    ///
    /// # Security
    /// A server that needs memory then forgets used proofs, and they can be replayed.
    ///
    /// ```
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::builder("redis://127.0.0.1").dangerous().allow_eviction().build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn allow_eviction(mut self) -> RedisReplayStoreBuilder {
        self.0.may_evict = true;
        self.0
    }

    /// While the server is unavailable, accepts proofs that this replica has not seen. Logged as an error, and counted.
    ///
    /// # Security
    /// During an outage, a stolen request can be replayed once at each other replica.
    ///
    /// ```
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::builder("redis://127.0.0.1").dangerous().fall_back_to_this_replica().build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn fall_back_to_this_replica(mut self) -> RedisReplayStoreBuilder {
        self.0.falls_back = true;
        self.0
    }
}
