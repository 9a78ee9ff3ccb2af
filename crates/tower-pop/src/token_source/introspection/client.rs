//! The client of an introspection endpoint.
//!
//! 1. There is one request for a token at a time, however many requests wait for it. It goes on if they are cancelled.
//! 2. Tokens and keys that were active a moment ago have their own lane, which made-up tokens cannot block. See [`Lanes`].
//! 3. Only failures of the server itself count for the circuit breaker. An unusable response is a failure of one token.
//! 4. The response for an active token is cached for the configured time, at most until `exp`. A response that is inactive or
//!    unusable is cached briefly.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use moka::sync::Cache;
use pop_core::access_token::{AccessToken, AccessTokenHash};
use pop_core::confirmation::Requirement;
use pop_core::{Error, TokenError, Unavailable};
use tracing::{Instrument, Span};

use super::endpoint::{Endpoint, IntrospectorParts};
use super::lane::{IntrospectionResult, Lanes, OpenRequests, Pending};
use super::outcome::{ActiveToken, Cause, Failure, outcome};
use super::priority::{Priorities, Priority};
use crate::clock::{Deadline, Moment};
use crate::keys::FetchError;
use crate::log_limit::LogLimit;
use crate::meter;
use crate::span;
use crate::token_source::cache::CachedToken;

/// The number of rejected tokens that are remembered.
const REJECTED: u64 = 10_000;

/// Introspects tokens at one issuer.
pub(crate) struct Introspector {
    endpoint: Endpoint,
    lanes: Lanes,
    open: Mutex<OpenRequests>,
    priorities: Priorities,
    queue_full: LogLimit,
    /// The tokens that were rejected a moment ago, and the end of that.
    rejected: Cache<AccessTokenHash, (Deadline, Error)>,
}

impl Introspector {
    pub(crate) fn new(parts: IntrospectorParts) -> Self {
        Self {
            lanes: Lanes::new(parts.config.max_concurrent, &parts.clock),
            open: Mutex::default(),
            priorities: Priorities::new(),
            queue_full: LogLimit::new(),
            rejected: Cache::builder()
                .max_capacity(REJECTED)
                .time_to_live(parts.config.cache_inactive_for.max(Duration::from_secs(1)))
                .build(),
            endpoint: Endpoint::new(parts),
        }
    }

    /// Returns whether a compact JWS is verified locally.
    pub(crate) const fn jwt_first(&self) -> bool {
        self.parts().config.jwt_first
    }

    /// Returns the error of a token that was rejected a moment ago.
    pub(crate) fn known_rejection(&self, hash: &AccessTokenHash) -> Result<(), Error> {
        match self.rejected.get(hash) {
            Some((until, error)) if !until.has_passed(Moment::now(&*self.parts().clock)) => Err(error),
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
    ) -> IntrospectionResult {
        let pending = self.start(token, hash, proven);
        pending.await
    }

    const fn parts(&self) -> &IntrospectorParts {
        &self.endpoint.parts
    }

    /// Returns the pending request for a token, or starts one.
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
        let permits = self.parts().config.max_concurrent;
        let priority = open.priority(self.priorities.of(&hash, proven), permits);
        let lane = priority.lane();
        if self.lanes.are_closed_to(priority) {
            return rejected();
        }
        if open.is_full(lane, permits) {
            if let Some(times) = self.queue_full.count() {
                let issuer = &self.parts().issuer;
                tracing::warn!(%issuer, ?lane, times, "too many tokens wait to be introspected");
            }
            return rejected();
        }
        let introspector = Arc::clone(self);
        let token = token.to_owned();
        // A separate task, so that the response is not lost if the first request is cancelled.
        let task = async move {
            let _end = EndOfRequest { introspector: &introspector, hash };
            introspector.run(&token, hash, priority).await.inspect_err(|error| {
                span::failed(&Span::current(), error.code());
            })
        };
        let task = runtime.spawn(task.instrument(span::introspect(&self.parts().issuer)));
        let pending = async move { task.await.unwrap_or_else(|_| Err(unavailable())) }.boxed().shared();
        open.insert(hash, pending.clone(), priority);
        pending
    }

    /// Introspects a token, and remembers the result.
    async fn run(&self, token: &str, hash: AccessTokenHash, priority: Priority) -> IntrospectionResult {
        let result = self.exchange_in_turn(token, priority).await;
        if result.is_ok() {
            self.lanes.server_works();
        }
        self.lanes.report(&self.parts().issuer);
        let failure = match result {
            Ok(ActiveToken { token, sent_at, age }) => {
                self.priorities.active(hash, &token);
                self.remember(Arc::clone(&token), hash, (sent_at, age));
                return Ok(token);
            }
            Err(failure) => failure,
        };
        let inactive = matches!(failure.error, Error::Token(TokenError::Inactive));
        if inactive || (!matches!(failure.cause, Cause::NotSent | Cause::NoKeys) && priority != Priority::KnownToken) {
            self.priorities.inactive(&hash, priority);
        }
        if failure.may_be_cached() {
            let until = Deadline::after(Moment::now(&*self.parts().clock), self.parts().config.cache_inactive_for);
            self.rejected.insert(hash, (until, failure.error.clone()));
        }
        Err(failure.error)
    }

    /// Waits for a permit and exchanges request and response. Each of the two may take the configured time.
    async fn exchange_in_turn(&self, token: &str, priority: Priority) -> Result<ActiveToken, Failure> {
        let timeout = self.parts().config.timeout;
        let turn = tokio::time::timeout(timeout, self.lanes.get(priority.lane()).permits.acquire()).await;
        let Ok(Ok(_permit)) = turn else {
            if let Some(times) = self.queue_full.count() {
                let issuer = &self.parts().issuer;
                tracing::warn!(%issuer, times, "a token waited too long to be introspected");
            }
            return Err(Failure::not_sent());
        };
        let attempt = self.lanes.attempt(priority).ok_or_else(Failure::not_sent)?;
        let start = Instant::now();
        let result = match tokio::time::timeout(timeout, self.endpoint.exchange(token)).await {
            Ok(result) => result,
            Err(_) => Err(self.endpoint.failed(&FetchError::Timeout)),
        };
        if let Some(outcome) = outcome(&result) {
            meter::introspection(outcome, start.elapsed());
        }
        let server_failed = result.as_ref().is_err_and(|failure| failure.cause == Cause::Server);
        if !server_failed {
            attempt.succeeded();
        }
        result
    }

    fn remember(&self, token: Arc<AccessToken>, hash: AccessTokenHash, (sent_at, age): (Moment, Duration)) {
        let cache_for = self.parts().config.cache_for.saturating_sub(age);
        if !cache_for.is_zero() {
            // `exp` is checked on every use.
            let until = Deadline::after(sent_at, cache_for);
            let cached = CachedToken { token, issuer: self.parts().number, generation: None, until };
            self.parts().tokens.insert(hash, cached);
        }
    }

    fn open(&self) -> MutexGuard<'_, OpenRequests> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.parts().config.fmt(f)
    }
}
