//! Questions to the introspection endpoint.
//!
//! 1. One question per token at a time, however many requests wait for it; it goes on when they are cancelled.
//! 2. No more than a configured number of questions at a time, and a few times as many that wait; none while the circuit
//!    breaker is open. Time spent waiting is not held against the server.
//! 3. An answer is remembered only when it is one: for a token that is active until the end of the configured time or of
//!    the token, whichever comes first; for one that is not, briefly. What else is wrong with an answer may be right in the
//!    next one.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::Shared;
use moka::sync::Cache;
use pop_core::access_token::Expectations;
use pop_core::claims::AccessToken;
use pop_core::introspection::{self, IntrospectionExpectations, JWT_TYPE, SignedIntrospection};
use pop_core::jose::DecodedJws;
use pop_core::policy::{TokenAllowances, TokenPolicy};
use pop_core::proof::dpop::AccessTokenHash;
use pop_core::{Error, TokenError, Unavailable};
use tokio::sync::Semaphore;

use super::Introspection;
use super::breaker::Breaker;
use crate::clock::{Clock, Deadline, Moment};
use crate::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch, IssuerKeys, KeyLookup, exchange, without_query};
use crate::token_cache::{CachedToken, TokenCache};

/// Refused tokens that are remembered.
const REFUSED: u64 = 10_000;
/// For each question that may be open, this many tokens may wait.
const WAITING: usize = 4;

type Answer = Result<Arc<AccessToken>, Error>;
type Asking = Shared<Pin<Box<dyn Future<Output = Answer> + Send>>>;

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
    breaker: Breaker,
    permits: Semaphore,
    asking: Mutex<HashMap<AccessTokenHash, Asking>>,
    refused: Cache<AccessTokenHash, (Duration, Error)>,
}

/// What can be said of a token that is not in the token cache without asking.
pub(crate) enum Lookup {
    /// It was refused a moment ago, or there is nobody to ask.
    Refused(Error),
    /// The server must be asked.
    Ask,
}

impl Introspector {
    pub(crate) fn new(parts: IntrospectorParts) -> Self {
        Self {
            breaker: Breaker::new(Arc::clone(&parts.clock)),
            permits: Semaphore::new(parts.config.max_concurrent),
            asking: Mutex::default(),
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
        let now = self.parts.clock.monotonic();
        if let Some((_, error)) = self.refused.get(hash).filter(|(until, _)| now < *until) {
            return Lookup::Refused(error);
        }
        if self.breaker.is_open() {
            return Lookup::Refused(Unavailable::Introspection.into());
        }
        Lookup::Ask
    }

    /// Asks, or waits for whoever is asking about this token already.
    pub(crate) async fn ask(self: &Arc<Self>, token: &str, hash: AccessTokenHash) -> Answer {
        let asking = self.start(token, hash);
        asking.await
    }

    fn start(self: &Arc<Self>, token: &str, hash: AccessTokenHash) -> Asking {
        let mut asking = self.asking();
        if let Some(running) = asking.get(&hash).filter(|running| running.peek().is_none()) {
            return running.clone();
        }
        let unavailable = || Error::from(Unavailable::Introspection);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::error!("tokens can only be introspected within a tokio runtime");
            return std::future::ready(Err(unavailable())).boxed().shared();
        };
        if asking.len() >= self.parts.config.max_concurrent.saturating_mul(1 + WAITING) {
            tracing::warn!(issuer = %self.parts.issuer, "too many tokens wait to be introspected");
            return std::future::ready(Err(unavailable())).boxed().shared();
        }
        let introspector = Arc::clone(self);
        let token = token.to_owned();
        // A task of its own, so that the answer is not lost with the request that asked first.
        let task = runtime.spawn(async move {
            let _landing = Landing { introspector: &introspector, hash };
            introspector.answer(&token, hash).await
        });
        let running = async move { task.await.unwrap_or_else(|_| Err(unavailable())) }.boxed().shared();
        asking.insert(hash, running.clone());
        running
    }

    async fn answer(&self, token: &str, hash: AccessTokenHash) -> Answer {
        let answer = self.answer_in_turn(token).await;
        let now = self.parts.clock.monotonic();
        match &answer {
            Ok(token) => self.remember(Arc::clone(token), hash, Moment::now(&*self.parts.clock)),
            Err(Error::Unavailable(_)) => tracing::warn!(issuer = %self.parts.issuer, "introspection failed"),
            Err(error @ Error::Token(TokenError::Inactive)) => {
                let until = now.saturating_add(self.parts.config.cache_inactive_for);
                self.refused.insert(hash, (until, error.clone()));
            }
            Err(_) => {}
        }
        answer
    }

