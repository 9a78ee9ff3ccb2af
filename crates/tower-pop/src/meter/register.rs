//! The names of all metrics. They are described, and those that alerts are about exist, before the first request: a counter that
//! appears with its first event has no rate for it.
//!
//! An exporter sees this if it is installed before the configuration is built.

/// Describes all metrics, and creates those of a configuration with these issuers; `true` stands for introspection.
pub(crate) fn register<'i>(issuers: impl Iterator<Item = (&'i str, bool)>) {
    #[cfg(feature = "metrics")]
    with_metrics::register(issuers);
    #[cfg(not(feature = "metrics"))]
    drop(issuers);
}

/// Creates the metrics of a shared replay store.
#[cfg(feature = "redis")]
pub(crate) fn register_shared_store() {
    #[cfg(feature = "metrics")]
    with_metrics::register_shared_store();
}

#[cfg(feature = "metrics")]
mod with_metrics {
    use metrics::{
        Unit, counter, describe_counter as counts, describe_gauge as shows, describe_histogram as measures, gauge,
        histogram,
    };
    use pop_core::CODES;

    fn describe() {
        counts!("pop_requests_total", "Requests by outcome and code");
        measures!("pop_proof_age_seconds", Unit::Seconds, "Time since iat of a proof; negative if it is in the future");
        measures!("pop_step_duration_seconds", Unit::Seconds, "Time of one step of a verification");
        counts!("pop_token_lookups_total", "Look-ups in the cache of verified tokens");
        counts!("pop_key_fetches_total", "Fetches of the keys of an issuer");
        shows!("pop_keys_fetched_timestamp_seconds", Unit::Seconds, "When the keys of an issuer were last fetched");
        measures!("pop_introspection_duration_seconds", Unit::Seconds, "Time of one introspection request");
        shows!("pop_introspection_breaker_open", "1 while tokens are rejected without an introspection request");
        counts!("pop_nonce_challenges_total", "Responses that demand a nonce");
        shows!("pop_replay_store_entries", "Places for used proofs that are taken in the memory of this process");
        shows!("pop_replay_store_max_entries", "The capacity of the replay stores in the memory of this process");
        measures!("pop_replay_store_duration_seconds", Unit::Seconds, "Time of one question to a shared replay store");
        counts!("pop_replay_store_fallbacks_total", "Proofs that were accepted without the shared replay store");
    }

    pub(super) fn register<'i>(issuers: impl Iterator<Item = (&'i str, bool)>) {
        describe();
        for code in CODES.iter().map(|help| help.code).chain(["layer.missing"]) {
            let _ = counter!("pop_requests_total", "outcome" => "rejected", "code" => code);
        }
        for reason in ["missing", "stale", "replayed"] {
            let _ = counter!("pop_nonce_challenges_total", "reason" => reason);
        }
        for result in ["hit", "miss"] {
            let _ = counter!("pop_token_lookups_total", "result" => result);
        }
        for step in ["token", "proof", "replay"] {
            let _ = histogram!("pop_step_duration_seconds", "step" => step);
        }
        for (issuer, introspects) in issuers {
            for outcome in ["ok", "failed"] {
                let _ = counter!("pop_key_fetches_total", "issuer" => issuer.to_owned(), "outcome" => outcome);
            }
            if introspects {
                introspection(issuer);
            }
        }
    }

    fn introspection(issuer: &str) {
        for outcome in ["active", "inactive", "rejected", "unusable", "failed"] {
            let _ = histogram!("pop_introspection_duration_seconds", "outcome" => outcome);
        }
        for lane in ["known", "unknown"] {
            let _ = gauge!("pop_introspection_breaker_open", "issuer" => issuer.to_owned(), "lane" => lane);
        }
    }

    #[cfg(feature = "redis")]
    pub(super) fn register_shared_store() {
        for outcome in ["first", "replayed", "full", "unavailable"] {
            let _ = histogram!("pop_replay_store_duration_seconds", "outcome" => outcome);
        }
        let _ = counter!("pop_replay_store_fallbacks_total");
    }
}
