//! A store in Redis or Valkey, for replicas that share it.
//!
//! 1. A proof is one command: `SET key value NX GET PX lifetime`. It records the proof and says whether it was there, in one
//!    atomic step.
//! 2. The value is another one for each request. A command whose answer was lost is sent again with the same value: if the
//!    server answers with that value, it was this request that recorded the proof.
//! 3. What was answered once is remembered in this process too: a proof that is known to be used is rejected without a
//!    command, and a client that has used its share as well. No proof is accepted without the server.

mod builder;
mod command;
mod error;
mod link;
mod place;
mod server;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pop_core::ReplayError;
use pop_core::replay::{FirstUse, ReplayEntry};
use tokio::sync::Semaphore;
use tracing::Instrument;

pub use self::builder::{DangerousRedisOptions, RedisReplayStoreBuilder};
use self::command::{Answer, SetOnce, Values};
pub use self::error::{RedisSetupError, RedisUnavailable};
use self::link::Link;
use super::memory::MemoryReplayStore;
use super::store::{ReplayAnswer, ReplayStore, StoreReadiness};
use crate::log_limit::LogLimit;
use crate::meter;
use crate::span;

/// How often a command is sent while its answers are lost.
const ATTEMPTS: u32 = 20;
/// The pause before a command is sent again. A cluster finds its servers meanwhile.
const BEFORE_NEXT_ATTEMPT: Duration = Duration::from_millis(20);

/// A [`ReplayStore`] in Redis 7 or later, or Valkey, that all replicas share.
///
/// It connects when the first proof comes, or with [`connect`](Self::connect), and again whenever the connection is lost.
/// While the server cannot be reached, is too slow, or has no room, requests are rejected with 503. Each accepted request
/// costs one round trip; a replay that this replica has seen costs none.
///
/// An entry lives until the proof would be rejected for its age, and the timeout and the
/// [`clock_difference`](RedisReplayStoreBuilder::clock_difference) longer.
///
/// # Security
/// - The server must never drop an entry early: its `maxmemory-policy` must be `noeviction`. This is checked for each
///   connection, and every few seconds while one is in use. A server that evicts is not used.
/// - Replication is asynchronous: at a failover, the proofs of the last moments can be lost, and be accepted once more.
///   [`wait_for_replicas`](RedisReplayStoreBuilder::wait_for_replicas) narrows this.
/// - Redis measures lifetimes by the wall clock of its machine: if that clock steps forward by more than the clock
///   difference, entries end early. Replicas reject what they have seen themselves all the same.
/// - Whoever can delete keys can replay proofs. Give the server a password, or an ACL user that has only `SET`, `GET` and
///   `INFO`, and use `rediss://` across networks.
///
/// # Example
/// ```
/// use tower_pop::PopConfig;
/// use tower_pop::replay::RedisReplayStore;
///
/// let store = RedisReplayStore::builder("rediss://api:secret@redis.example:6379").key_prefix("notes:").build()?;
/// let cfg = PopConfig::builder("https://as.example", "https://api.example").replay_store(store).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedisReplayStore(Arc<Inner>);

struct Inner {
    link: Link,
    /// What this replica has seen.
    seen: MemoryReplayStore,
    prefix: Box<[u8]>,
    timeout: Duration,
    values: Values,
    calls: Semaphore,
    /// Seconds.
    clock_difference: u64,
    wait_for_replicas: Option<u32>,
    /// Whether proofs are accepted by the memory of this replica while the server is unavailable.
    falls_back: bool,
    fallbacks: LogLimit,
}

impl RedisReplayStore {
    /// Describes a store in one server: `redis://user:password@host:port/database`, `rediss://` for TLS, or
    /// `redis+unix:///path`.
    pub fn builder(url: impl Into<String>) -> RedisReplayStoreBuilder {
        RedisReplayStoreBuilder::standalone(url.into())
    }

    /// Describes a store in a cluster. The URLs name some of its nodes.
    ///
    /// ```
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::cluster(["redis://node-1.example:6379", "redis://node-2.example:6379"]).build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn cluster(urls: impl IntoIterator<Item = impl Into<String>>) -> RedisReplayStoreBuilder {
        RedisReplayStoreBuilder::cluster(urls.into_iter().map(Into::into).collect())
    }

    /// Describes a store in the server that Sentinel names as the primary `master`. The URLs name Sentinels. Credentials
    /// in the URLs are those of Sentinel; [`credentials`](RedisReplayStoreBuilder::credentials) are those of the server.
    ///
    /// ```
    /// use tower_pop::replay::RedisReplayStore;
    ///
    /// let store = RedisReplayStore::sentinel(["redis://sentinel-1.example:26379"], "notes").build()?;
    /// # drop(store);
    /// # Ok::<(), tower_pop::replay::RedisSetupError>(())
    /// ```
    pub fn sentinel(
        urls: impl IntoIterator<Item = impl Into<String>>,
        master: impl Into<String>,
    ) -> RedisReplayStoreBuilder {
        RedisReplayStoreBuilder::sentinel(urls.into_iter().map(Into::into).collect(), master.into())
    }

