//! Access tokens that were verified before, so that a warm request costs one signature check: the proof's.
//!
//! Only verified tokens enter, under the SHA-256 of the token as received: a flood of made-up tokens displaces nothing. An
//! entry is bound to the generation of its issuer's keys and has an end of its own; `exp` and `nbf` are checked on every
//! use.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pop_core::claims::AccessToken;
use pop_core::proof::dpop::AccessTokenHash;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::clock::Deadline;

/// No token is kept longer without being verified again.
pub(crate) const LONGEST: Duration = Duration::from_secs(3600);

/// Bytes of claims that count as one token; larger tokens count as several, so that memory stays bounded.
const COUNTS_ONCE: usize = 2048;

/// A verified token and what its verification rests on.
#[derive(Clone)]
pub(crate) struct CachedToken {
    pub(crate) token: Arc<AccessToken>,
    pub(crate) issuer: usize,
    /// Of the issuer's keys; `None` for what the authorization server said of a token.
    pub(crate) generation: Option<u64>,
    /// Until when it is used.
    pub(crate) until: Deadline,
}

#[derive(Clone)]
struct ByClaims;

impl Weighter<AccessTokenHash, CachedToken> for ByClaims {
    fn weight(&self, _: &AccessTokenHash, cached: &CachedToken) -> u64 {
        (cached.token.size() / COUNTS_ONCE) as u64 + 1
    }
}

#[derive(Clone)]
pub(crate) struct TokenCache(Option<Arc<Cache<AccessTokenHash, CachedToken, ByClaims>>>);

impl TokenCache {
    /// A capacity of 0 turns the cache off.
    pub(crate) fn new(capacity: usize) -> Self {
        let build = || Arc::new(Cache::with_weighter(capacity, capacity as u64, ByClaims));
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
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenCache({})", if self.0.is_some() { "on" } else { "off" })
    }
}
