//! The key cache of one issuer.
//!
//! 1. Keys in memory are used without waiting, also while they are being refreshed.
//! 2. There is one fetch at a time, however many requests wait for it; it goes on when they are cancelled.
//! 3. An unknown `kid` and a signature that does not verify cause fetches within an allowance: a few at once, then one for
//!    each cool-down. Random `kid`s and made-up signatures cost no more than that.
//! 4. A failed fetch, or an answer without one usable key, changes nothing. Keys beyond their last age are not used.
//! 5. Age counts from before the request was sent, and by the clock that went further.

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

const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);
/// However old an answer is, it counts as fresh for this time, or every request would cause a fetch.
const LEAST_REST: Duration = Duration::from_secs(10);
/// A `jwks_uri` from metadata is looked up again after this time.
const REDISCOVER_AFTER: Duration = Duration::from_secs(3600);
/// Skipped keys that are remembered as reported.
const REPORTED: usize = 256;

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
    /// Counts the good fetches.
    fetch: u64,
    fresh_until: Deadline,
    usable_until: Deadline,
}

#[derive(Default)]
struct Flight {
    running: Option<Fetching>,
    /// Whether the fetch that runs was taken out of the allowance.
    allowed: bool,
    /// While this lies ahead, a fetch failed a moment ago.
    failed_until: Option<Deadline>,
    allowance: Allowance,
    found: Option<(String, Deadline)>,
    reported: HashSet<(Option<Box<str>>, usize, JwkError)>,
}

/// The fetches that tokens may cause: as many as the burst at once, and one more for each cool-down.
#[derive(Default)]
struct Allowance {
    left: u32,
    refilled_at: Option<Moment>,
    /// While this lies ahead, a signature that did not verify caused a fetch a moment ago.
    signature_until: Option<Deadline>,
    /// Whether the log says already that there is none left.
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
    /// There are none, or they are too old.
    NoKeys,
    /// The token's `kid` is not among them.
    UnknownKey,
    /// The token's signature does not verify: another key may have taken its `kid`.
    Signature,
}

/// A refresh that one request waits for.
pub(crate) struct Refresh {
    keys: Arc<RemoteKeys>,
    reason: Reason,
    /// The fetch whose keys were not enough.
    seen: Option<u64>,
}