    /// Connects, unless there is a connection, and asks the server whether it is there. Requests connect by themselves: this is
    /// for programs that want to know at their start, as [`PopConfig::warm_up`](crate::PopConfig::warm_up) does. Waits for at
    /// most the timeout of a proof.
    ///
    /// # Errors
    /// [`RedisUnavailable`], with the reason of the last attempt.
    pub async fn connect(&self) -> Result<(), RedisUnavailable> {
        let link = &self.0.link;
        self.0.in_time(link.check()).await.unwrap_or_else(|| Err(link.last_error()))
    }
}

impl ReplayStore for RedisReplayStore {
    fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
        // A full memory of this replica says nothing about the server.
        if let Err(error @ (ReplayError::Replayed | ReplayError::KeyQuota { .. })) = self.0.seen.check(&entry) {
            return ReplayAnswer::Now(Err(error));
        }
        let inner = Arc::clone(&self.0);
        ReplayAnswer::Later(Box::pin(async move { inner.insert(&entry).await }))
    }

    fn ready(&self) -> StoreReadiness<'_> {
        Box::pin(async { self.connect().await.map_err(Into::into) })
    }
}

impl Inner {
    async fn insert(&self, entry: &ReplayEntry) -> Result<FirstUse, ReplayError> {
        // Without a permit, calls would pile up in memory while the server is slow. Too many calls are not an outage: nothing
        // is accepted without the server because of them.
        let Ok(_permit) = self.calls.try_acquire() else {
            return Err(ReplayError::Unavailable);
        };
        match self.ask(entry).await {
            Ok(()) => {
                self.remember(entry);
                Ok(FirstUse::assertion())
            }
            Err(ReplayError::Replayed) => {
                self.remember(entry);
                Err(ReplayError::Replayed)
            }
            Err(ReplayError::Unavailable) if self.falls_back => {
                meter::replay_store_fallback();
                if let Some(times) = self.fallbacks.count() {
                    tracing::error!(times, "proofs are accepted by the memory of this replica: REPLAYS ELSEWHERE PASS");
                }
                self.seen.insert(*entry).wait().await
            }
            Err(error) => Err(error),
        }
    }

    /// Asks the server. The entry is recorded when this returns `Ok`.
    async fn ask(&self, entry: &ReplayEntry) -> Result<(), ReplayError> {
        let start = Instant::now();
        let span = span::replay_store();
        let answer = self.in_time(self.set_once(entry)).instrument(span.clone()).await;
        let answer = answer.unwrap_or(Err(ReplayError::Unavailable));
        if let Err(error @ (ReplayError::Full | ReplayError::Unavailable)) = &answer {
            span::failed(&span, error.code());
        }
        meter::replay_store(outcome(&answer), start.elapsed());
        answer
    }

    /// Returns the answer to a question, or `None` if it does not come in time.
    async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        if tokio::runtime::Handle::try_current().is_err() {
            tracing::error!("a replay store in Redis can only be used within a tokio runtime");
            return None;
        }
        let mut call = Call { link: &self.link, start: Instant::now(), patience: self.timeout / 2, answered: false };
        let answer = tokio::time::timeout(self.timeout, answer).await.ok();
        call.answered = answer.is_some();
        answer
    }

    async fn set_once(&self, entry: &ReplayEntry) -> Result<(), ReplayError> {
        // Another replica may ask up to the timeout after it looked at its clock.
        let lifetime = entry.expires_at.saturating_sub(entry.now).saturating_add(self.clock_difference);
        let lifetime = lifetime.saturating_add(self.timeout.as_secs()).saturating_add(1);
        let command = SetOnce::new(&self.prefix, entry.key.as_bytes(), &self.values, lifetime);
        for _ in 0..ATTEMPTS {
            let connection = self.link.connection().await;
            match command.run(&connection, self.wait_for_replicas).await {
                Answer::First { .. } => {
                    self.link.check_if_due(&connection);
                    return Ok(());
                }
                Answer::Used => return Err(ReplayError::Replayed),
                Answer::Full => return Err(ReplayError::Full),
                Answer::Refused(error) => {
                    self.link.report(&error);
                    return Err(ReplayError::Unavailable);
                }
                Answer::Lost(error) if connection.heals_itself() => self.link.report(&error),
                Answer::Lost(error) => self.link.lost(&connection, &error),
            }
            tokio::time::sleep(BEFORE_NEXT_ATTEMPT).await;
        }
        Err(ReplayError::Unavailable)
    }

    /// A client whose share is used up, or a full memory, costs later requests a round trip and nothing else.
    fn remember(&self, entry: &ReplayEntry) {
        let _ = self.seen.insert(*entry);
    }
}

/// A question to the server. If it is given up, by its timeout or by the request, the connection may be dead.
struct Call<'l> {
    link: &'l Link,
    start: Instant,
    /// A request that is gone earlier than this says nothing about the server.
    patience: Duration,
    answered: bool,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.answered && self.start.elapsed() >= self.patience {
            self.link.timed_out(self.start);
        }
    }
}

/// The outcome of a question, for metrics.
const fn outcome(answer: &Result<(), ReplayError>) -> &'static str {
    match answer {
        Ok(()) => "first",
        Err(ReplayError::Replayed) => "replayed",
        Err(ReplayError::Full) => "full",
        Err(_) => "unavailable",
    }
}

impl fmt::Debug for RedisReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplayStore").field("server", &self.0.link).finish_non_exhaustive()
    }
}
