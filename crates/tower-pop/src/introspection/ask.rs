//! Requests to the introspection endpoint.
//!
//! 1. One request per token at a time, however many requests of clients wait for it; it goes on when they are cancelled.
//! 2. Tokens, and clients, that were active a moment ago have a lane of their own: permits, waiting places and a circuit
//!    breaker that no made-up token can take. See [`Lanes`].
//! 3. Only what says that the server itself is in trouble counts towards the circuit. A complete answer that cannot be used
//!    says something of one token.
//! 4. An answer for an active token is kept until the end of the configured time or of the token, whichever comes first. That a
//!    token is not active, or that an answer about it cannot be used, is kept briefly.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use moka::sync::Cache;
use pop_core::access_token::Expectations;
use pop_core::claims::AccessToken;
use pop_core::introspection::{self, IntrospectionExpectations, JWT_TYPE, SignedIntrospection};
use pop_core::jose::DecodedJws;
use pop_core::policy::{TokenAllowances, TokenPolicy};
use pop_core::proof::dpop::AccessTokenHash;
use pop_core::{Error, TokenError, Unavailable};

use super::Introspection;
use super::lane::{Answer, Lanes, OpenRequests, Pending};
use super::standing::{Prover, Standing, Standings};
use crate::clock::{Clock, Deadline, Moment};
use crate::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch, IssuerKeys, KeyLookup, exchange, without_query};
use crate::telemetry::LogLimit;
use crate::token_cache::{CachedToken, TokenCache};

/// Refused tokens that are remembered.
const REFUSED: u64 = 10_000;

/// Everything an introspector is made of.
pub(crate) struct IntrospectorParts {
    pub(crate) issuer: Box<str>,
    /// The place of the issuer in the configuration.
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

/// Asks one issuer about tokens.
pub(crate) struct Introspector {
    parts: IntrospectorParts,
    lanes: Lanes,
    open: Mutex<OpenRequests>,
    standings: Standings,
    warnings: Warnings,
    refused: Cache<AccessTokenHash, (Deadline, Error)>,
}

/// One limit for each kind of warning, so that none hides another.
struct Warnings {
    crowded: LogLimit,
    trouble: LogLimit,
    rejected: LogLimit,
    unusable: LogLimit,
}

impl Warnings {
    const fn new() -> Self {
        let [crowded, trouble, rejected, unusable] = [const { LogLimit::new() }; 4];
        Self { crowded, trouble, rejected, unusable }
    }
}

/// What can be said of a token that is not in the token cache without asking.
pub(crate) enum Lookup {
    /// It was refused a moment ago.
    Refused(Error),
    /// The server must be asked.
    Ask,
}

impl Introspector {
    pub(crate) fn new(parts: IntrospectorParts) -> Self {
        Self {
            lanes: Lanes::new(parts.config.max_concurrent, &parts.clock),
            open: Mutex::default(),
            standings: Standings::new(),
            warnings: Warnings::new(),
            refused: Cache::builder()
                .max_capacity(REFUSED)
                .time_to_live(parts.config.cache_inactive_for.max(Duration::from_secs(1)))
                .build(),
            parts,
        }
    }

    /// Whether a compact JWS is verified locally.
    pub(crate) const fn jwt_first(&self) -> bool {
        self.parts.config.jwt_first
    }

    pub(crate) fn lookup(&self, hash: &AccessTokenHash) -> Lookup {
        match self.refused.get(hash) {
            Some((until, error)) if !until.has_passed(Moment::now(&*self.parts.clock)) => Lookup::Refused(error),
            _ => Lookup::Ask,
        }
    }

    /// Asks, or waits for the request about this token that is under way. `prover` is what the client has proven to hold
    /// before the token is known; it must be verified.
    pub(crate) async fn ask(self: &Arc<Self>, token: &str, hash: AccessTokenHash, prover: Option<Prover>) -> Answer {
        let pending = self.start(token, hash, prover);
        pending.await
    }

