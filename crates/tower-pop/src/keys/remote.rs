//! The fetched keys of one issuer.
//!
//! 1. Keys in memory are used without waiting, even while they are refreshed.
//! 2. There is one fetch at a time, however many requests wait for it. It goes on if they are cancelled.
//! 3. An unknown `kid`, or a signature that does not verify, causes a fetch within an allowance: a few at once, then one for
//!    each cool-down. Random `kid`s and made-up signatures cause no more than that.
//! 4. A failed fetch, or a response without a usable key, changes nothing. Keys over their maximum age are not used.
//! 5. The age counts from before the request was sent, by the clock that advanced further.

use std::collections::HashSet;
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
use pop_core::jose::{AlgorithmSet, JwkError, JwkSet, RsaLimits, SkippedKey};

use super::{
    FetchError, FetchResponse, HttpFetch, JwksCaching, KeyLocation, KeyLookup, KeySnapshot, discovery, without_query,
};
use crate::clock::{Clock, Deadline, Moment};

/// The limits on `max-age`.
const MIN_FRESH: Duration = Duration::from_secs(60);
const MAX_FRESH: Duration = Duration::from_secs(3600);
/// A response counts as fresh for at least this time, however old it is: otherwise every request would cause a fetch.
const MIN_REMAINING: Duration = Duration::from_secs(10);
/// How long a `jwks_uri` from metadata is used before discovery is repeated.
const REDISCOVER_AFTER: Duration = Duration::from_secs(3600);
/// The number of skipped keys that are remembered as reported.
const REPORTED: usize = 256;

/// Which keys are accepted, and how they are used.
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
    cached: ArcSwapOption<CachedKeys>,
    state: Mutex<FetchState>,
}

struct CachedKeys {
    snapshot: Arc<KeySnapshot>,
    body: bytes::Bytes,
    /// The number of successful fetches before this one.
    fetch: u64,
    fresh_until: Deadline,
    usable_until: Deadline,
}

#[derive(Default)]
struct FetchState {
    running: Option<Fetching>,
    /// Whether the running fetch was taken out of the allowance.
    allowed: bool,
    /// After a failed fetch: the time until the next one.
    failed_until: Option<Deadline>,
    allowance: Allowance,
    found: Option<(String, Deadline)>,
    reported: HashSet<(Option<Box<str>>, usize, JwkError)>,
}

/// The fetches that tokens may cause: the burst at once, and one more for each cool-down.
#[derive(Default)]
struct Allowance {
    left: u32,
    refilled_at: Option<Moment>,
    /// After a fetch for a signature: the time until the next one.
    signature_until: Option<Deadline>,
    /// Whether the log already says that the allowance is used up.
    reported: bool,
}

impl Allowance {
    fn refill(&mut self, now: Moment, caching: &JwksCaching) {
        let returned = match self.refilled_at {
            None => u128::from(caching.refresh_burst),
            Some(then) => now.since(then).as_nanos() / caching.cool_down.as_nanos().max(1),
        };
        if returned > 0 {
            let returned = u32::try_from(returned).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(returned).min(caching.refresh_burst);
            self.refilled_at = Some(now);
            self.reported = false;
        }
    }

    fn allows(&mut self, reason: Reason, now: Moment, caching: &JwksCaching) -> bool {
        self.refill(now, caching);
        let signature_is_due = || self.signature_until.is_none_or(|until| until.has_passed(now));
        match reason {
            Reason::NoKeys => true,
            Reason::UnknownKey => self.left > 0,
            Reason::Signature => self.left > 0 && signature_is_due(),
        }
    }

    fn take(&mut self, reason: Reason, now: Moment, caching: &JwksCaching) {
        if reason != Reason::NoKeys {
            self.left = self.left.saturating_sub(1);
        }
        if reason == Reason::Signature {
            self.signature_until = Some(Deadline::after(now, caching.cool_down));
        }
    }
}

