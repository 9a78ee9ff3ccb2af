//! Time, passed in: wall-clock seconds judge tokens and proofs, a monotonic clock judges how long something is kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Seconds since the epoch, by the wall clock.
    fn now(&self) -> u64;

    /// Time since some fixed point; never goes back.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        // A clock before 1970 reads as 1970: every token is then issued in the future and refused.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands still until it is told to move: for tests.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicU64,
    monotonic: AtomicU64,
}

impl ManualClock {
    /// A clock that shows this many seconds since the epoch.
    #[must_use]
    pub const fn at(now: u64) -> Self {
        Self { now: AtomicU64::new(now), monotonic: AtomicU64::new(0) }
    }

    /// Lets this many seconds pass on both clocks.
    pub fn advance(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
        self.monotonic.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Sets the wall clock, forwards or backwards, while the monotonic clock stands still.
    pub fn set_wall_clock(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.monotonic.load(Ordering::Relaxed))
    }
}
