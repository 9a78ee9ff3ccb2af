//! The fetched keys of one issuer.
//!
//! 1. Keys in memory are used without waiting, even while they are refreshed.
//! 2. There is one fetch at a time, however many requests wait for it. It goes on if they are cancelled.
//! 3. An unknown `kid`, or a signature that does not verify, causes a fetch within an allowance: a few at once, then one for
//!    each cool-down. Random `kid`s and made-up signatures cause no more than that.
//! 4. A failed fetch, or a response without a usable key, changes nothing. Keys over their maximum age are not used.
//! 5. The age counts from before the request was sent, by the clock that advanced further.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Shared;
use pop_core::Unavailable;
use pop_core::jose::crypto::CryptoBackend;
use pop_core::jose::{AlgorithmSet, JwkSet, RsaLimits, SkippedKey};
use tracing::{Instrument, Span};

use super::allowance::{Allowance, Reason};
use super::caching::JwksCaching;
use super::discovery::{self, KeyLocation};
use super::fetch::{FetchError, FetchResponse, HttpFetch, without_query};
use super::skipped_keys::{ReportedKeys, report_skipped};
use super::snapshot::{CachedKeys, KeySnapshot};
use crate::clock::{Clock, Deadline, Moment};
use crate::meter;
use crate::span;
use crate::sync::{ArcSwapOption, Handle, Mutex, MutexGuard};

/// How long a `jwks_uri` from metadata is used before discovery is repeated.
const REDISCOVER_AFTER: Duration = Duration::from_secs(3600);

/// Which keys are accepted, and how they are used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyPolicy {
    pub(crate) algorithms: AlgorithmSet,
    pub(crate) rsa: RsaLimits,
    pub(crate) backend: CryptoBackend,
    pub(crate) caching: JwksCaching,
    pub(crate) allow_http: bool,
}

/// The keys for a token, as far as they are in memory.
pub(crate) enum KeyLookup {
    /// The keys to verify with. If the `kid` is not among them, the token is rejected.
    Ready(Arc<KeySnapshot>),
    /// The keys must be fetched first.
    Fetch(Refresh),
    /// A fetch failed a moment ago.
    Failed(Unavailable),
}

/// A refresh of the keys that one request waits for.
pub(crate) struct Refresh {
    keys: Arc<RemoteKeys>,
    reason: Reason,
    /// The number of the fetch that the insufficient keys came from.
    seen: Option<u64>,
}

impl Refresh {
    /// Waits for the running fetch or for a new one, unless one has ended since. A failed fetch is an error for a token whose key
    /// is unknown. It is not an error for a signature that does not verify: that signature stays wrong.
    pub(crate) async fn run(self) -> Result<(), Unavailable> {
        let Self { keys, reason, seen } = self;
        let outcome = match keys.begin(reason, seen, span::fetch_keys) {
            Ok(Some(fetch)) => fetch.await,
            Ok(None) => Ok(()),
            Err(unavailable) => Err(unavailable),
        };
        if reason == Reason::Signature { Ok(()) } else { outcome }
    }
}

type RunningFetch = Shared<Pin<Box<dyn Future<Output = Result<(), Unavailable>> + Send>>>;

/// The keys that an issuer publishes.
pub(crate) struct RemoteKeys {
    issuer: Box<str>,
    location: KeyLocation,
    policy: KeyPolicy,
    client: Arc<dyn HttpFetch>,
    clock: Arc<dyn Clock>,
    /// The keys of the last successful fetch.
    keys: ArcSwapOption<CachedKeys>,
    fetches: Mutex<FetchState>,
}

/// The running fetch, and what earlier ones left behind.
#[derive(Default)]
struct FetchState {
    running: Option<RunningFetch>,
    /// Whether the running fetch counts against the allowance.
    counted: bool,
    /// After a failed fetch: the time until the next one.
    failed_until: Option<Deadline>,
    allowance: Allowance,
    /// The `jwks_uri` from metadata, and the end of its use.
    jwks_uri: Option<(String, Deadline)>,
    reported: ReportedKeys,
}

