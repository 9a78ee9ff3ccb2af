//! The client of an introspection endpoint.
//!
//! 1. There is one request for a token at a time, however many requests wait for it. It goes on if they are cancelled.
//! 2. Tokens and keys that were active a moment ago have their own lane, which made-up tokens cannot block. See [`Lanes`].
//! 3. Only failures of the server itself count for the circuit breaker. An unusable response is a failure of one token.
//! 4. The response for an active token is cached for the configured time, at most until `exp`. A response that is inactive or
//!    unusable is cached briefly.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use moka::sync::Cache;
use pop_core::access_token::introspection::{self, IntrospectionExpectations, JWT_TYPE, SignedIntrospection};
use pop_core::access_token::{AccessToken, AccessTokenHash, Expectations};
use pop_core::confirmation::Requirement;
use pop_core::jose::DecodedJws;
use pop_core::policy::{TokenAllowances, TokenPolicy};
use pop_core::{Error, TokenError, Unavailable};

use super::Introspection;
use super::lane::{Answer, Lanes, OpenRequests, Pending};
use super::priority::{Priorities, Priority};
use crate::clock::{Clock, Deadline, Moment};
use crate::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch, IssuerKeys, KeyLookup, exchange, without_query};
use crate::log_limit::LogLimit;
use crate::token_source::cache::{CachedToken, TokenCache};
use crate::token_source::report;

/// The number of rejected tokens that are remembered.
const REJECTED: u64 = 10_000;

/// Everything that an introspector consists of.
pub(crate) struct IntrospectorParts {
    pub(crate) issuer: Box<str>,
    /// The index of the issuer in the configuration.
    pub(crate) number: usize,
    pub(crate) config: Introspection,
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) allowances: TokenAllowances,
    pub(crate) policy: TokenPolicy,
    pub(crate) keys: IssuerKeys,
    pub(crate) fetch: Arc<dyn HttpFetch>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: TokenCache,
}

/// Introspects tokens at one issuer.
pub(crate) struct Introspector {
    parts: IntrospectorParts,
    lanes: Lanes,
    open: Mutex<OpenRequests>,
    priorities: Priorities,
    warnings: Warnings,
    rejected: Cache<AccessTokenHash, (Deadline, Error)>,
}

/// One limit for each kind of warning, so that one does not hide another.
struct Warnings {
    queue_full: LogLimit,
    server_failure: LogLimit,
    credentials_rejected: LogLimit,
    unusable_response: LogLimit,
}

impl Warnings {
    const fn new() -> Self {
        let [queue_full, server_failure, credentials_rejected, unusable_response] = [const { LogLimit::new() }; 4];
        Self { queue_full, server_failure, credentials_rejected, unusable_response }
    }
}

impl Introspector {
    pub(crate) fn new(parts: IntrospectorParts) -> Self {
        Self {
            lanes: Lanes::new(parts.config.max_concurrent, &parts.clock),
            open: Mutex::default(),
            priorities: Priorities::new(),
            warnings: Warnings::new(),
            rejected: Cache::builder()
                .max_capacity(REJECTED)
                .time_to_live(parts.config.cache_inactive_for.max(Duration::from_secs(1)))
                .build(),
            parts,
        }
    }

    /// Returns whether a compact JWS is verified locally.
    pub(crate) const fn jwt_first(&self) -> bool {
        self.parts.config.jwt_first
    }

