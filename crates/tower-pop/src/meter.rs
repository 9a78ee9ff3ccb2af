//! Counters, gauges and histograms of the parts that requests use, with feature `metrics`. Those of requests themselves are in
//! [`telemetry`](crate::telemetry). [`register`](self::register) has all names, with their kinds and descriptions.
//!
//! Labels that are literals cost no allocation. Those with the name of an issuer are of rare events only.

mod occupancy;
mod register;
mod timer;

pub(crate) use self::occupancy::{Occupancy, StoreUse};
pub(crate) use self::register::register;
#[cfg(feature = "redis")]
pub(crate) use self::register::register_shared_store;
pub(crate) use self::timer::{Step, Timer};

/// Counts a look-up in the cache of verified tokens.
pub(crate) fn token_lookup(hit: bool) {
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

/// Records the time of one introspection request.
pub(crate) fn introspection(outcome: &'static str, duration: std::time::Duration) {
    #[cfg(feature = "metrics")]
    metrics::histogram!("pop_introspection_duration_seconds", "outcome" => outcome).record(duration);
    let _ = (outcome, duration);
}

/// Sets whether the circuit breaker of a lane to an introspection endpoint is open.
pub(crate) fn introspection_breaker(issuer: &str, lane: &'static str, open: bool) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("pop_introspection_breaker_open", "issuer" => issuer.to_owned(), "lane" => lane).set(if open {
        1.0
    } else {
        0.0
    });
    let _ = (issuer, lane, open);
}

/// Counts a response that demands a nonce of this server.
pub(crate) fn nonce_challenge(reason: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("pop_nonce_challenges_total", "reason" => reason).increment(1);
    let _ = reason;
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
