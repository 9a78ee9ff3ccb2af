//! Verified access tokens, so that a request with a known token costs one signature verification: that of its proof.
//!
//! Only verified tokens enter, under the SHA-256 of the token as received: made-up tokens displace nothing. An entry is bound to
//! the generation of its issuer's keys, and ends on its own; `exp` and `nbf` are checked on every use.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pop_core::access_token::{AccessToken, AccessTokenHash};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::clock::Deadline;

/// The maximum time until a token is verified again.
pub(super) const MAX_TIME: Duration = Duration::from_secs(3600);

/// The bytes of claims that count as one token. Larger tokens count as several, so that memory stays bounded.
const COUNTS_ONCE: usize = 2048;

/// A verified token, and what its verification depends on.
#[derive(Clone)]
pub(crate) struct CachedToken {
    pub(crate) token: Arc<AccessToken>,
    pub(crate) issuer: usize,
    /// The generation of the issuer's keys; `None` for an introspected token.
    pub(crate) generation: Option<u64>,
    /// The end of its use.
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
