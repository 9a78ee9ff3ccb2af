//! The current time: by the clock of this machine, and by the clocks of servers, which their `Date` fields show (RFC
//! 9110 §6.6.1).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::DATE;
use pop_core::target::Origin;

/// Seconds. Smaller differences are caused by the network and by the resolution of `Date`.
const TOLERANCE: u64 = 5;

/// Returns the current time of this machine in seconds since the epoch.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The newest difference between the clock of each server and the clock of this machine, in seconds. Each server has
/// its own difference. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerClock(Arc<Mutex<HashMap<Origin, i64>>>);

impl ServerClock {
    /// Returns the current time of a server in seconds since the epoch.
    pub(crate) fn now(&self, origin: &Origin) -> u64 {
        let differences = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        unix_now().saturating_add_signed(differences.get(origin).copied().unwrap_or(0))
    }

    /// Stores the time of a response. Returns whether it differs from the known time of the server.
    pub(crate) fn update(&self, origin: &Origin, headers: &HeaderMap) -> bool {
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
        assert!(!clock.update(&one, &answer(2)) && !clock.update(&one, &HeaderMap::new()));
        assert!(clock.update(&one, &answer(-3600)));
        assert!(clock.now(&one).abs_diff(unix_now() - 3600) < 5);
        assert!(clock.now(&other).abs_diff(unix_now()) < 5, "CLI-10 the other server's clock is its own");
        assert!(!clock.update(&one, &answer(-3600)), "known by now");
        assert!(clock.update(&other, &answer(7200)));
        assert!(clock.now(&one).abs_diff(unix_now() - 3600) < 5, "CLI-10");
        assert!(clock.update(&one, &answer(0)), "and back");
        let garbage = HeaderMap::from_iter([(DATE, "yesterday".parse().unwrap())]);
        assert!(!clock.update(&one, &garbage));
    }
}