    fn start(self: &Arc<Self>, token: &str, hash: AccessTokenHash, prover: Option<Prover>) -> Pending {
        let mut open = self.open();
        if let Some(pending) = open.get(&hash) {
            return pending;
        }
        let unavailable = || Error::from(Unavailable::Introspection);
        let refused = || std::future::ready(Err(unavailable())).boxed().shared();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::error!("tokens can only be introspected within a tokio runtime");
            return refused();
        };
        let permits = self.parts.config.max_concurrent;
        let standing = open.standing(self.standings.of(&hash, prover), permits);
        let lane = standing.lane();
        if self.lanes.are_closed_to(standing) {
            return refused();
        }
        if open.is_full(lane, permits) {
            self.warn(&self.warnings.crowded, |issuer, times| {
                tracing::warn!(%issuer, ?lane, times, "too many tokens wait to be introspected");
            });
            return refused();
        }
        let introspector = Arc::clone(self);
        let token = token.to_owned();
        // A task of its own, so that the answer is not lost with the request that asked first.
        let task = runtime.spawn(async move {
            let _end = EndOfRequest { introspector: &introspector, hash };
            introspector.answer(&token, hash, standing).await
        });
        let pending = async move { task.await.unwrap_or_else(|_| Err(unavailable())) }.boxed().shared();
        open.insert(hash, pending.clone(), standing);
        pending
    }

    async fn answer(&self, token: &str, hash: AccessTokenHash, standing: Standing) -> Answer {
        let answer = match self.answer_in_turn(token, standing).await {
            Ok(ActiveToken { token, asked_at, age }) => {
                self.lanes.server_is_there();
                self.standings.active(hash, &token);
                self.remember(Arc::clone(&token), hash, (asked_at, age));
                return Ok(token);
            }
            Err(failure) => failure,
        };
        let inactive = matches!(answer.error, Error::Token(TokenError::Inactive));
        if inactive || (answer.subject != Subject::Neither && standing != Standing::Token) {
            self.standings.inactive(&hash, standing);
        }
        if answer.is_about_the_token() {
            let until = Deadline::after(Moment::now(&*self.parts.clock), self.parts.config.cache_inactive_for);
            self.refused.insert(hash, (until, answer.error.clone()));
        }
        Err(answer.error)
    }

