//! The key cache of one issuer.
//!
//! 1. Keys in memory are used without waiting, also while they are being refreshed.
//! 2. There is one fetch at a time, however many requests wait for it; it goes on when they are cancelled.
//! 3. An unknown `kid` causes a fetch, but not within the cool-down after a good one: random `kid`s cost nothing.
//! 4. A failed fetch, or an answer without one usable key, changes nothing. Keys beyond their last age are not used.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt;
use futures_util::future::Shared;
use pop_core::Unavailable;
use pop_core::jose::crypto::CryptoBackend;
use pop_core::jose::{AlgorithmSet, JwkSet, RsaLimits};

use super::{FetchError, FetchResponse, HttpFetch, JwksCaching, KeyLocation, KeyLookup, KeySnapshot, discovery};
use crate::clock::Clock;

const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);
/// A `jwks_uri` from metadata is looked up again after this time.
const REDISCOVER_AFTER: Duration = Duration::from_secs(3600);

/// What keys are accepted and how they are verified with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyPolicy {
    pub(crate) algorithms: AlgorithmSet,
    pub(crate) rsa: RsaLimits,
    pub(crate) backend: CryptoBackend,
    pub(crate) caching: JwksCaching,
    pub(crate) allow_http: bool,
}

type Fetching = Shared<Pin<Box<dyn Future<Output = Result<(), Unavailable>> + Send>>>;

pub(crate) struct RemoteKeys {
    issuer: Box<str>,
    location: KeyLocation,
    policy: KeyPolicy,
    fetch: Arc<dyn HttpFetch>,
    clock: Arc<dyn Clock>,
    held: ArcSwapOption<Held>,
    flight: Mutex<Flight>,
}

struct Held {
    snapshot: Arc<KeySnapshot>,
    body: bytes::Bytes,
    fetched_at: Duration,
    fresh_until: Duration,
    usable_until: Duration,
}

#[derive(Default)]
struct Flight {
    running: Option<Fetching>,
    failed_at: Option<Duration>,
    found: Option<(String, Duration)>,
}

