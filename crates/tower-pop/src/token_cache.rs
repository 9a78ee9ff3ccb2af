//! Access tokens that were verified before, so that a warm request costs one signature check: the proof's.
//!
//! Only verified tokens enter, under the SHA-256 of the token as received: a flood of made-up tokens displaces nothing. An
//! entry is bound to the generation of its issuer's keys; `exp` and `nbf` are checked on every use.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use pop_core::claims::AccessToken;
use pop_core::proof::dpop::AccessTokenHash;

/// No token is kept longer without being verified again.
const LONGEST: Duration = Duration::from_secs(3600);

/// Bytes of claims that count as one token; larger tokens count as several, so that memory stays bounded.
const COUNTS_ONCE: usize = 2048;

/// A verified token and what its verification rests on.
#[derive(Clone)]
pub(crate) struct CachedToken {
    pub(crate) token: Arc<AccessToken>,
    pub(crate) issuer: usize,
    /// Of the issuer's keys.
    pub(crate) generation: u64,
    /// For what an authorization server said of a token: until when, by the monotonic clock, that holds.
    pub(crate) until: Option<Duration>,
}

#[derive(Clone)]
pub(crate) struct TokenCache(Option<Cache<AccessTokenHash, CachedToken>>);

impl TokenCache {
    /// A capacity of 0 turns the cache off.
    pub(crate) fn new(capacity: u64) -> Self {
        let weigh = |_: &AccessTokenHash, cached: &CachedToken| {
            let claims = cached.token.raw_claims().len() / COUNTS_ONCE;
            u32::try_from(claims).unwrap_or(u32::MAX).saturating_add(1)
        };
        let build = || Cache::builder().max_capacity(capacity).weigher(weigh).time_to_live(LONGEST).build();
        Self((capacity > 0).then(build))
    }

    pub(crate) fn get(&self, hash: &AccessTokenHash) -> Option<CachedToken> {
        self.0.as_ref()?.get(hash)
    }

    pub(crate) fn insert(&self, hash: AccessTokenHash, token: CachedToken) {
        if let Some(cache) = &self.0 {
            cache.insert(hash, token);
        }
    }

    pub(crate) fn remove(&self, hash: &AccessTokenHash) {
        if let Some(cache) = &self.0 {
            cache.invalidate(hash);
        }
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenCache({})", if self.0.is_some() { "on" } else { "off" })
    }
}