    /// The answer once it is this token's turn. Waiting for that and the exchange may each take the configured time.
    async fn answer_in_turn(&self, token: &str, standing: Standing) -> Result<ActiveToken, Failure> {
        let timeout = self.parts.config.timeout;
        let turn = tokio::time::timeout(timeout, self.lanes.get(standing.lane()).permits.acquire()).await;
        let Ok(Ok(_permit)) = turn else {
            self.warn(&self.warnings.crowded, |issuer, times| {
                tracing::warn!(%issuer, times, "a token waited too long to be introspected");
            });
            return Err(Failure::not_asked());
        };
        let attempt = self.lanes.attempt(standing).ok_or_else(Failure::not_asked)?;
        let answer = match tokio::time::timeout(timeout, self.exchange(token)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.failed(&FetchError::Timeout)),
        };
        let in_trouble = answer.as_ref().is_err_and(|failure| failure.subject == Subject::Server);
        if !in_trouble {
            attempt.succeeded();
        }
        answer
    }

    fn remember(&self, token: Arc<AccessToken>, hash: AccessTokenHash, (asked_at, age): (Moment, Duration)) {
        let cache_for = self.parts.config.cache_for.saturating_sub(age);
        if !cache_for.is_zero() {
            // The end of the token itself is looked at on every use.
            let until = Deadline::after(asked_at, cache_for);
            let cached = CachedToken { token, issuer: self.parts.number, generation: None, until };
            self.parts.tokens.insert(hash, cached);
        }
    }

    async fn exchange(&self, token: &str) -> Result<ActiveToken, Failure> {
        let parts = &self.parts;
        let asked_at = Moment::now(&*parts.clock);
        let now = asked_at.seconds();
        let Some(authenticated) = parts.config.authentication.question(token, &parts.issuer, now) else {
            tracing::error!(issuer = %parts.issuer, "no client assertion could be made for the introspection endpoint");
            return Err(Failure::not_asked());
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
            crate::telemetry::signed_by_issuer(&parts.issuer, &error);
            match error {
                Error::Unavailable(_) => {
                    self.failed(&FetchError::Document("not an introspection response within the limits"))
                }
                error => Failure { error, subject: Subject::Token },
            }
        })?;
        Ok(ActiveToken { token: Arc::new(token), asked_at, age })
    }

    /// The JSON of a response: as it is, or out of a JWT whose signature holds.
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
        // Keys may be cold, and then expire while they are waited for.
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

    /// Who may be meant by `aud` of a signed response (RFC 9701 §5).
    fn recipients(&self) -> impl Iterator<Item = &str> {
        let audiences = self.parts.audiences.iter().map(AsRef::as_ref);
        self.parts.config.authentication.client_id().into_iter().chain(audiences)
    }

    /// Logs an exchange without a usable answer, and says whose failure it is.
    fn failed(&self, error: &FetchError) -> Failure {
        let url = without_query(&self.parts.config.endpoint);
        let subject = match error {
            FetchError::Connection
            | FetchError::NotConnected(_)
            | FetchError::Timeout
            | FetchError::Url
            | FetchError::Status(429 | 500..=599) => {
                self.warn(&self.warnings.trouble, |issuer, times| {
                    tracing::warn!(%issuer, %url, %error, times, "the introspection endpoint is in trouble");
                });
                Subject::Server
            }
            // At most ten in a row, and one for each probe: the circuit sees to that.
            FetchError::ClientRefused(_) => {
                let issuer = &self.parts.issuer;
                tracing::error!(%issuer, %url, %error, "the introspection endpoint rejects our own credentials");
                Subject::Server
            }
            // RFC 7662 §2.3 gives 401 to credentials alone, but some servers use it for tokens that they don't know.
            FetchError::Status(401 | 403) => {
                self.warn(&self.warnings.rejected, |issuer, times| {
                    tracing::warn!(
                        %issuer, %url, %error, times,
                        "the introspection endpoint rejects this token, or our own credentials"
                    );
                });
                Subject::Token
            }
            FetchError::Status(_) | FetchError::TooLong | FetchError::Document(_) => {
                self.warn(&self.warnings.unusable, |issuer, times| {
                    tracing::warn!(%issuer, %url, %error, times, "no usable introspection response about a token");
                });
                Subject::Token
            }
        };
        Failure { error: Unavailable::Introspection.into(), subject }
    }

    /// Writes a warning at most once a second, with the number of times that there was one since the last.
    fn warn(&self, limit: &LogLimit, write: impl FnOnce(&str, u64)) {
        if let Some(times) = limit.count() {
            write(&self.parts.issuer, times);
        }
    }

    fn open(&self) -> MutexGuard<'_, OpenRequests> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that lets the token pass.
struct ActiveToken {
    token: Arc<AccessToken>,
    /// When the request was sent: the answer may be as old.
    asked_at: Moment,
    /// How long a cache on the way had it before (RFC 9111 §5.1).
    age: Duration,
}

/// What a failed request says something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// The server: it could not be asked, or does not want to be asked. Counts towards the circuit.
    Server,
    /// The one token.
    Token,
    /// Neither: the request was not sent, or the answer could not be verified for want of keys.
    Neither,
}

/// No answer that lets the token pass.
struct Failure {
    error: Error,
    subject: Subject,
}

impl Failure {
    fn not_asked() -> Self {
        Self { error: Unavailable::Introspection.into(), subject: Subject::Neither }
    }

    fn without_keys(unavailable: Unavailable) -> Self {
        Self { error: unavailable.into(), subject: Subject::Neither }
    }

    /// Whether the same answer is to be expected in a moment: the token is not active, or the server answers a request about it
    /// with something that cannot be used. What an answer says that this resource does not accept may change with the next.
    const fn is_about_the_token(&self) -> bool {
        matches!(self.subject, Subject::Token)
            && matches!(self.error, Error::Unavailable(_) | Error::Token(TokenError::Inactive))
    }
}

/// Ends a request however it ends, a panic included.
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
