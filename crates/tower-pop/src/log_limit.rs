//! A limit on log lines that untrusted requests can cause.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Allows one log line a second, however many requests cause it.
pub(crate) struct LogLimit {
    /// The second in which the last line was written, counted from 1 at the first use.
    written: AtomicU64,
    /// The number of causes since the last line.
    suppressed: AtomicU64,
}

impl LogLimit {
    pub(crate) const fn new() -> Self {
        Self { written: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }

    /// Counts one cause. If a line may be written, returns the number of causes since the last line, including this one.
    pub(crate) fn count(&self) -> Option<u64> {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        let second = START.elapsed().as_secs().saturating_add(1);
        let last = self.written.load(Ordering::Relaxed);
        let first =
            second > last && self.written.compare_exchange(last, second, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if first {
            return Some(self.suppressed.swap(0, Ordering::Relaxed).saturating_add(1));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}