    /// The answer once it is this token's turn. Waiting for that and the exchange may each take the configured time.
    async fn answer_in_turn(&self, token: &str) -> Answer {
        let timeout = self.parts.config.timeout;
        let turn = tokio::time::timeout(timeout, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = turn else {
            return Err(Unavailable::Introspection.into());
        };
        let attempt = self.breaker.attempt().ok_or(Unavailable::Introspection)?;
        let exchange = tokio::time::timeout(timeout, self.exchange(token)).await;
        let (answer, alive) = match exchange {
            Ok(Ok(answer)) => (Ok(answer), true),
            Ok(Err(failure)) => (Err(failure.error), failure.alive),
            Err(_) => (Err(Unavailable::Introspection.into()), false),
        };
        if alive {
            attempt.succeeded();
        }
        answer
    }

    fn remember(&self, token: Arc<AccessToken>, hash: AccessTokenHash, now: Moment) {
        let cache_for = self.parts.config.cache_for;
        if !cache_for.is_zero() {
            // The end of the token itself is looked at on every use.
            let until = Deadline::after(now, cache_for);
            let cached = CachedToken { token, issuer: self.parts.number, generation: None, until };
            self.parts.tokens.insert(hash, cached);
        }
    }

    async fn exchange(&self, token: &str) -> Result<Arc<AccessToken>, Failure> {
        let parts = &self.parts;
        let now = parts.clock.now();
        let question = parts.config.authentication.question(token, &parts.issuer, now);
        let question = question.ok_or(Unavailable::Introspection)?;
        let request = FetchRequest {
            url: parts.config.endpoint.clone(),
            accept: if parts.config.signed { "application/token-introspection+jwt" } else { "application/json" },
            authorization: question.authorization,
            form: Some(question.form),
            max_len: parts.config.max_len,
            timeout: parts.config.timeout,
        };
        let response = exchange(&*parts.fetch, request)
            .await
            .map_err(|error| Failure { alive: is_about_one_token(&error), error: self.failed(&error) })?;
        let body = self.body(response).await?;
        let expected = IntrospectionExpectations {
            issuer: &parts.issuer,
            token: Expectations { audiences: &parts.audiences, allowances: parts.allowances, policy: &parts.policy },
            cache_for: parts.config.cache_for,
        };
        introspection::read(&body, &expected, parts.clock.now()).map(Arc::new).map_err(Failure::from)
    }

    /// The JSON of a response: as it is, or out of a JWT whose signature holds.
    async fn body(&self, response: FetchResponse) -> Result<Bytes, Error> {
        let content_type = response.content_type.as_deref().unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is = |expected: &str| media_type.eq_ignore_ascii_case(expected);
        if !self.parts.config.signed {
            return if is("application/json") {
                Ok(response.body)
            } else {
                Err(self.failed(&FetchError::Document("not application/json")))
            };
        }
        if !media_type.strip_prefix("application/").is_some_and(|rest| rest.eq_ignore_ascii_case(JWT_TYPE)) {
            return Err(self.failed(&FetchError::Document("not a signed response")));
        }
        let text = std::str::from_utf8(&response.body).map_err(|_| Unavailable::Introspection)?;
        let jws = DecodedJws::parse(text.trim_ascii_end(), self.parts.config.max_len);
        let jws = jws.map_err(|_| self.failed(&FetchError::Document("not a compact JWS")))?;
        let signed = SignedIntrospection::parse(&jws, &self.parts.policy)?;
        // Keys may be cold, and then expire while they are waited for.
        let mut refreshed = false;
        for _ in 0..3 {
            match self.parts.keys.lookup(signed.key_id()?, refreshed) {
                KeyLookup::Ready(snapshot) => {
                    let recipients: Vec<&str> = self.recipients().collect();
                    let (leeway, now) = (self.parts.policy.leeway, self.parts.clock.now());
                    let body = signed.verify(&snapshot.keys, &self.parts.issuer, &recipients, leeway, now);
                    if body.is_err()
                        && !refreshed
                        && let Some(refresh) = self.parts.keys.refresh_after_failure(&snapshot)
                    {
                        refresh.run().await?;
                        refreshed = true;
                        continue;
                    }
                    return body
                        .map(Bytes::from)
                        .map_err(|_| self.failed(&FetchError::Document("the signed response does not hold")));
                }
                KeyLookup::Fetch(refresh) => {
                    refresh.run().await?;
                    refreshed = true;
                }
                KeyLookup::Failed(unavailable) => return Err(unavailable.into()),
            }
        }
        Err(Unavailable::Keys.into())
    }

    /// Who may be meant by `aud` of a signed response (RFC 9701 §5).
    fn recipients(&self) -> impl Iterator<Item = &str> {
        let audiences = self.parts.audiences.iter().map(AsRef::as_ref);
        self.parts.config.authentication.client_id().into_iter().chain(audiences)
    }

    fn failed(&self, error: &FetchError) -> Error {
        let url = without_query(&self.parts.config.endpoint);
        tracing::warn!(issuer = %self.parts.issuer, %url, %error, "no usable introspection response");
        Unavailable::Introspection.into()
    }

    fn asking(&self) -> MutexGuard<'_, HashMap<AccessTokenHash, Asking>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question without an answer that lets the token pass.
struct Failure {
    error: Error,
    /// Whether the server is there all the same.
    alive: bool,
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        Self { alive: !matches!(error, Error::Unavailable(_)), error }
    }
}

/// Whether a failure says something of the one token rather than of the server: nobody's odd token may open the circuit for
/// all others.
const fn is_about_one_token(error: &FetchError) -> bool {
    matches!(error, FetchError::Status(400 | 413 | 414 | 422 | 431) | FetchError::TooLong)
}

/// Ends a question whatever becomes of it, a panic included.
struct Landing<'i> {
    introspector: &'i Introspector,
    hash: AccessTokenHash,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.introspector.asking().remove(&self.hash);
    }
}

impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.config.fmt(f)
    }
}
