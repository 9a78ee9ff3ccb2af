//! A circuit breaker: after a number of failures in a row, no requests are sent for a while. Then one request probes the server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// The number of failures in a row that opens the circuit.
const FAILURES: u32 = 10;
/// How long the circuit stays open before a probe.
const OPEN_FOR: Duration = Duration::from_secs(5);

pub(super) struct Breaker {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// The end of the time without requests; after it, one request probes.
    open_until: Option<Duration>,
    probing: bool,
}

impl Breaker {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Returns whether requests are rejected at the moment.
    pub(super) fn is_open(&self) -> bool {
        self.state().rejects(self.clock.monotonic())
    }

    /// Returns whether it failed so often that requests are rejected, and no request has succeeded since.
    pub(super) fn has_tripped(&self) -> bool {
        self.state().open_until.is_some()
    }

    /// Returns an attempt if the circuit allows one. An attempt that is dropped without success counts as a failure: a timeout,
    /// a panic.
    pub(super) fn attempt(&self) -> Option<Attempt<'_>> {
        let mut state = self.state();
        if state.rejects(self.clock.monotonic()) {
            return None;
        }
        state.probing = state.open_until.is_some();
        Some(Attempt { breaker: self, probes: state.probing, succeeded: false })
    }

    /// Counts a request that does not depend on this circuit.
    pub(super) const fn observe(&self) -> Attempt<'_> {
        Attempt { breaker: self, probes: false, succeeded: false }
    }

    /// Closes the circuit and starts the count again.
    pub(super) fn close(&self) {
        let mut state = self.state();
        if state.failures > 0 || state.open_until.is_some() {
            *state = State::default();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn rejects(&self, now: Duration) -> bool {
        self.open_until.is_some_and(|until| now < until || self.probing)
    }
}

pub(super) struct Attempt<'b> {
    breaker: &'b Breaker,
    /// Whether the attempt is the probe.
    probes: bool,
    succeeded: bool,
}

impl Attempt<'_> {
    pub(super) fn succeeded(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let now = self.breaker.clock.monotonic();
        let mut state = self.breaker.state();
        if self.succeeded {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if self.probes {
            state.probing = false;
        }
        if state.failures >= FAILURES {
            state.open_until = Some(now.saturating_add(OPEN_FOR));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    /// INTRO-07: a success in between starts the count again.
    #[test]
    fn opens_after_failures_in_a_row_and_lets_one_request_probe() {
        let clock = Arc::new(ManualClock::at(1_000));
        let breaker = Breaker::new(Arc::clone(&clock) as Arc<dyn Clock>);
        for _ in 0..FAILURES - 1 {
            drop(breaker.attempt().unwrap());
        }
        breaker.attempt().unwrap().succeeded();
        for _ in 0..FAILURES {
            assert!(!breaker.is_open(), "a success in between starts the count again");
            drop(breaker.attempt().unwrap());
        }
        assert!(breaker.is_open() && breaker.attempt().is_none());
        clock.advance(OPEN_FOR.as_secs());
        assert!(!breaker.is_open() && breaker.has_tripped(), "it is time for a probe");
        let probe = breaker.attempt().unwrap();
        assert!(breaker.is_open() && breaker.attempt().is_none(), "one probes, the others wait");
        drop(probe);
        assert!(breaker.is_open(), "a failed probe opens it again");
        clock.advance(OPEN_FOR.as_secs());
        breaker.attempt().unwrap().succeeded();
        assert!(breaker.attempt().is_some() && !breaker.is_open() && !breaker.has_tripped());
    }
}
