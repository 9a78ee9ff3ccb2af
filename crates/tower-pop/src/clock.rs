//! Time, passed in: wall-clock seconds judge tokens and proofs. How long something is kept is judged by both clocks, by
//! whichever went further: while a machine is suspended its monotonic clock may stand still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Seconds since the epoch, by the wall clock.
    fn now(&self) -> u64;

    /// Time since some fixed point; never goes back.
    fn monotonic(&self) -> Duration;

    /// Time since the epoch by the wall clock, of which [`now`](Self::now) is the whole seconds. Defaults to `now`:
    /// caches then end up to a second early.
    fn wall(&self) -> Duration {
        Duration::from_secs(self.now())
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
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
        self.wall().as_secs()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall(&self) -> Duration {
        // A clock before 1970 reads as 1970: every token is then issued in the future and refused.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// What both clocks show at one moment. Reading them takes no lock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    monotonic: Duration,
    wall: Duration,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self { monotonic: clock.monotonic(), wall: clock.wall() }
    }

    /// Seconds since the epoch.
    pub(crate) const fn seconds(self) -> u64 {
        self.wall.as_secs()
    }

    /// The time that has passed since an earlier moment, by the clock that went further. A wall clock that was set back
    /// counts for nothing; one that was set forward makes things older than they are.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let monotonic = self.monotonic.saturating_sub(earlier.monotonic);
        monotonic.max(self.wall.saturating_sub(earlier.wall))
    }
}

/// The end of something that is kept: reached when one of the clocks has reached it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Moment);

impl Deadline {
    /// This long after a moment.
    pub(crate) const fn after(moment: Moment, time: Duration) -> Self {
        Self(Moment { monotonic: moment.monotonic.saturating_add(time), wall: moment.wall.saturating_add(time) })
    }

    pub(crate) fn has_passed(self, now: Moment) -> bool {
        now.monotonic >= self.0.monotonic || now.wall >= self.0.wall
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

    /// Sets the wall clock, forwards or backwards, while the monotonic clock stands still: as when somebody sets it, or
    /// forwards as after a suspension.
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
    fn the_system_clock_has_the_same_time_in_seconds_and_in_full() {
        let clock = SystemClock::default();
        let (before, exact, after) = (clock.now(), clock.wall(), clock.now());
        assert!((before..=after).contains(&exact.as_secs()));
        assert!(before > 1_600_000_000);
    }
}