impl Refresh {
    /// Waits for the fetch that is under way, or for a new one, unless one has ended since it was asked for. A failure
    /// matters to a token whose key is not known. A signature that does not verify with a known key stays wrong: whoever
    /// makes up tokens gets no 503 for it.
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
            held: ArcSwapOption::empty(),
            flight: Mutex::default(),
        }
    }

    /// Whether the set in use is of this generation. Like [`lookup`](Self::lookup) this starts the refresh of one that is
    /// no longer fresh, and what was verified with it still counts meanwhile, within the same bounds.
    pub(crate) fn is_current(self: &Arc<Self>, generation: u64, now: Moment) -> bool {
        let held = self.held.load();
        let Some(held) = held.as_ref().filter(|held| !held.usable_until.has_passed(now)) else {
            return false;
        };
        if held.fresh_until.has_passed(now) {
            self.refresh_in_background(now);
        }
        held.snapshot.generation == generation
    }

    fn refresh_in_background(self: &Arc<Self>, now: Moment) {
        if !self.failed_lately(now) {
            drop(self.begin(Reason::NoKeys, None));
        }
    }

    pub(crate) fn lookup(self: &Arc<Self>, kid: Option<&str>, refreshed: bool) -> KeyLookup {
        let now = Moment::now(&*self.clock);
        let Some(held) = self.held.load_full().filter(|held| !held.usable_until.has_passed(now)) else {
            return if self.failed_lately(now) {
                KeyLookup::Failed(Unavailable::Keys)
            } else {
                KeyLookup::Fetch(self.refresh(Reason::NoKeys, None))
            };
        };
        if held.fresh_until.has_passed(now) {
            self.refresh_in_background(now);
        }
        if refreshed || kid.is_none_or(|kid| held.snapshot.keys.has_kid(kid)) {
            return KeyLookup::Ready(Arc::clone(&held.snapshot));
        }
        if self.failed_lately(now) {
            return KeyLookup::Failed(Unavailable::KeyRefresh);
        }
        if self.flight().allowance.allows(Reason::UnknownKey, now, &self.policy.caching) {
            return KeyLookup::Fetch(self.refresh(Reason::UnknownKey, Some(held.fetch)));
        }
        self.report_unknown_key(now);
        KeyLookup::Ready(Arc::clone(&held.snapshot))
    }

    pub(crate) fn refresh_after_failure(self: &Arc<Self>, snapshot: &KeySnapshot) -> Option<Refresh> {
        let now = Moment::now(&*self.clock);
        let held = self.held.load();
        let seen = held.as_ref().filter(|held| held.snapshot.generation == snapshot.generation).map(|held| held.fetch);
        let due =
            !self.failed_lately(now) && self.flight().allowance.allows(Reason::Signature, now, &self.policy.caching);
        due.then(|| self.refresh(Reason::Signature, seen))
    }

    fn refresh(self: &Arc<Self>, reason: Reason, seen: Option<u64>) -> Refresh {
        Refresh { keys: Arc::clone(self), reason, seen }
    }

    /// Once for each time that the allowance is used up.
    fn report_unknown_key(&self, now: Moment) {
        let mut flight = self.flight();
        let allowance = &mut flight.allowance;
        if std::mem::replace(&mut allowance.reported, true) {
            return;
        }
        let passed = allowance.refilled_at.map_or(Duration::ZERO, |then| now.since(then));
        let again_in_s = self.policy.caching.cool_down.saturating_sub(passed).as_millis().div_ceil(1000);
        drop(flight);
        tracing::warn!(
            issuer = %self.issuer,
            again_in_s,
            "a token names a key that is not in the issuer's set; the set was fetched lately and is fetched again later"
        );
    }

    /// What a failed fetch means: unknown keys stay unknown, or there are none at all.
    fn failure(&self, now: Moment) -> Unavailable {
        let usable = self.held.load().as_ref().is_some_and(|held| !held.usable_until.has_passed(now));
        if usable { Unavailable::KeyRefresh } else { Unavailable::Keys }
    }

    fn failed_lately(&self, now: Moment) -> bool {
        self.flight().failed_until.is_some_and(|until| !until.has_passed(now))
    }

    fn flight(&self) -> std::sync::MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fetch that runs, or a new one; none where none is needed any more, or where the allowance is used up.
    fn begin(self: &Arc<Self>, reason: Reason, seen: Option<u64>) -> Result<Option<Fetching>, Unavailable> {
        let now = Moment::now(&*self.clock);
        let mut flight = self.flight();
        if let Some(running) = flight.running.as_ref().filter(|running| running.peek().is_none()) {
            return Ok(Some(running.clone()));
        }
        let ended_since = self.held.load().as_ref().is_some_and(|held| match reason {
            Reason::NoKeys => !held.fresh_until.has_passed(now),
            Reason::UnknownKey | Reason::Signature => seen != Some(held.fetch),
        });
        if ended_since {
            return Ok(None);
        }
        if flight.failed_until.is_some_and(|until| !until.has_passed(now)) {
            drop(flight);
            return Err(self.failure(now));
        }
        if !flight.allowance.allows(reason, now, &self.policy.caching) {
            return Ok(None);
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::error!("keys can only be fetched within a tokio runtime");
            return Err(Unavailable::Keys);
        };
        flight.allowance.take(reason, now, &self.policy.caching);
        flight.allowed = reason != Reason::NoKeys;
        let keys = Arc::clone(self);
        // A task of its own, so that the fetch outlives the request that started it.
        let task = runtime.spawn(async move { keys.fetch_and_store().await });
        let fetching = async move { task.await.unwrap_or(Err(Unavailable::Keys)) }.boxed().shared();
        flight.running = Some(fetching.clone());
        Ok(Some(fetching))
    }

    async fn fetch_and_store(&self) -> Result<(), Unavailable> {
        let mut landing = Landing { keys: self, succeeded: false };
        match self.fetch_keys().await {
            Ok((keys, response, sent)) => {
                self.store(keys, response, sent);
                landing.succeeded = true;
                Ok(())
            }
            Err(_) => Err(self.failure(Moment::now(&*self.clock))), // logged where it happened
        }
    }

    /// The keys, the response that they came in, and a moment before it was asked for.
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

    /// Once for each key and reason, however often the set is fetched.
    fn report_skipped(&self, key: &SkippedKey) {
        let index = if key.kid.is_some() { 0 } else { key.index };
        let mut flight = self.flight();
        if flight.reported.len() >= REPORTED {
            flight.reported.clear();
        }
        let is_new = flight.reported.insert((key.kid.clone(), index, key.reason));
        drop(flight);
        if is_new {
            report_skipped(&self.issuer, key);
        }
    }

    async fn jwks_uri(&self) -> Result<String, FetchError> {
        if let KeyLocation::Uri(uri) = &self.location {
            return Ok(uri.clone());
        }
        let now = Moment::now(&*self.clock);
        let found = self.flight().found.clone();
        if let Some((uri, _)) = found.filter(|(_, until)| !until.has_passed(now)) {
            return Ok(uri);
        }
        let KeyPolicy { caching, allow_http, .. } = &self.policy;
        let uri = discovery::find_jwks_uri(&self.issuer, &*self.fetch, caching, *allow_http).await?;
        self.flight().found = Some((uri.clone(), Deadline::after(now, REDISCOVER_AFTER)));
        Ok(uri)
    }

    fn store(&self, keys: JwkSet, response: FetchResponse, sent: Moment) {
        let caching = &self.policy.caching;
        let fresh_for =
            max_age(response.cache_control.as_deref()).map_or(caching.fresh_for, |age| age.clamp(SHORTEST, LONGEST));
        let now = Moment::now(&*self.clock);
        let age = now.since(sent).saturating_add(response.age.unwrap_or_default());
        let rest = |time: Duration| time.saturating_sub(age).max(LEAST_REST.min(fresh_for));
        let previous = self.held.load_full();
        let fetch = previous.as_ref().map_or(0, |held| held.fetch.wrapping_add(1));
        let snapshot = match previous {
            Some(held) if held.body == response.body => Arc::clone(&held.snapshot),
            Some(held) => Arc::new(KeySnapshot { keys, generation: held.snapshot.generation + 1 }),
            None => Arc::new(KeySnapshot { keys, generation: 0 }),
        };
        self.held.store(Some(Arc::new(Held {
            snapshot,
            body: response.body,
            fetch,
            fresh_until: Deadline::after(now, rest(fresh_for)),
            usable_until: Deadline::after(now, rest(fresh_for.saturating_add(caching.stale_for))),
        })));
    }
}

/// A key of an issuer that cannot be used here: why its tokens are rejected, if some are.
pub(crate) fn report_skipped(issuer: &str, key: &SkippedKey) {
    let kid = key.kid.as_deref().unwrap_or("none");
    tracing::info!(issuer, index = key.index, kid, reason = %key.reason, "a key of the issuer is not used");
}

/// Ends a flight whatever becomes of it, a panic included: as a failure, unless it succeeded.
struct Landing<'k> {
    keys: &'k RemoteKeys,
    succeeded: bool,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let caching = &self.keys.policy.caching;
        let now = Moment::now(&*self.keys.clock);
        let mut flight = self.keys.flight();
        flight.running = None;
        flight.failed_until = (!self.succeeded).then(|| Deadline::after(now, caching.retry_after));
        let allowed = std::mem::take(&mut flight.allowed);
        if !self.succeeded {
            flight.found = None;
            if allowed {
                // It told nothing. How soon the next one may follow is `retry_after`'s to say.
                flight.allowance.left = flight.allowance.left.saturating_add(1).min(caching.refresh_burst);
            }
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
