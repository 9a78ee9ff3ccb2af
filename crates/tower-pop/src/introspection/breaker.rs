//! A circuit breaker: after failures in a row nobody asks for a while; then one probes, and its answer decides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// Failures in a row that open the circuit.
const FAILURES: u32 = 10;
/// How long it stays open before a probe.
const OPEN_FOR: Duration = Duration::from_secs(5);

pub(super) struct Breaker {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// While this lies ahead, nobody asks; afterwards one does.
    open_until: Option<Duration>,
    probing: bool,
}

impl Breaker {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Whether a question would be let through now.
    pub(super) fn is_open(&self) -> bool {
        self.state().refuses(self.clock.monotonic())
    }

    /// Lets a question through, or not. Dropping the attempt without success is a failure: a time-out, a panic.
    pub(super) fn attempt(&self) -> Option<Attempt<'_>> {
        let mut state = self.state();
        if state.refuses(self.clock.monotonic()) {
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
    fn refuses(&self, now: Duration) -> bool {
        self.open_until.is_some_and(|until| now < until || self.probing)
    }
}

pub(super) struct Attempt<'b> {
    breaker: &'b Breaker,
    /// Whether the circuit waits for this one.
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
        assert!(!breaker.is_open());
        let probe = breaker.attempt().unwrap();
        assert!(breaker.is_open() && breaker.attempt().is_none(), "one probes, the others wait");
        drop(probe);
        assert!(breaker.is_open(), "a failed probe opens it again");
        clock.advance(OPEN_FOR.as_secs());
        breaker.attempt().unwrap().succeeded();
        assert!(breaker.attempt().is_some() && !breaker.is_open());
    }
}
