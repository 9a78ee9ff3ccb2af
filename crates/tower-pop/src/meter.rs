//! Counters, gauges and histograms of the parts that requests use, with feature `metrics`. Those of requests themselves are in
//! [`telemetry`](crate::telemetry).
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `pop_token_lookups_total` | counter | `result`: `hit` if the verified token was in memory, or `miss` |
//! | `pop_key_fetches_total` | counter | `issuer`, `outcome`: `ok` or `failed` |
//! | `pop_keys_fetched_timestamp_seconds` | gauge: when keys were last fetched, since the Unix epoch | `issuer` |
//! | `pop_replay_store_duration_seconds` | histogram: time of one question to a shared store | `outcome`: `first`, `replayed`, `full`, `unavailable` |
//! | `pop_replay_store_fallbacks_total` | counter: proofs that were accepted without the shared store | – |

/// Counts a look-up in the cache of verified tokens.
pub(crate) fn token_lookup(hit: bool) {
    // Labels that are literals cost no allocation.
    #[cfg(feature = "metrics")]
    if hit {
        metrics::counter!("pop_token_lookups_total", "result" => "hit").increment(1);
    } else {
        metrics::counter!("pop_token_lookups_total", "result" => "miss").increment(1);
    }
    let _ = hit;
}

/// Counts a fetch of keys. `now` is in seconds since the Unix epoch.
pub(crate) fn key_fetch(issuer: &str, succeeded: bool, now: u64) {
    #[cfg(feature = "metrics")]
    {
        let (issuer, outcome) = (issuer.to_owned(), if succeeded { "ok" } else { "failed" });
        metrics::counter!("pop_key_fetches_total", "issuer" => issuer.clone(), "outcome" => outcome).increment(1);
        if succeeded {
            #[allow(clippy::cast_precision_loss)]
            metrics::gauge!("pop_keys_fetched_timestamp_seconds", "issuer" => issuer).set(now as f64);
        }
    }
    let _ = (issuer, succeeded, now);
}

/// Records the time of one question to a shared replay store.
#[cfg(feature = "redis")]
pub(crate) fn replay_store(outcome: &'static str, duration: std::time::Duration) {
    #[cfg(feature = "metrics")]
    metrics::histogram!("pop_replay_store_duration_seconds", "outcome" => outcome).record(duration);
    let _ = (outcome, duration);
}

/// Counts a proof that was accepted without the shared replay store.
#[cfg(feature = "redis")]
pub(crate) fn replay_store_fallback() {
    #[cfg(feature = "metrics")]
    metrics::counter!("pop_replay_store_fallbacks_total").increment(1);
}
