//! The source of the current time.
//!
//! Tokens and proofs are verified by wall-clock seconds. How long something is kept is measured by both the wall clock and the
//! monotonic clock, and the clock that advanced further counts: the monotonic clock may stand still while the machine is
//! suspended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A wall clock and a monotonic clock. An `Arc` of a clock is a clock too.
///
/// ```
/// use std::time::Duration;
///
/// use tower_pop::clock::{Clock, SystemClock};
///
/// /// The clocks of the machine, whose wall clock is 30 s fast.
/// struct Corrected(SystemClock);
///
/// impl Clock for Corrected {
///     fn now(&self) -> u64 {
///         self.wall().as_secs()
///     }
///
///     fn monotonic(&self) -> Duration {
///         self.0.monotonic()
///     }
///
///     fn wall(&self) -> Duration {
///         self.0.wall().saturating_sub(Duration::from_secs(30))
///     }
/// }
///
/// let (system, corrected) = (SystemClock::default(), Corrected(SystemClock::default()));
/// assert!(corrected.now() < system.now());
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Returns the seconds since the Unix epoch, by the wall clock.
    fn now(&self) -> u64;

    /// Returns the time since a fixed point. It never decreases.
    fn monotonic(&self) -> Duration;

    /// Returns the time since the Unix epoch, by the wall clock. Its whole seconds are [`now`](Self::now). Defaults to `now`:
    /// cached items then end up to a second early.
    fn wall(&self) -> Duration {
        Duration::from_secs(self.now())
    }
}

impl<S: Clock + ?Sized> Clock for Arc<S> {
    fn now(&self) -> u64 {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }

    fn wall(&self) -> Duration {
        (**self).wall()
    }
}

/// The clocks of the machine: the default [`Clock`].
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
        self.wall().as_secs()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall(&self) -> Duration {
        // A clock before 1970 reads as 1970: every token was then issued in the future, and is rejected.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// The times of both clocks at one moment. Reading them takes no lock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    monotonic: Duration,
    wall: Duration,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self { monotonic: clock.monotonic(), wall: clock.wall() }
    }

    /// Returns the seconds since the Unix epoch.
    pub(crate) const fn seconds(self) -> u64 {
        self.wall.as_secs()
    }

    /// Returns the time since an earlier moment, by the clock that advanced further. A wall clock that was set back has no
    /// effect. A wall clock that was set forward makes things older than they are.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let monotonic = self.monotonic.saturating_sub(earlier.monotonic);
        monotonic.max(self.wall.saturating_sub(earlier.wall))
    }
}

/// The end of a time. It has passed as soon as one of the clocks has reached it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Moment);

impl Deadline {
    /// Returns the deadline this long after a moment.
    pub(crate) const fn after(moment: Moment, time: Duration) -> Self {
        Self(Moment { monotonic: moment.monotonic.saturating_add(time), wall: moment.wall.saturating_add(time) })
    }

    /// Returns whether one of the clocks has reached the deadline.
    pub(crate) fn has_passed(self, now: Moment) -> bool {
        now.monotonic >= self.0.monotonic || now.wall >= self.0.wall
    }
}

/// A clock for tests. It stands still until the test moves it.
///
/// ```
/// use std::sync::Arc;
///
/// use tower_pop::PopConfig;
/// use tower_pop::clock::{Clock, ManualClock};
///
/// let clock = Arc::new(ManualClock::at(1_800_000_000));
/// let cfg = PopConfig::builder("https://as.example", "https://api.example").clock(clock.clone()).build()?;
///
/// clock.advance(60);
/// assert_eq!(clock.now(), 1_800_000_060);
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicU64,
    monotonic: AtomicU64,
}

impl ManualClock {
    /// Creates a clock that shows this many seconds since the Unix epoch.
    #[must_use]
    pub const fn at(now: u64) -> Self {
        Self { now: AtomicU64::new(now), monotonic: AtomicU64::new(0) }
    }

    /// Moves both clocks forward by this many seconds.
    pub fn advance(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
        self.monotonic.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Sets the wall clock forward or back to this many seconds since the Unix epoch. The monotonic clock stands still, as
    /// when an administrator sets the time, or while the machine is suspended.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// ATK-27, ATK-29: the wall clock can be set back, and the monotonic clock can stand still.
    #[test]
    fn a_deadline_is_reached_by_the_clock_that_goes_further() {
        let clock = ManualClock::at(1_000_000);
        let start = Moment::now(&clock);
        let deadline = Deadline::after(start, Duration::from_secs(60));
        clock.advance(59);
        assert!(!deadline.has_passed(Moment::now(&clock)), "both clocks at 59 s");
        clock.set_wall_clock(1);
        assert!(!deadline.has_passed(Moment::now(&clock)), "a wall clock that was set back ends nothing");
        assert_eq!(Moment::now(&clock).since(start), Duration::from_secs(59), "nor does it make anything younger");
        clock.advance(1);
        assert!(deadline.has_passed(Moment::now(&clock)), "and prolongs nothing");
        let start = Moment::now(&clock);
        let deadline = Deadline::after(start, Duration::from_secs(60));
        clock.set_wall_clock(start.seconds() + 59);
        assert!(!deadline.has_passed(Moment::now(&clock)), "59 s of suspension");
        clock.set_wall_clock(start.seconds() + 60);
        assert!(deadline.has_passed(Moment::now(&clock)), "60 s of suspension");
        assert_eq!(Moment::now(&clock).since(start), Duration::from_secs(60));
    }

    #[test]
    fn an_arc_of_a_clock_is_the_same_clock() {
        /// Shows fractions of seconds on the wall clock.
        struct Fractions;

        impl Clock for Fractions {
            fn now(&self) -> u64 {
                7
            }

            fn monotonic(&self) -> Duration {
                Duration::from_millis(1_500)
            }

            fn wall(&self) -> Duration {
                Duration::from_millis(7_250)
            }
        }

        fn times(clock: &impl Clock) -> (u64, Duration, Duration) {
            (clock.now(), clock.monotonic(), clock.wall())
        }

        let shared: Arc<dyn Clock> = Arc::new(Fractions);
        assert_eq!(times(&Arc::new(Fractions)), times(&Fractions));
        assert_eq!(times(&shared), times(&Fractions));
    }

    #[test]
    fn the_system_clock_has_the_same_time_in_seconds_and_in_full() {
        let clock = SystemClock::default();
        let (before, exact, after) = (clock.now(), clock.wall(), clock.now());
        assert!((before..=after).contains(&exact.as_secs()));
        assert!(before > 1_600_000_000);
    }
}
