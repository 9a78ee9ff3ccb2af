//! The conformance check passes good stores and fails those that break the contract in one point each.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tower_pop::clock::{Clock, ManualClock, SystemClock};
use tower_pop::replay::{
    FirstUse, MemoryReplayStore, ReplayAnswer, ReplayEntry, ReplayError, ReplayKey, ReplayStore, conformance,
};

use super::store;
use crate::support::NOW;

/// How a store is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Keeps this many entries and evicts the oldest for new ones.
    Keeps(usize),
    /// Entries end after this many seconds of real time.
    EndsReally(u64),
    /// Entries end this many seconds after they came, whatever their `expires_at`.
    EndsAfter(u64),
    /// Checks under one lock and records under another.
    ChecksThenSets,
    /// The same with a wait in between.
    ChecksThenSetsLater,
    /// Passes entries from the future and does not record them.
    ForgetsFuture,
    /// Compares the client alone.
    ByClient,
    /// Compares part of the key.
    ByPrefix,
    /// Passes expired entries.
    PassesExpired,
    /// Drops expired entries by `entry.now`, and does not notice when that steps back.
    NoHorizon,
    /// Panics in one of many inserts.
    Panics,
    /// Reports the quota of a client when the store is full.
    BlamesClients,
    /// Never has room again.
    StaysFull,
    /// Reports that it is full at half of its capacity.
    HalfEmpty,
    /// Reports replays as a full store when it is full.
    FullOfReplays,
}

/// Keys with their end and when they came, in the order in which they came.
type Held = Vec<(Vec<u8>, u64, Instant)>;
type Index = HashMap<Vec<u8>, (u64, Instant)>;

/// An exact store on a clock of its own.
struct Own {
    clock: Arc<dyn Clock>,
    capacity: usize,
    fault: Fault,
    held: Arc<Mutex<Held>>,
    index: Arc<Mutex<Index>>,
}

impl Own {
    fn new(clock: Arc<dyn Clock>, capacity: usize, fault: Fault) -> Self {
        Self { clock, capacity, fault, held: Arc::default(), index: Arc::default() }
    }

    fn key(&self, key: &ReplayKey, entry: &ReplayEntry) -> Vec<u8> {
        match self.fault {
            Fault::ByClient => entry.client.as_bytes().to_vec(),
            Fault::ByPrefix => key.as_bytes()[..16].to_vec(),
            _ => key.as_bytes().to_vec(),
        }
    }

    fn answer(&self, entry: &ReplayEntry) -> Result<FirstUse, ReplayError> {
        let own = self.clock.now();
        let by_entry = self.fault == Fault::NoHorizon;
        let now = if by_entry { entry.now } else { own.max(entry.now) };
        if self.fault != Fault::PassesExpired && entry.expires_at <= now {
            return Err(ReplayError::Replayed);
        }
        if self.fault == Fault::ForgetsFuture && entry.issued_at > entry.now {
            return Ok(FirstUse::assertion());
        }
        let key = self.key(&entry.key, entry);
        let mut index = self.index.lock().unwrap();
        let mut held = self.held.lock().unwrap();
        let lives = |end: u64, came: Instant| match self.fault {
            Fault::EndsReally(seconds) => came.elapsed() < Duration::from_secs(seconds),
            Fault::StaysFull => true,
            Fault::NoHorizon => end > entry.now,
            _ => end > own,
        };
        index.retain(|_, (end, came)| lives(*end, *came));
        held.retain(|(_, end, came)| lives(*end, *came));
        let full = held.len() >= self.capacity;
        if self.fault == Fault::FullOfReplays && full {
            return Err(ReplayError::Full);
        }
        if index.contains_key(&key) {
            return Err(ReplayError::Replayed);
        }
        if self.fault == Fault::ChecksThenSets {
            drop((index, held));
            std::thread::sleep(WINDOW);
            index = self.index.lock().unwrap();
            held = self.held.lock().unwrap();
        }
        match self.fault {
            Fault::Keeps(entries) if held.len() >= entries => {
                index.remove(&held.remove(0).0);
            }
            Fault::BlamesClients if full => return Err(ReplayError::KeyQuota { retry_after: 1 }),
            Fault::HalfEmpty if held.len() * 2 >= self.capacity => return Err(ReplayError::Full),
            Fault::Panics if held.len() == 250 => panic!("broken"),
            _ if full => return Err(ReplayError::Full),
            _ => {}
        }
        let end = match self.fault {
            Fault::EndsAfter(seconds) => own + seconds,
            _ => entry.expires_at,
        };
        index.insert(key.clone(), (end, Instant::now()));
        held.push((key, end, Instant::now()));
        Ok(FirstUse::assertion())
    }
}

