//! The settings of the key cache.

use std::time::Duration;

/// How the key set of an issuer is cached, and how often tokens may cause it to be fetched.
///
/// Two kinds of tokens cause the set to be fetched again, if everything else about the request is valid:
///
/// 1. A token whose `kid` is not in the set: up to [`refresh_burst`](Self::refresh_burst) times at once, then once for each
///    [`cool_down`](Self::cool_down). So a new key, or a restarted development server, is noticed at once, and random
///    `kid`s cause no more fetches than these.
/// 2. A token whose signature does not verify with the keys of its `kid`, or with any key if it has no `kid`: at most once
///    for each cool-down, out of the same allowance. Issuers should not change a key under its `kid` (RFC 7517 §4.5), but
///    some do.
///
/// Times are measured by the monotonic clock and the wall clock, and the clock that advanced further counts: keys also age
/// while the machine is suspended.
///
/// ```
/// use std::time::Duration;
///
/// use tower_pop::keys::JwksCaching;
/// use tower_pop::{IssuerConfig, PopConfig};
///
/// let mut caching = JwksCaching::default();
/// caching.stale_for = Duration::from_secs(600); // a removed key is accepted for up to 15 min
/// let issuer = IssuerConfig::new("https://as.example").jwks_caching(caching);
/// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
///
/// [`PopConfigBuilder::build`](crate::PopConfigBuilder::build) rejects values outside of the limits below.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct JwksCaching {
    /// How long keys are fresh if the response does not say it, 1 s to 1 day. Defaults to 5 min.
    ///
    /// `Cache-Control: max-age` of the response is followed within 1 min to 1 h. The time counts from before the request was
    /// sent, and `Age` of the response is subtracted (RFC 9111 §4.2.3); at least 10 s remain.
    pub fresh_for: Duration,
    /// How long keys are still used if they are no longer fresh and cannot be refreshed, up to 7 days. Defaults to 1 h.
    ///
    /// After that, requests are rejected with 503. A key that the issuer removed therefore stops working within
    /// `fresh_for + stale_for`.
    pub stale_for: Duration,
    /// The time after which an unknown `kid`, or a signature that does not verify, may cause one more fetch when
    /// [`refresh_burst`](Self::refresh_burst) is used up, 1 s to 1 day. Defaults to 30 s.
    pub cool_down: Duration,
    /// The maximum number of fetches that unknown `kid`s may cause without a cool-down in between, 1 to 100. One more is
    /// allowed after each cool-down, up to this number. Defaults to 3.
    pub refresh_burst: u32,
    /// The minimum time between a failed fetch and the next one, 100 ms to 1 h. Defaults to 5 s.
    pub retry_after: Duration,
    /// The timeout of one fetch, 1 ms to 60 s. Discovery tries up to four URLs, each with this timeout. Defaults to 5 s.
    pub timeout: Duration,
    /// The maximum length of a document in bytes, 256 bytes to 16 MiB. Defaults to 512 KiB.
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
