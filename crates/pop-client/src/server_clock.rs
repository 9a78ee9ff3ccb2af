//! What a server's `Date` fields (RFC 9110 §6.6.1) say about this machine's clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use http::HeaderMap;
use http::header::DATE;
use pop_core::target::Origin;

use crate::proof::unix_now;

/// Smaller differences are the way of the network.
const TOLERANCE: u64 = 5;

/// The newest difference between each server's clock and ours, in seconds. One server says nothing about the clock of
/// another. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerClock(Arc<Mutex<HashMap<Origin, i64>>>);

impl ServerClock {
    /// Seconds since the epoch by the clock of a server.
    pub(crate) fn now(&self, origin: &Origin) -> u64 {
        let differences = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        unix_now().saturating_add_signed(differences.get(origin).copied().unwrap_or(0))
    }

    /// Takes the time of a response; returns whether it differs from what was known.
    pub(crate) fn learn(&self, origin: &Origin, headers: &HeaderMap) -> bool {
        let date = headers
            .get(DATE)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| httpdate::parse_http_date(text).ok());
        let Some(date) = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok()) else {
            return false;
        };
        if date.as_secs().abs_diff(self.now(origin)) <= TOLERANCE {
            return false;
        }
        let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        let difference = signed(date.as_secs()).saturating_sub(signed(unix_now()));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(origin.clone(), difference);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-10: a difference of seconds changes nothing.
    #[test]
    fn learns_large_differences_of_each_server_separately() {
        let clock = ServerClock::default();
        let (one, other) = (Origin::parse("https://a.example").unwrap(), Origin::parse("https://b.example").unwrap());
        let answer = |offset: i64| {
            let date = UNIX_EPOCH + std::time::Duration::from_secs(unix_now().saturating_add_signed(offset));
            HeaderMap::from_iter([(DATE, httpdate::fmt_http_date(date).parse().unwrap())])
        };
        assert!(!clock.learn(&one, &answer(2)) && !clock.learn(&one, &HeaderMap::new()));
        assert!(clock.learn(&one, &answer(-3600)));
        assert!(clock.now(&one).abs_diff(unix_now() - 3600) < 5);
        assert!(clock.now(&other).abs_diff(unix_now()) < 5, "CLI-10 the other server's clock is its own");
        assert!(!clock.learn(&one, &answer(-3600)), "known by now");
        assert!(clock.learn(&other, &answer(7200)));
        assert!(clock.now(&one).abs_diff(unix_now() - 3600) < 5, "CLI-10");
        assert!(clock.learn(&one, &answer(0)), "and back");
        let garbage = HeaderMap::from_iter([(DATE, "yesterday".parse().unwrap())]);
        assert!(!clock.learn(&one, &garbage));
    }
}
