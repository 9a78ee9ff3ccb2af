//! How full the in-memory replay stores are: totals of all stores of the process with the same use.
//!
//! A store counts from its first entry on. Each change writes the total that is taken as it is then, so a recorder that is
//! installed late, or forgets a series, shows it after the next change. The total capacity is written when it changes, when
//! places become free, and once in 64 places. Two changes at the same time may write in the wrong order; the next one corrects
//! that.

#[cfg(feature = "metrics")]
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What an in-memory store is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StoreUse {
    /// It is the store.
    Store,
    /// It remembers what a shared store knows.
    #[cfg(feature = "redis")]
    BesideRedis,
}

/// What one store adds to the totals.
#[derive(Debug)]
pub(crate) struct Occupancy {
    #[cfg(feature = "metrics")]
    of: StoreUse,
    #[cfg(feature = "metrics")]
    is_counted: AtomicBool,
}

impl Occupancy {
    pub(crate) const fn of(of: StoreUse) -> Self {
        #[cfg(not(feature = "metrics"))]
        let _ = of;
        Self {
            #[cfg(feature = "metrics")]
            of,
            #[cfg(feature = "metrics")]
            is_counted: AtomicBool::new(false),
        }
    }

    /// Counts places that are taken in a store of this capacity.
    pub(crate) fn taken(&self, places: usize, capacity: usize) {
        #[cfg(feature = "metrics")]
        {
            let totals = self.of.totals();
            let is_new = !self.is_counted.swap(true, Ordering::Relaxed);
            if is_new {
                totals.capacity.fetch_add(capacity, Ordering::Relaxed);
            }
            let before = totals.taken.fetch_add(places, Ordering::Relaxed);
            self.of.write_taken();
            if is_new || before % 64 + places >= 64 {
                self.of.write_capacity();
            }
        }
        let _ = (places, capacity);
    }

    /// Counts places that are free again.
    pub(crate) fn freed(&self, places: usize) {
        #[cfg(feature = "metrics")]
        {
            self.of.totals().taken.fetch_sub(places, Ordering::Relaxed);
            self.of.write_taken();
            self.of.write_capacity();
        }
        let _ = places;
    }

    /// Stops to count a store that is dropped.
    pub(crate) fn dropped(&self, taken: usize, capacity: usize) {
        #[cfg(feature = "metrics")]
        if self.is_counted.load(Ordering::Relaxed) {
            self.of.totals().capacity.fetch_sub(capacity, Ordering::Relaxed);
            self.freed(taken);
        }
        let _ = (taken, capacity);
    }
}

#[cfg(feature = "metrics")]
struct Totals {
    taken: AtomicUsize,
    capacity: AtomicUsize,
}

#[cfg(feature = "metrics")]
impl Totals {
    const fn none() -> Self {
        Self { taken: AtomicUsize::new(0), capacity: AtomicUsize::new(0) }
    }
}

#[cfg(feature = "metrics")]
impl StoreUse {
    fn totals(self) -> &'static Totals {
        static STORES: Totals = Totals::none();
        #[cfg(feature = "redis")]
        static BESIDE_REDIS: Totals = Totals::none();
        match self {
            Self::Store => &STORES,
            #[cfg(feature = "redis")]
            Self::BesideRedis => &BESIDE_REDIS,
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn write_taken(self) {
        let taken = self.totals().taken.load(Ordering::Relaxed) as f64;
        match self {
            Self::Store => metrics::gauge!("pop_replay_store_entries", "store" => "memory").set(taken),
            #[cfg(feature = "redis")]
            Self::BesideRedis => metrics::gauge!("pop_replay_store_entries", "store" => "beside_redis").set(taken),
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn write_capacity(self) {
        let capacity = self.totals().capacity.load(Ordering::Relaxed) as f64;
        match self {
            Self::Store => metrics::gauge!("pop_replay_store_max_entries", "store" => "memory").set(capacity),
            #[cfg(feature = "redis")]
            Self::BesideRedis => {
                metrics::gauge!("pop_replay_store_max_entries", "store" => "beside_redis").set(capacity);
            }
        }
    }
}