impl RemoteKeys {
    pub(crate) fn new(
        issuer: &str,
        location: KeyLocation,
        policy: KeyPolicy,
        fetch: Arc<dyn HttpFetch>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            location,
            policy,
            fetch,
            clock,
            held: ArcSwapOption::empty(),
            flight: Mutex::default(),
        }
    }

    /// Whether the set in use is of this generation. Like [`lookup`](Self::lookup) this starts the refresh of one that is
    /// no longer fresh, and what was verified with it still counts meanwhile, within the same bounds.
    pub(crate) fn is_current(self: &Arc<Self>, generation: u64) -> bool {
        let now = self.clock.monotonic();
        let held = self.held.load();
        let Some(held) = held.as_ref().filter(|held| now < held.usable_until) else {
            return false;
        };
        if now >= held.fresh_until {
            self.refresh_in_background(now);
        }
        held.snapshot.generation == generation
    }

    fn refresh_in_background(self: &Arc<Self>, now: Duration) {
        if !self.failed_lately(now) {
            drop(self.start());
        }
    }

    pub(crate) fn lookup(self: &Arc<Self>, kid: Option<&str>) -> KeyLookup {
        let now = self.clock.monotonic();
        let Some(held) = self.held.load_full().filter(|held| now < held.usable_until) else {
            return if self.failed_lately(now) {
                KeyLookup::Failed(Unavailable::Keys)
            } else {
                KeyLookup::Fetch(Arc::clone(self))
            };
        };
        if now >= held.fresh_until {
            self.refresh_in_background(now);
        }
        let known = kid.is_none_or(|kid| held.snapshot.keys.has_kid(kid));
        if known || now < held.fetched_at.saturating_add(self.policy.caching.cool_down) {
            KeyLookup::Ready(Arc::clone(&held.snapshot))
        } else if self.failed_lately(now) {
            KeyLookup::Failed(Unavailable::KeyRefresh)
        } else {
            KeyLookup::Fetch(Arc::clone(self))
        }
    }

    /// Waits for the fetch that is under way, or for a new one unless one has ended since it was asked for.
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<(), Unavailable> {
        let now = self.clock.monotonic();
        let cool_down = self.policy.caching.cool_down;
        let just_fetched =
            self.held.load().as_ref().is_some_and(|held| now < held.fetched_at.saturating_add(cool_down));
        if just_fetched {
            return Ok(());
        }
        if self.failed_lately(now) {
            return Err(self.failure(now));
        }
        self.start().await
    }

    /// What a failed fetch means: unknown keys stay unknown, or there are none at all.
    fn failure(&self, now: Duration) -> Unavailable {
        let usable = self.held.load().as_ref().is_some_and(|held| now < held.usable_until);
        if usable { Unavailable::KeyRefresh } else { Unavailable::Keys }
    }

    fn failed_lately(&self, now: Duration) -> bool {
        let retry_after = self.policy.caching.retry_after;
        self.flight().failed_at.is_some_and(|failed_at| now < failed_at.saturating_add(retry_after))
    }

    fn flight(&self) -> std::sync::MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>) -> Fetching {
        let mut flight = self.flight();
        if let Some(running) = flight.running.as_ref().filter(|running| running.peek().is_none()) {
            return running.clone();
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::error!("keys can only be fetched within a tokio runtime");
            return std::future::ready(Err(Unavailable::Keys)).boxed().shared();
        };
        let keys = Arc::clone(self);
        // A task of its own, so that the fetch outlives the request that started it.
        let task = runtime.spawn(async move { keys.fetch_and_store().await });
        let fetching = async move { task.await.unwrap_or(Err(Unavailable::Keys)) }.boxed().shared();
        flight.running = Some(fetching.clone());
        fetching
    }

    async fn fetch_and_store(&self) -> Result<(), Unavailable> {
        let mut landing = Landing { keys: self, succeeded: false };
        match self.fetch_keys().await {
            Ok((keys, response)) => {
                self.store(keys, response, self.clock.monotonic());
                landing.succeeded = true;
                Ok(())
            }
            Err(error) => {
                tracing::warn!(issuer = %self.issuer, %error, "fetching the issuer's keys failed");
                Err(self.failure(self.clock.monotonic()))
            }
        }
    }

    async fn fetch_keys(&self) -> Result<(JwkSet, FetchResponse), FetchError> {
        let uri = self.jwks_uri().await?;
        let response = discovery::get(&*self.fetch, uri, &self.policy.caching).await?;
        let KeyPolicy { algorithms, rsa, backend, .. } = self.policy;
        let (keys, skipped) = JwkSet::parse(&response.body, algorithms, rsa, backend).map_err(|error| {
            tracing::warn!(issuer = %self.issuer, %error, "the issuer's key set is unusable");
            FetchError::Document("not a usable key set")
        })?;
        for key in skipped {
            tracing::debug!(issuer = %self.issuer, index = key.index, reason = %key.reason, "key left out");
        }
        Ok((keys, response))
    }

    async fn jwks_uri(&self) -> Result<String, FetchError> {
        if let KeyLocation::Uri(uri) = &self.location {
            return Ok(uri.clone());
        }
        let now = self.clock.monotonic();
        let found = self.flight().found.clone();
        if let Some((uri, _)) = found.filter(|(_, at)| now < at.saturating_add(REDISCOVER_AFTER)) {
            return Ok(uri);
        }
        let KeyPolicy { caching, allow_http, .. } = &self.policy;
        let uri = discovery::find_jwks_uri(&self.issuer, &*self.fetch, caching, *allow_http).await?;
        self.flight().found = Some((uri.clone(), now));
        Ok(uri)
    }

    fn store(&self, keys: JwkSet, response: FetchResponse, now: Duration) {
        let fresh_for = max_age(response.cache_control.as_deref())
            .map_or(self.policy.caching.fresh_for, |age| age.clamp(SHORTEST, LONGEST));
        let previous = self.held.load_full();
        let snapshot = match previous {
            Some(held) if held.body == response.body => Arc::clone(&held.snapshot),
            Some(held) => Arc::new(KeySnapshot { keys, generation: held.snapshot.generation + 1 }),
            None => Arc::new(KeySnapshot { keys, generation: 0 }),
        };
        let fresh_until = now.saturating_add(fresh_for);
        self.held.store(Some(Arc::new(Held {
            snapshot,
            body: response.body,
            fetched_at: now,
            fresh_until,
            usable_until: fresh_until.saturating_add(self.policy.caching.stale_for),
        })));
    }
}

/// Ends a flight whatever becomes of it, a panic included: as a failure, unless it succeeded.
struct Landing<'k> {
    keys: &'k RemoteKeys,
    succeeded: bool,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let now = self.keys.clock.monotonic();
        let mut flight = self.keys.flight();
        flight.running = None;
        flight.failed_at = (!self.succeeded).then_some(now);
        if !self.succeeded {
            flight.found = None;
        }
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// `max-age` of a `Cache-Control` value, in seconds.
fn max_age(cache_control: Option<&str>) -> Option<Duration> {
    let directives = cache_control?.split(',');
    let seconds = directives.filter_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| value.trim().trim_matches('"').parse::<u64>().ok())?
    });
    seconds.min().map(Duration::from_secs)
}