impl RemoteKeys {
    pub(crate) fn new(
        issuer: &str,
        location: KeyLocation,
        policy: KeyPolicy,
        client: Arc<dyn HttpFetch>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            location,
            policy,
            client,
            clock,
            keys: ArcSwapOption::empty(),
            fetches: Mutex::default(),
        }
    }

    /// Returns whether the keys in use are of this generation. Like [`lookup`](Self::lookup), this starts a refresh of keys that
    /// are no longer fresh; they are used until then, within the same limits.
    pub(super) fn is_current(self: &Arc<Self>, generation: u64, now: Moment) -> bool {
        let keys = self.keys.load();
        let Some(keys) = keys.as_ref().filter(|keys| keys.is_usable(now)) else {
            return false;
        };
        if !keys.is_fresh(now) {
            self.refresh_in_background(now);
        }
        keys.snapshot.generation == generation
    }

    /// Returns the keys in memory, or a refresh if they are too old or have no such `kid`. After a refresh for the same token
    /// (`refreshed`), an unknown `kid` causes no other one.
    pub(super) fn lookup(self: &Arc<Self>, kid: Option<&str>, refreshed: bool) -> KeyLookup {
        let now = Moment::now(&*self.clock);
        let Some(keys) = self.keys.load_full().filter(|keys| keys.is_usable(now)) else {
            return if self.failed_recently(now) {
                KeyLookup::Failed(Unavailable::Keys)
            } else {
                KeyLookup::Fetch(self.refresh(Reason::NoKeys, None))
            };
        };
        if !keys.is_fresh(now) {
            self.refresh_in_background(now);
        }
        if refreshed || kid.is_none_or(|kid| keys.snapshot.keys.has_kid(kid)) {
            return KeyLookup::Ready(Arc::clone(&keys.snapshot));
        }
        if self.failed_recently(now) {
            return KeyLookup::Failed(Unavailable::KeyRefresh);
        }
        if self.is_allowed(Reason::UnknownKey, now) {
            return KeyLookup::Fetch(self.refresh(Reason::UnknownKey, Some(keys.fetch_number)));
        }
        self.report_unknown_key(now);
        KeyLookup::Ready(Arc::clone(&keys.snapshot))
    }

    /// Returns a refresh for a signature that does not verify with the keys of this snapshot, if one is due.
    pub(super) fn refresh_after_failure(self: &Arc<Self>, snapshot: &KeySnapshot) -> Option<Refresh> {
        let now = Moment::now(&*self.clock);
        let keys = self.keys.load();
        let seen =
            keys.as_ref().filter(|keys| keys.snapshot.generation == snapshot.generation).map(|keys| keys.fetch_number);
        let due = !self.failed_recently(now) && self.is_allowed(Reason::Signature, now);
        due.then(|| self.refresh(Reason::Signature, seen))
    }

    fn refresh(self: &Arc<Self>, reason: Reason, seen: Option<u64>) -> Refresh {
        Refresh { keys: Arc::clone(self), reason, seen }
    }

    fn refresh_in_background(self: &Arc<Self>, now: Moment) {
        if !self.failed_recently(now) {
            drop(self.begin(Reason::NoKeys, None, span::fetch_keys_in_background));
        }
    }

    /// Logs an unknown `kid`, once each time the allowance is used up.
    fn report_unknown_key(&self, now: Moment) {
        let wait = self.fetches().allowance.wait_to_report(now, &self.policy.caching);
        if let Some(again_in_s) = wait {
            tracing::warn!(
                issuer = %self.issuer,
                again_in_s,
                "a token names a key that is not in the issuer's key set; the set was fetched recently and is fetched again later"
            );
        }
    }

    /// Returns the error of a failed fetch: the `kid` stays unknown, or there are no keys at all.
    fn failure(&self, now: Moment) -> Unavailable {
        let has_keys = self.keys.load().as_ref().is_some_and(|keys| keys.is_usable(now));
        if has_keys { Unavailable::KeyRefresh } else { Unavailable::Keys }
    }

    fn failed_recently(&self, now: Moment) -> bool {
        self.fetches().failed_until.is_some_and(|until| !until.has_passed(now))
    }

    fn is_allowed(&self, reason: Reason, now: Moment) -> bool {
        self.fetches().allowance.allows(reason, now, &self.policy.caching)
    }

    fn fetches(&self) -> MutexGuard<'_, FetchState> {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the running fetch or starts a new one; `None` if none is needed any more, or the allowance is used up.
    fn begin(
        self: &Arc<Self>,
        reason: Reason,
        seen: Option<u64>,
        span: fn(&str) -> Span,
    ) -> Result<Option<RunningFetch>, Unavailable> {
        let now = Moment::now(&*self.clock);
        let mut fetches = self.fetches();
        if let Some(running) = fetches.running.as_ref().filter(|running| running.peek().is_none()) {
            return Ok(Some(running.clone()));
        }
        let ended_since = self.keys.load().as_ref().is_some_and(|keys| match reason {
            Reason::NoKeys => keys.is_fresh(now),
            Reason::UnknownKey | Reason::Signature => seen != Some(keys.fetch_number),
        });
        if ended_since {
            return Ok(None);
        }
        if fetches.failed_until.is_some_and(|until| !until.has_passed(now)) {
            drop(fetches);
            return Err(self.failure(now));
        }
        if !fetches.allowance.allows(reason, now, &self.policy.caching) {
            return Ok(None);
        }
        let Ok(runtime) = Handle::try_current() else {
            tracing::error!("keys can only be fetched within a tokio runtime");
            return Err(Unavailable::Keys);
        };
        fetches.allowance.take(reason, now, &self.policy.caching);
        fetches.counted = reason != Reason::NoKeys;
        let keys = Arc::clone(self);
        // A separate task, so that the fetch goes on if the request is cancelled.
        let span = span(&self.issuer);
        let task = runtime.spawn(async move { keys.fetch_and_store().await }.instrument(span));
        let fetch = async move { task.await.unwrap_or(Err(Unavailable::Keys)) }.boxed().shared();
        fetches.running = Some(fetch.clone());
        Ok(Some(fetch))
    }

    async fn fetch_and_store(&self) -> Result<(), Unavailable> {
        let mut end = EndOfFetch { keys: self, succeeded: false };
        let fetched = self.fetch_keys().await;
        meter::key_fetch(&self.issuer, fetched.is_ok(), self.clock.now());
        match fetched {
            Ok((keys, response, sent)) => {
                self.store(keys, response, sent);
                end.succeeded = true;
                Ok(())
            }
            // It is logged.
            Err(error) => {
                span::failed(&Span::current(), error.kind());
                Err(self.failure(Moment::now(&*self.clock)))
            }
        }
    }

    /// Returns the keys, their response, and the time before the request was sent.
    async fn fetch_keys(&self) -> Result<(JwkSet, FetchResponse, Moment), FetchError> {
        let uri = self.jwks_uri().await?;
        let url = without_query(&uri).to_owned();
        let sent = Moment::now(&*self.clock);
        let response = discovery::get(&*self.client, uri, &self.policy.caching).await.inspect_err(|error| {
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
        let is_new = self.fetches().reported.insert(key);
        if is_new {
            report_skipped(&self.issuer, key);
        }
    }

    async fn jwks_uri(&self) -> Result<String, FetchError> {
        if let KeyLocation::Uri(uri) = &self.location {
            return Ok(uri.clone());
        }
        let now = Moment::now(&*self.clock);
        let known = self.fetches().jwks_uri.clone();
        if let Some((uri, _)) = known.filter(|(_, until)| !until.has_passed(now)) {
            return Ok(uri);
        }
        let KeyPolicy { caching, allow_http, .. } = &self.policy;
        let uri = discovery::find_jwks_uri(&self.issuer, &*self.client, caching, *allow_http).await?;
        self.fetches().jwks_uri = Some((uri.clone(), Deadline::after(now, REDISCOVER_AFTER)));
        Ok(uri)
    }

    fn store(&self, keys: JwkSet, response: FetchResponse, sent: Moment) {
        let now = Moment::now(&*self.clock);
        let previous = self.keys.load_full();
        let keys = CachedKeys::new(keys, response, sent, now, previous.as_deref(), &self.policy.caching);
        self.keys.store(Some(Arc::new(keys)));
    }
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
        let mut fetches = self.keys.fetches();
        fetches.running = None;
        fetches.failed_until = (!self.succeeded).then(|| Deadline::after(now, caching.retry_after));
        let counted = std::mem::take(&mut fetches.counted);
        if !self.succeeded {
            fetches.jwks_uri = None;
            if counted {
                // The fetch gave no keys. `retry_after` limits the next one.
                fetches.allowance.put_back(caching);
            }
        }
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