/// Why a request needs the keys to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// There are no keys, or they are too old.
    NoKeys,
    /// No key has the `kid` of the token.
    UnknownKey,
    /// The signature of the token does not verify: the issuer may have given its `kid` to another key.
    Signature,
}

/// A refresh of the keys that one request waits for.
pub(crate) struct Refresh {
    keys: Arc<RemoteKeys>,
    reason: Reason,
    /// The fetch that the insufficient keys came from.
    seen: Option<u64>,
}

impl Refresh {
    /// Waits for the running fetch or for a new one, unless one has ended since. A failed fetch is an error for a token whose key
    /// is unknown. It is not an error for a signature that does not verify: that signature stays wrong.
    pub(crate) async fn run(self) -> Result<(), Unavailable> {
        let Self { keys, reason, seen } = self;
        let outcome = match keys.begin(reason, seen) {
            Ok(Some(fetching)) => fetching.await,
            Ok(None) => Ok(()),
            Err(unavailable) => Err(unavailable),
        };
        if reason == Reason::Signature { Ok(()) } else { outcome }
    }
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
            cached: ArcSwapOption::empty(),
            state: Mutex::default(),
        }
    }

    /// Returns whether the keys in use are of this generation. Like [`lookup`](Self::lookup), this starts a refresh of keys that
    /// are no longer fresh; they are used until then, within the same limits.
    pub(crate) fn is_current(self: &Arc<Self>, generation: u64, now: Moment) -> bool {
        let cached = self.cached.load();
        let Some(cached) = cached.as_ref().filter(|cached| !cached.usable_until.has_passed(now)) else {
            return false;
        };
        if cached.fresh_until.has_passed(now) {
            self.refresh_in_background(now);
        }
        cached.snapshot.generation == generation
    }

    fn refresh_in_background(self: &Arc<Self>, now: Moment) {
        if !self.failed_lately(now) {
            drop(self.begin(Reason::NoKeys, None));
        }
    }

    pub(crate) fn lookup(self: &Arc<Self>, kid: Option<&str>, refreshed: bool) -> KeyLookup {
        let now = Moment::now(&*self.clock);
        let Some(cached) = self.cached.load_full().filter(|cached| !cached.usable_until.has_passed(now)) else {
            return if self.failed_lately(now) {
                KeyLookup::Failed(Unavailable::Keys)
            } else {
                KeyLookup::Fetch(self.refresh(Reason::NoKeys, None))
            };
        };
        if cached.fresh_until.has_passed(now) {
            self.refresh_in_background(now);
        }
        if refreshed || kid.is_none_or(|kid| cached.snapshot.keys.has_kid(kid)) {
            return KeyLookup::Ready(Arc::clone(&cached.snapshot));
        }
        if self.failed_lately(now) {
            return KeyLookup::Failed(Unavailable::KeyRefresh);
        }
        if self.state().allowance.allows(Reason::UnknownKey, now, &self.policy.caching) {
            return KeyLookup::Fetch(self.refresh(Reason::UnknownKey, Some(cached.fetch)));
        }
        self.report_unknown_key(now);
        KeyLookup::Ready(Arc::clone(&cached.snapshot))
    }

    pub(crate) fn refresh_after_failure(self: &Arc<Self>, snapshot: &KeySnapshot) -> Option<Refresh> {
        let now = Moment::now(&*self.clock);
        let cached = self.cached.load();
        let seen = cached
            .as_ref()
            .filter(|cached| cached.snapshot.generation == snapshot.generation)
            .map(|cached| cached.fetch);
        let due =
            !self.failed_lately(now) && self.state().allowance.allows(Reason::Signature, now, &self.policy.caching);
        due.then(|| self.refresh(Reason::Signature, seen))
    }

    fn refresh(self: &Arc<Self>, reason: Reason, seen: Option<u64>) -> Refresh {
        Refresh { keys: Arc::clone(self), reason, seen }
    }

    /// Logs an unknown `kid`, once each time the allowance is used up.
    fn report_unknown_key(&self, now: Moment) {
        let mut state = self.state();
        let allowance = &mut state.allowance;
        if std::mem::replace(&mut allowance.reported, true) {
            return;
        }
        let passed = allowance.refilled_at.map_or(Duration::ZERO, |then| now.since(then));
        let again_in_s = self.policy.caching.cool_down.saturating_sub(passed).as_millis().div_ceil(1000);
        drop(state);
        tracing::warn!(
            issuer = %self.issuer,
            again_in_s,
            "a token names a key that is not in the issuer's set; the set was fetched lately and is fetched again later"
        );
    }

    /// Returns the error of a failed fetch: the `kid` stays unknown, or there are no keys at all.
    fn failure(&self, now: Moment) -> Unavailable {
        let usable = self.cached.load().as_ref().is_some_and(|cached| !cached.usable_until.has_passed(now));
        if usable { Unavailable::KeyRefresh } else { Unavailable::Keys }
    }

    fn failed_lately(&self, now: Moment) -> bool {
        self.state().failed_until.is_some_and(|until| !until.has_passed(now))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, FetchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the running fetch or starts a new one; `None` if none is needed any more, or the allowance is used up.
    fn begin(self: &Arc<Self>, reason: Reason, seen: Option<u64>) -> Result<Option<Fetching>, Unavailable> {
        let now = Moment::now(&*self.clock);
        let mut state = self.state();
        if let Some(running) = state.running.as_ref().filter(|running| running.peek().is_none()) {
            return Ok(Some(running.clone()));
        }
        let ended_since = self.cached.load().as_ref().is_some_and(|cached| match reason {
            Reason::NoKeys => !cached.fresh_until.has_passed(now),
            Reason::UnknownKey | Reason::Signature => seen != Some(cached.fetch),
        });
        if ended_since {
            return Ok(None);
        }
        if state.failed_until.is_some_and(|until| !until.has_passed(now)) {
            drop(state);
            return Err(self.failure(now));
        }
        if !state.allowance.allows(reason, now, &self.policy.caching) {
            return Ok(None);
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::error!("keys can only be fetched within a tokio runtime");
            return Err(Unavailable::Keys);
        };
        state.allowance.take(reason, now, &self.policy.caching);
        state.allowed = reason != Reason::NoKeys;
        let keys = Arc::clone(self);
        // A separate task, so that the fetch goes on if the request is cancelled.
        let task = runtime.spawn(async move { keys.fetch_and_store().await });
        let fetching = async move { task.await.unwrap_or(Err(Unavailable::Keys)) }.boxed().shared();
        state.running = Some(fetching.clone());
        Ok(Some(fetching))
    }

    async fn fetch_and_store(&self) -> Result<(), Unavailable> {
        let mut end = EndOfFetch { keys: self, succeeded: false };
        match self.fetch_keys().await {
            Ok((keys, response, sent)) => {
                self.store(keys, response, sent);
                end.succeeded = true;
                Ok(())
            }
            Err(_) => Err(self.failure(Moment::now(&*self.clock))), // already logged
        }
    }

    /// Returns the keys, their response, and the time before the request was sent.
    async fn fetch_keys(&self) -> Result<(JwkSet, FetchResponse, Moment), FetchError> {
        let uri = self.jwks_uri().await?;
        let url = without_query(&uri).to_owned();
        let sent = Moment::now(&*self.clock);
        let response = discovery::get(&*self.fetch, uri, &self.policy.caching).await.inspect_err(|error| {
            tracing::warn!(issuer = %self.issuer, %url, %error, "fetching the issuer's keys failed");
        })?;
        let KeyPolicy { algorithms, rsa, backend, .. } = self.policy;
        let mut report = |key: SkippedKey| self.report_skipped(&key);
        let keys = JwkSet::parse_reporting(&response.body, algorithms, rsa, backend, &mut report).map_err(|error| {
            tracing::warn!(issuer = %self.issuer, %url, %error, "the issuer's key set is unusable");
            FetchError::Document("not a usable key set")
        })?;
        Ok((keys, response, sent))
    }

    /// Logs a skipped key, once for each key and reason.
    fn report_skipped(&self, key: &SkippedKey) {
        let index = if key.kid.is_some() { 0 } else { key.index };
        let mut state = self.state();
        if state.reported.len() >= REPORTED {
            state.reported.clear();
        }
        let is_new = state.reported.insert((key.kid.clone(), index, key.reason));
        drop(state);
        if is_new {
            report_skipped(&self.issuer, key);
        }
    }

    async fn jwks_uri(&self) -> Result<String, FetchError> {
        if let KeyLocation::Uri(uri) = &self.location {
            return Ok(uri.clone());
        }
        let now = Moment::now(&*self.clock);
        let found = self.state().found.clone();
        if let Some((uri, _)) = found.filter(|(_, until)| !until.has_passed(now)) {
            return Ok(uri);
        }
        let KeyPolicy { caching, allow_http, .. } = &self.policy;
        let uri = discovery::find_jwks_uri(&self.issuer, &*self.fetch, caching, *allow_http).await?;
        self.state().found = Some((uri.clone(), Deadline::after(now, REDISCOVER_AFTER)));
        Ok(uri)
    }

    fn store(&self, keys: JwkSet, response: FetchResponse, sent: Moment) {
        let caching = &self.policy.caching;
        let fresh_for =
            max_age(response.cache_control.as_deref()).map_or(caching.fresh_for, |age| age.clamp(MIN_FRESH, MAX_FRESH));
        let now = Moment::now(&*self.clock);
        let age = now.since(sent).saturating_add(response.age.unwrap_or_default());
        let remaining = |time: Duration| time.saturating_sub(age).max(MIN_REMAINING.min(fresh_for));
        let previous = self.cached.load_full();
        let fetch = previous.as_ref().map_or(0, |cached| cached.fetch.wrapping_add(1));
        let snapshot = match previous {
            Some(cached) if cached.body == response.body => Arc::clone(&cached.snapshot),
            Some(cached) => Arc::new(KeySnapshot { keys, generation: cached.snapshot.generation + 1 }),
            None => Arc::new(KeySnapshot { keys, generation: 0 }),
        };
        self.cached.store(Some(Arc::new(CachedKeys {
            snapshot,
            body: response.body,
            fetch,
            fresh_until: Deadline::after(now, remaining(fresh_for)),
            usable_until: Deadline::after(now, remaining(fresh_for.saturating_add(caching.stale_for))),
        })));
    }
}