impl ReplayStore for Own {
    fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
        if self.fault != Fault::ChecksThenSetsLater {
            return ReplayAnswer::Now(self.answer(&entry));
        }
        let (index, key) = (Arc::clone(&self.index), self.key(&entry.key, &entry));
        let expired = entry.expires_at <= self.clock.now();
        ReplayAnswer::Later(Box::pin(async move {
            if expired || index.lock().unwrap().contains_key(&key) {
                return Err(ReplayError::Replayed);
            }
            tokio::time::sleep(WINDOW).await;
            index.lock().unwrap().insert(key, (entry.expires_at, Instant::now()));
            Ok(FirstUse::assertion())
        }))
    }
}

const CAPACITY: u32 = 5_000;

/// The time between check and insert in the stores that race: longer than a busy machine takes to start another insert.
const WINDOW: Duration = Duration::from_millis(10);

fn own(fault: Fault) -> (Own, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    (Own::new(clock.clone(), CAPACITY as usize, fault), clock)
}

fn passing(clock: Arc<ManualClock>) -> impl FnMut(Duration) -> std::future::Ready<()> {
    move |time| {
        clock.advance(time.as_secs());
        ready(())
    }
}

async fn check(fault: Fault) -> Result<(), tokio::task::JoinError> {
    let (store, _) = own(fault);
    tokio::spawn(conformance::check(store, NOW)).await
}

async fn check_with(fault: Fault) -> Result<(), tokio::task::JoinError> {
    let (store, clock) = own(fault);
    tokio::spawn(conformance::check_with(store, NOW, passing(clock))).await
}

async fn check_full(fault: Fault) -> Result<(), tokio::task::JoinError> {
    let (store, clock) = own(fault);
    tokio::spawn(conformance::check_full(store, CAPACITY, NOW, passing(clock))).await
}

#[tokio::test]
async fn the_memory_store_passes_the_conformance_check() {
    conformance::check(store(&Arc::new(ManualClock::at(NOW))), NOW).await;
    conformance::check(MemoryReplayStore::default(), SystemClock::default().now()).await;
    for capacity in [2_000, 5_000, 100_000] {
        let clock = Arc::new(ManualClock::at(NOW));
        let store = || MemoryReplayStore::with_capacity(capacity as usize).clock(clock.clone());
        conformance::check_with(store(), NOW, passing(Arc::clone(&clock))).await;
        conformance::check_full(store(), capacity, NOW + 1_000, passing(Arc::clone(&clock))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exact_store_with_its_own_clock_passes_the_conformance_check() {
    check(Fault::None).await.unwrap();
    check_with(Fault::None).await.unwrap();
    check_full(Fault::None).await.unwrap();
    let real = Own::new(Arc::new(SystemClock::default()), 5_000, Fault::None);
    conformance::check(real, SystemClock::default().now()).await;
}

/// REPLAY-04, REPLAY-05, REPLAY-07, REPLAY-12: stores that forget, race, overflow or revive.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_breaks_the_contract_fails_the_conformance_check() {
    let by_itself = [
        Fault::Keeps(8),
        Fault::Keeps(900),
        Fault::EndsReally(1),
        Fault::ChecksThenSets,
        Fault::ChecksThenSetsLater,
        Fault::ForgetsFuture,
        Fault::ByClient,
        Fault::ByPrefix,
        Fault::PassesExpired,
        Fault::NoHorizon,
        Fault::Panics,
    ];
    for fault in by_itself {
        assert!(check(fault).await.is_err(), "{fault:?}");
    }
    for fault in by_itself.into_iter().chain([Fault::EndsAfter(1), Fault::EndsAfter(60), Fault::EndsAfter(91)]) {
        if fault != Fault::EndsReally(1) {
            assert!(check_with(fault).await.is_err(), "{fault:?}");
        }
    }
    for fault in [
        Fault::Keeps(8),
        Fault::Keeps(4_999),
        Fault::Keeps(5_000),
        Fault::BlamesClients,
        Fault::StaysFull,
        Fault::HalfEmpty,
        Fault::FullOfReplays,
    ] {
        assert!(check_full(fault).await.is_err(), "{fault:?}");
    }
}
