//! The one owner of everything that ends in a verified access token: the cache, JWTs, and introspection.
//!
//! A token that is in memory, or a JWT whose keys are, is there at once. For every other token there is a future that ends in a
//! verified token: it fetches what it needs, retries on its own, and fills the cache.

mod cache;
mod introspection;
mod issuer;
mod jwt;
mod report;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use pop_core::Error;
use pop_core::access_token::{AccessToken, AccessTokenHash, check_times};
use pop_core::confirmation::Requirement;
use pop_core::policy::TokenPolicy;

use self::cache::CachedToken;
pub(crate) use self::cache::TokenCache;
pub use self::introspection::Introspection;
pub(crate) use self::introspection::{Introspector, IntrospectorParts};
pub(crate) use self::issuer::Issuer;
use crate::clock::{Clock, Moment};
use crate::log_limit::LogLimit;
use crate::meter;

/// Issuers and audiences, and the cache of verified tokens.
pub(crate) struct TokenSource {
    pub(crate) issuers: Vec<Issuer>,
    /// The identifiers of this resource.
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) policy: TokenPolicy,
    cache: TokenCache,
    clock: Arc<dyn Clock>,
    issuer_errors: LogLimit,
}

/// A verified token, at once or later.
pub(crate) enum TokenLookup {
    Ready(Arc<AccessToken>),
    Later(TokenFuture),
}

/// Owns everything that it needs.
pub(crate) type TokenFuture = Pin<Box<dyn Future<Output = Result<Arc<AccessToken>, Error>> + Send>>;

impl TokenSource {
    pub(crate) const fn new(
        issuers: Vec<Issuer>,
        audiences: Vec<Box<str>>,
        policy: TokenPolicy,
        cache: TokenCache,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { issuers, audiences, policy, cache, clock, issuer_errors: LogLimit::new() }
    }

    /// Returns the verified token.
    ///
    /// `precheck` runs before anything that causes I/O, and must succeed. It gets the unverified claims of a JWT, and returns the
    /// key or certificate whose possession the request has proven.
    pub(crate) fn get(
        self: &Arc<Self>,
        token: &str,
        hash: AccessTokenHash,
        now: Moment,
        precheck: impl FnOnce(Option<&AccessToken>) -> Result<Option<Requirement>, Error>,
    ) -> Result<TokenLookup, Error> {
        let cached = self.cached(&hash, now);
        meter::token_lookup(!matches!(cached, Ok(None)));
        if let Some(token) = cached? {
            return Ok(TokenLookup::Ready(token));
        }
        match self.introspector_of(token)? {
            None => self.verify_jwt(token, hash, now, |claims| precheck(Some(claims)).map(drop)),
            Some(introspector) => {
                introspector.known_rejection(&hash)?;
                let proven = precheck(None)?;
                let (source, introspector, token) = (Arc::clone(self), Arc::clone(introspector), token.to_owned());
                Ok(TokenLookup::Later(Box::pin(async move {
                    let token = introspector.introspect(&token, hash, proven).await?;
                    check_times(&token, source.policy.leeway, source.clock.now())?;
                    Ok(token)
                })))
            }
        }
    }

    /// Returns a token from the cache, if what its verification depends on has not changed. An expired token stays in the cache,
    /// where it is rejected cheaply.
    fn cached(&self, hash: &AccessTokenHash, now: Moment) -> Result<Option<Arc<AccessToken>>, Error> {
        match self.cache.get(hash).filter(|cached| self.still_holds(cached, now)) {
            None => Ok(None),
            Some(cached) => {
                check_times(&cached.token, self.policy.leeway, now.seconds())?;
                Ok(Some(cached.token))
            }
        }
    }

    fn still_holds(&self, cached: &CachedToken, now: Moment) -> bool {
        let issuer = self.issuers.get(cached.issuer);
        let is_current = |generation| issuer.is_some_and(|issuer| issuer.keys.is_current(generation, now));
        !cached.until.has_passed(now) && cached.generation.is_none_or(is_current)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}
