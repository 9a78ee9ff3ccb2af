//! What a server's `Date` fields (RFC 9110 §6.6.1) say about this machine's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::UNIX_EPOCH;

use http::HeaderMap;
use http::header::DATE;

use crate::proof::unix_now;

/// Smaller differences are the way of the network.
const TOLERANCE: u64 = 5;

/// The newest difference between the server's clock and ours, in seconds. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerClock(Arc<AtomicI64>);

impl ServerClock {
    /// Seconds since the epoch by the server's clock.
    pub(crate) fn now(&self) -> u64 {
        unix_now().saturating_add_signed(self.0.load(Ordering::Relaxed))
    }

    /// Takes the time of a response; returns whether it differs from what was known.
    pub(crate) fn learn(&self, headers: &HeaderMap) -> bool {
        let date = headers
            .get(DATE)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| httpdate::parse_http_date(text).ok());
        let Some(date) = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok()) else {
            return false;
        };
        if date.as_secs().abs_diff(self.now()) <= TOLERANCE {
            return false;
        }
        let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        self.0.store(signed(date.as_secs()).saturating_sub(signed(unix_now())), Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_10_learns_large_differences_only() {
        let clock = ServerClock::default();
        let answer = |offset: i64| {
            let date = UNIX_EPOCH + std::time::Duration::from_secs(unix_now().saturating_add_signed(offset));
            HeaderMap::from_iter([(DATE, httpdate::fmt_http_date(date).parse().unwrap())])
        };
        assert!(!clock.learn(&answer(2)) && !clock.learn(&HeaderMap::new()));
        assert!(clock.learn(&answer(-3600)));
        assert!(clock.now().abs_diff(unix_now() - 3600) < 5);
        assert!(!clock.learn(&answer(-3600)), "known by now");
        assert!(clock.learn(&answer(0)), "and back");
        let garbage = HeaderMap::from_iter([(DATE, "yesterday".parse().unwrap())]);
        assert!(!clock.learn(&garbage));
    }
}
