//! An issuer's keys: given, or fetched and cached.

mod discovery;
mod fetch;
#[cfg(feature = "http-client")]
mod hyper_fetch;
mod remote;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pop_core::Unavailable;
use pop_core::jose::JwkSet;

use crate::clock::Moment;

pub(crate) use discovery::{KeyLocation, is_acceptable};
pub use fetch::{ConnectionCause, ConnectionFailure, FetchError, FetchRequest, FetchResponse, HttpFetch};
pub(crate) use fetch::{exchange, without_query};
#[cfg(feature = "http-client")]
pub use hyper_fetch::HyperFetch;
pub(crate) use remote::{KeyPolicy, Refresh, RemoteKeys, report_skipped};

/// How an issuer's keys are cached.
///
/// A token whose `kid` is not in the set has the set fetched again: a few times at once
/// ([`refresh_burst`](Self::refresh_burst)), then once for each [`cool_down`](Self::cool_down). So a new key, or a restarted
/// development server, is noticed at once, and random `kid`s cause no more than `refresh_burst` fetches and one for each
/// cool-down. A token whose signature does not verify with the keys of its `kid`, or with any key when it has none, has the
/// set fetched again at most once for each cool-down, out of the same allowance: issuers should not change a key under its
/// `kid` (RFC 7517 §4.5), and some do. In both cases everything else about the request must be right.
///
/// Times count by the clock that went further, the monotonic one or the wall clock: a machine that was suspended finds its
/// keys as old as they are.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct JwksCaching {
    /// How long keys count as fresh when the response says nothing, 1 s to 1 day. Defaults to 5 min.
    /// `Cache-Control: max-age` is followed within 1 min to 1 h. The time counts from before the request was sent, and
    /// `Age` of the response is taken off (RFC 9111 §4.2.3), down to 10 s.
    pub fresh_for: Duration,
    /// How long keys that could not be refreshed are still used after they are no longer fresh. Defaults to 1 h. Then
    /// requests are answered with 503: a key that the issuer removed stops working within `fresh_for + stale_for`. Up to 7
    /// days.
    pub stale_for: Duration,
    /// The time in which an unknown `kid`, or a signature that does not verify, may cause one more fetch, once
    /// [`refresh_burst`](Self::refresh_burst) is used up, 1 s to 1 day. Defaults to 30 s.
    pub cool_down: Duration,
    /// How many fetches for the sake of unknown `kid`s may follow each other without a cool-down, 1 to 100. One for each
    /// cool-down comes back. Defaults to 3.
    pub refresh_burst: u32,
    /// Least time between a failed fetch and the next try, 100 ms to 1 h. Defaults to 5 s.
    pub retry_after: Duration,
    /// Time-out of one fetch, 1 ms to 60 s. Discovery tries up to four URLs, each within this time. Defaults to 5 s.
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
            refresh_burst: 3,
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
    Fetch(Refresh),
    /// A fetch failed a moment ago.
    Failed(Unavailable),
}

impl IssuerKeys {
    pub(crate) fn fixed(keys: JwkSet) -> Self {
        Self::Static(Arc::new(KeySnapshot { keys, generation: 0 }))
    }

    /// The keys for a token. After a refresh for its sake (`refreshed`) there is no second one.
    pub(crate) fn lookup(&self, kid: Option<&str>, refreshed: bool) -> KeyLookup {
        match self {
            Self::Static(snapshot) => KeyLookup::Ready(Arc::clone(snapshot)),
            Self::Remote(keys) => keys.lookup(kid, refreshed),
        }
    }

    /// The refresh that a signature may cause which does not verify with the keys of this snapshot, if one is due.
    pub(crate) fn refresh_after_failure(&self, snapshot: &KeySnapshot) -> Option<Refresh> {
        match self {
            Self::Static(_) => None,
            Self::Remote(keys) => keys.refresh_after_failure(snapshot),
        }
    }

    /// Whether what was verified with this generation still stands.
    pub(crate) fn is_current(&self, generation: u64, now: Moment) -> bool {
        match self {
            Self::Static(_) => true,
            Self::Remote(keys) => keys.is_current(generation, now),
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