    /// Returns the error of a token that was rejected a moment ago.
    pub(crate) fn known_rejection(&self, hash: &AccessTokenHash) -> Result<(), Error> {
        match self.rejected.get(hash) {
            Some((until, error)) if !until.has_passed(Moment::now(&*self.parts.clock)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Introspects a token, or waits for the pending request for it. `proven` is the key or certificate that the client has
    /// proven to hold.
    pub(crate) async fn introspect(
        self: &Arc<Self>,
        token: &str,
        hash: AccessTokenHash,
        proven: Option<Requirement>,
    ) -> Answer {
        let pending = self.start(token, hash, proven);
        pending.await
    }

    fn start(self: &Arc<Self>, token: &str, hash: AccessTokenHash, proven: Option<Requirement>) -> Pending {
        let mut open = self.open();
        if let Some(pending) = open.get(&hash) {
            return pending;
        }
        let unavailable = || Error::from(Unavailable::Introspection);
        let rejected = || std::future::ready(Err(unavailable())).boxed().shared();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::error!("tokens can only be introspected within a tokio runtime");
            return rejected();
        };
        let permits = self.parts.config.max_concurrent;
        let priority = open.priority(self.priorities.of(&hash, proven), permits);
        let lane = priority.lane();
        if self.lanes.are_closed_to(priority) {
            return rejected();
        }
        if open.is_full(lane, permits) {
            self.warn(&self.warnings.queue_full, |issuer, times| {
                tracing::warn!(%issuer, ?lane, times, "too many tokens wait to be introspected");
            });
            return rejected();
        }
        let introspector = Arc::clone(self);
        let token = token.to_owned();
        // A separate task, so that the response is not lost if the first request is cancelled.
        let task = runtime.spawn(async move {
            let _end = EndOfRequest { introspector: &introspector, hash };
            introspector.answer(&token, hash, priority).await
        });
        let pending = async move { task.await.unwrap_or_else(|_| Err(unavailable())) }.boxed().shared();
        open.insert(hash, pending.clone(), priority);
        pending
    }

    async fn answer(&self, token: &str, hash: AccessTokenHash, priority: Priority) -> Answer {
        let failure = match self.exchange_in_turn(token, priority).await {
            Ok(ActiveToken { token, sent_at, age }) => {
                self.lanes.server_works();
                self.priorities.active(hash, &token);
                self.remember(Arc::clone(&token), hash, (sent_at, age));
                return Ok(token);
            }
            Err(failure) => failure,
        };
        let inactive = matches!(failure.error, Error::Token(TokenError::Inactive));
        if inactive || (failure.cause != Cause::Neither && priority != Priority::KnownToken) {
            self.priorities.inactive(&hash, priority);
        }
        if failure.may_be_cached() {
            let until = Deadline::after(Moment::now(&*self.parts.clock), self.parts.config.cache_inactive_for);
            self.rejected.insert(hash, (until, failure.error.clone()));
        }
        Err(failure.error)
    }

    /// Waits for a permit and exchanges request and response. Each of the two may take the configured time.
    async fn exchange_in_turn(&self, token: &str, priority: Priority) -> Result<ActiveToken, Failure> {
        let timeout = self.parts.config.timeout;
        let turn = tokio::time::timeout(timeout, self.lanes.get(priority.lane()).permits.acquire()).await;
        let Ok(Ok(_permit)) = turn else {
            self.warn(&self.warnings.queue_full, |issuer, times| {
                tracing::warn!(%issuer, times, "a token waited too long to be introspected");
            });
            return Err(Failure::not_sent());
        };
        let attempt = self.lanes.attempt(priority).ok_or_else(Failure::not_sent)?;
        let answer = match tokio::time::timeout(timeout, self.exchange(token)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.failed(&FetchError::Timeout)),
        };
        let server_failed = answer.as_ref().is_err_and(|failure| failure.cause == Cause::Server);
        if !server_failed {
            attempt.succeeded();
        }
        answer
    }

    fn remember(&self, token: Arc<AccessToken>, hash: AccessTokenHash, (sent_at, age): (Moment, Duration)) {
        let cache_for = self.parts.config.cache_for.saturating_sub(age);
        if !cache_for.is_zero() {
            // `exp` is checked on every use.
            let until = Deadline::after(sent_at, cache_for);
            let cached = CachedToken { token, issuer: self.parts.number, generation: None, until };
            self.parts.tokens.insert(hash, cached);
        }
    }

    async fn exchange(&self, token: &str) -> Result<ActiveToken, Failure> {
        let parts = &self.parts;
        let sent_at = Moment::now(&*parts.clock);
        let now = sent_at.seconds();
        let Some(authenticated) = parts.config.authentication.request(token, &parts.issuer, now) else {
            tracing::error!(issuer = %parts.issuer, "no client assertion could be made for the introspection endpoint");
            return Err(Failure::not_sent());
        };
        let request = FetchRequest {
            url: parts.config.endpoint.clone(),
            accept: if parts.config.signed { "application/token-introspection+jwt" } else { "application/json" },
            authorization: authenticated.authorization,
            form: Some(authenticated.form),
            max_len: parts.config.max_len,
            timeout: parts.config.timeout,
        };
        let response = exchange(&*parts.fetch, request).await.map_err(|error| self.failed(&error))?;
        let age = response.age.unwrap_or_default();
        let body = self.body(response).await?;
        let expected = IntrospectionExpectations {
            issuer: &parts.issuer,
            token: Expectations { audiences: &parts.audiences, allowances: parts.allowances, policy: &parts.policy },
            cache_for: parts.config.cache_for.saturating_sub(age),
        };
        let token = introspection::read(&body, &expected, now).map_err(|error| {
            report::issuer_error(&parts.issuer, &error);
            match error {
                Error::Unavailable(_) => {
                    self.failed(&FetchError::Document("not an introspection response within the limits"))
                }
                error => Failure { error, cause: Cause::Token },
            }
        })?;
        Ok(ActiveToken { token: Arc::new(token), sent_at, age })
    }

    /// Returns the JSON of a response, taken out of a verified JWT if responses must be signed.
    async fn body(&self, response: FetchResponse) -> Result<Bytes, Failure> {
        let content_type = response.content_type.as_deref().unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is = |expected: &str| media_type.eq_ignore_ascii_case(expected);
        let unusable = |reason| self.failed(&FetchError::Document(reason));
        if !self.parts.config.signed {
            return if is("application/json") { Ok(response.body) } else { Err(unusable("not application/json")) };
        }
        if !media_type.strip_prefix("application/").is_some_and(|rest| rest.eq_ignore_ascii_case(JWT_TYPE)) {
            return Err(unusable("not a signed response"));
        }
        let text = std::str::from_utf8(&response.body).map_err(|_| unusable("not a compact JWS"))?;
        let jws = DecodedJws::parse(text.trim_ascii_end(), self.parts.config.max_len);
        let jws = jws.map_err(|_| unusable("not a compact JWS"))?;
        let signed =
            SignedIntrospection::parse(&jws, &self.parts.policy).map_err(|_| unusable("a JWS of another type"))?;
        let kid = signed.key_id().map_err(|_| unusable("a kid that is not a string"))?;
        // The keys may have to be fetched, and may expire in the meantime.
        let mut refreshed = false;
        for _ in 0..3 {
            match self.parts.keys.lookup(kid, refreshed) {
                KeyLookup::Ready(snapshot) => {
                    let recipients: Vec<&str> = self.recipients().collect();
                    let (leeway, now) = (self.parts.policy.leeway, self.parts.clock.now());
                    let body = signed.verify(&snapshot.keys, &self.parts.issuer, &recipients, leeway, now);
                    if body.is_err()
                        && !refreshed
                        && let Some(refresh) = self.parts.keys.refresh_after_failure(&snapshot)
                    {
                        refresh.run().await.map_err(Failure::without_keys)?;
                        refreshed = true;
                        continue;
                    }
                    return body.map(Bytes::from).map_err(|_| unusable("the signed response does not hold"));
                }
                KeyLookup::Fetch(refresh) => {
                    refresh.run().await.map_err(Failure::without_keys)?;
                    refreshed = true;
                }
                KeyLookup::Failed(unavailable) => return Err(Failure::without_keys(unavailable)),
            }
        }
        Err(Failure::without_keys(Unavailable::Keys))
    }

    /// Returns the accepted values of `aud` in a signed response (RFC 9701 §5).
    fn recipients(&self) -> impl Iterator<Item = &str> {
        let audiences = self.parts.audiences.iter().map(AsRef::as_ref);
        self.parts.config.authentication.client_id().into_iter().chain(audiences)
    }

    /// Logs an exchange without a usable response, and returns its cause.
    fn failed(&self, error: &FetchError) -> Failure {
        let url = without_query(&self.parts.config.endpoint);
        let cause = match error {
            FetchError::Connection
            | FetchError::NotConnected(_)
            | FetchError::Timeout
            | FetchError::Url
            | FetchError::Status(429 | 500..=599) => {
                self.warn(&self.warnings.server_failure, |issuer, times| {
                    tracing::warn!(%issuer, %url, %error, times, "the introspection endpoint is in trouble");
                });
                Cause::Server
            }
            // The circuit breaker limits these to ten in a row, and then one for each probe.
            FetchError::ClientRefused(_) => {
                let issuer = &self.parts.issuer;
                tracing::error!(%issuer, %url, %error, "the introspection endpoint rejects our own credentials");
                Cause::Server
            }
            // RFC 7662 §2.3 has 401 for wrong client credentials only, but some servers send it for unknown tokens.
            FetchError::Status(401 | 403) => {
                self.warn(&self.warnings.credentials_rejected, |issuer, times| {
                    tracing::warn!(
                        %issuer, %url, %error, times,
                        "the introspection endpoint rejects this token, or our own credentials"
                    );
                });
                Cause::Token
            }
            FetchError::Status(_) | FetchError::TooLong | FetchError::Document(_) => {
                self.warn(&self.warnings.unusable_response, |issuer, times| {
                    tracing::warn!(%issuer, %url, %error, times, "no usable introspection response about a token");
                });
                Cause::Token
            }
        };
        Failure { error: Unavailable::Introspection.into(), cause }
    }

    /// Writes a warning at most once a second, with the number of causes since the last one.
    fn warn(&self, limit: &LogLimit, write: impl FnOnce(&str, u64)) {
        if let Some(times) = limit.count() {
            write(&self.parts.issuer, times);
        }
    }

    fn open(&self) -> MutexGuard<'_, OpenRequests> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An active token.
struct ActiveToken {
    token: Arc<AccessToken>,
    /// When the request was sent. The response may be as old as that.
    sent_at: Moment,
    /// The `Age` of the response (RFC 9111 §5.1).
    age: Duration,
}

/// The cause of a failed introspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The server does not respond, or rejects this client. Counts for the circuit breaker.
    Server,
    /// The token.
    Token,
    /// Neither: the request was not sent, or there were no keys to verify the response with.
    Neither,
}

/// A failed introspection.
struct Failure {
    error: Error,
    cause: Cause,
}

impl Failure {
    fn not_sent() -> Self {
        Self { error: Unavailable::Introspection.into(), cause: Cause::Neither }
    }

    fn without_keys(unavailable: Unavailable) -> Self {
        Self { error: unavailable.into(), cause: Cause::Neither }
    }

    /// Returns whether the failure may be cached: the token is not active, or the response is unusable. An active token that this
    /// resource rejects is not cached, because the next response may be different.
    const fn may_be_cached(&self) -> bool {
        matches!(self.cause, Cause::Token)
            && matches!(self.error, Error::Unavailable(_) | Error::Token(TokenError::Inactive))
    }
}

/// Removes the request when it ends in any way, including a panic.
struct EndOfRequest<'i> {
    introspector: &'i Introspector,
    hash: AccessTokenHash,
}

impl Drop for EndOfRequest<'_> {
    fn drop(&mut self) {
        self.introspector.open().remove(&self.hash);
    }
}

impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.config.fmt(f)
    }
}
