//! An issuer's keys: given, or fetched and cached.

mod cache;
mod discovery;
mod fetch;
#[cfg(feature = "http-client")]
mod hyper_fetch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pop_core::Unavailable;
use pop_core::jose::JwkSet;

pub(crate) use cache::{KeyPolicy, RemoteKeys};
pub(crate) use discovery::{KeyLocation, is_acceptable};
pub(crate) use fetch::exchange;
pub use fetch::{FetchError, FetchRequest, FetchResponse, HttpFetch};
#[cfg(feature = "http-client")]
pub use hyper_fetch::HyperFetch;

/// How an issuer's keys are cached. A new `kid` is noticed after the cool-down; another key under the same `kid`, or under
/// none, when the set is no longer fresh: issuers should not do that (RFC 7517 §4.5).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct JwksCaching {
    /// How long keys count as fresh when the response says nothing, 1 s to 1 day. Defaults to 5 min.
    /// `Cache-Control: max-age` is followed within 1 min to 1 h.
    pub fresh_for: Duration,
    /// How long keys that could not be refreshed are still used after they are no longer fresh. Defaults to 1 h. Then
    /// requests are answered with 503: a key that the issuer removed stops working within `fresh_for + stale_for`. Up to 7
    /// days.
    pub stale_for: Duration,
    /// Least time between a fetch and the next one for the sake of an unknown `kid`, 1 s to 1 day. Defaults to 30 s.
    pub cool_down: Duration,
    /// Least time between a failed fetch and the next try, 100 ms to 1 h. Defaults to 5 s.
    pub retry_after: Duration,
    /// Time-out of one fetch, 1 ms to 60 s. Defaults to 5 s.
    pub timeout: Duration,
    /// Longest document in bytes, 256 bytes to 16 MiB. Defaults to 512 KiB.
    pub max_len: usize,
}

impl Default for JwksCaching {
    fn default() -> Self {
        Self {
            fresh_for: Duration::from_secs(300),
            stale_for: Duration::from_secs(3600),
            cool_down: Duration::from_secs(30),
            retry_after: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
            max_len: 512 * 1024,
        }
    }
}

/// One state of an issuer's key set. Whatever was verified with an earlier generation must be verified again.
pub(crate) struct KeySnapshot {
    pub(crate) keys: JwkSet,
    pub(crate) generation: u64,
}

/// Where the keys of an issuer come from.
#[derive(Clone)]
pub(crate) enum IssuerKeys {
    Static(Arc<KeySnapshot>),
    Remote(Arc<RemoteKeys>),
}

/// What is known of a key without waiting.
pub(crate) enum KeyLookup {
    /// Keys to verify with. That the `kid` is not among them is then certain enough to refuse the token.
    Ready(Arc<KeySnapshot>),
    /// Only a fetch can tell.
    Fetch(Arc<RemoteKeys>),
    /// A fetch failed a moment ago.
    Failed(Unavailable),
}

impl IssuerKeys {
    pub(crate) fn fixed(keys: JwkSet) -> Self {
        Self::Static(Arc::new(KeySnapshot { keys, generation: 0 }))
    }

    pub(crate) fn lookup(&self, kid: Option<&str>) -> KeyLookup {
        match self {
            Self::Static(snapshot) => KeyLookup::Ready(Arc::clone(snapshot)),
            Self::Remote(keys) => keys.lookup(kid),
        }
    }

    /// Whether what was verified with this generation still stands.
    pub(crate) fn is_current(&self, generation: u64) -> bool {
        match self {
            Self::Static(_) => true,
            Self::Remote(keys) => keys.is_current(generation),
        }
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Static(_) => "static keys",
            Self::Remote(_) => "remote keys",
        })
    }
}