/// Logs a key that cannot be used. Its tokens are rejected.
pub(crate) fn report_skipped(issuer: &str, key: &SkippedKey) {
    let kid = key.kid.as_deref().unwrap_or("none");
    tracing::info!(issuer, index = key.index, kid, reason = %key.reason, "a key of the issuer is not used");
}

/// Ends a fetch in every case, including a panic: as a failure, unless it succeeded.
struct EndOfFetch<'k> {
    keys: &'k RemoteKeys,
    succeeded: bool,
}

impl Drop for EndOfFetch<'_> {
    fn drop(&mut self) {
        let caching = &self.keys.policy.caching;
        let now = Moment::now(&*self.keys.clock);
        let mut state = self.keys.state();
        state.running = None;
        state.failed_until = (!self.succeeded).then(|| Deadline::after(now, caching.retry_after));
        let allowed = std::mem::take(&mut state.allowed);
        if !self.succeeded {
            state.found = None;
            if allowed {
                // The fetch told nothing. `retry_after` limits the next one.
                state.allowance.left = state.allowance.left.saturating_add(1).min(caching.refresh_burst);
            }
        }
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Returns the `max-age` of a `Cache-Control` value.
fn max_age(cache_control: Option<&str>) -> Option<Duration> {
    let directives = cache_control?.split(',');
    let seconds = directives.filter_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| value.trim().trim_matches('"').parse::<u64>().ok())?
    });
    seconds.min().map(Duration::from_secs)
}
