//! What must hold in every order.

use std::sync::Arc;

use pop_core::ReplayError;
use pop_core::replay::{QuotaOwner, ReplayEntry, ReplayKey, ReplayTimes};
use shuttle::thread;
use tower_pop::replay::{ReplayAnswer, ReplayStore};

use super::memory::MemoryReplayStore;
use crate::clock::ManualClock;
use crate::{NOW, check};

const LIFETIME: u64 = 91;

type Outcome = Result<(), ReplayError>;

/// A proof of a client, which was made at `NOW`. Clients with even and odd numbers are in different shards.
fn proof(client: u8, number: u8) -> ReplayEntry {
    let mut digest = [7; 32];
    (digest[0], digest[30], digest[31]) = (number, number, client);
    let mut owner = [3; 32];
    owner[31] = client;
    let times = ReplayTimes { issued_at: NOW, expires_at: NOW + LIFETIME, now: NOW };
    ReplayEntry::new(ReplayKey::from_digest(digest), QuotaOwner::key(owner), times)
}

fn made_at(mut entry: ReplayEntry, time: u64) -> ReplayEntry {
    (entry.issued_at, entry.expires_at, entry.now) = (time, time + LIFETIME, time);
    entry
}

fn seen_at(mut entry: ReplayEntry, now: u64) -> ReplayEntry {
    entry.now = now;
    entry
}

fn insert(store: &MemoryReplayStore, entry: ReplayEntry) -> Outcome {
    let ReplayAnswer::Now(result) = store.insert(entry) else { panic!("the store in memory answers at once") };
    result.map(drop)
}

fn store(capacity: usize) -> (Arc<MemoryReplayStore>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    (Arc::new(MemoryReplayStore::with_capacity(capacity).per_key(capacity).clock(clock.clone())), clock)
}

/// Inserts the entries of each thread in turn. Returns the outcomes of each thread.
fn concurrently(store: &Arc<MemoryReplayStore>, threads: Vec<Vec<ReplayEntry>>) -> Vec<Vec<Outcome>> {
    let threads = threads.into_iter().map(|entries| {
        let store = Arc::clone(store);
        thread::spawn(move || entries.into_iter().map(|entry| insert(&store, entry)).collect())
    });
    let threads: Vec<_> = threads.collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn accepted(outcomes: &[Vec<Outcome>]) -> usize {
    outcomes.iter().flatten().filter(|outcome| outcome.is_ok()).count()
}

/// REPLAY-05
#[test]
fn one_of_many_copies_is_accepted() {
    check(|| {
        let (store, _) = store(10);
        let outcomes = concurrently(&store, vec![vec![proof(0, 1), proof(1, 1)]; 3]);
        assert_eq!(accepted(&outcomes), 2, "{outcomes:?}");
        let rejected = outcomes.iter().flatten().filter(|outcome| **outcome == Err(ReplayError::Replayed)).count();
        assert_eq!(rejected, 4, "{outcomes:?}");
        assert_eq!(store.len(), 2);
    });
}

/// REPLAY-07: a place is neither lost nor given twice, by shards that look for one at the same time.
#[test]
fn as_many_proofs_are_accepted_as_there_are_places() {
    check(|| {
        let (store, _) = store(3);
        let threads = (0..3).map(|client| vec![proof(client, 1), proof(client, 2)]).collect();
        let outcomes = concurrently(&store, threads);
        assert_eq!(accepted(&outcomes), 3, "{outcomes:?}");
        let full = outcomes.iter().flatten().filter(|outcome| **outcome == Err(ReplayError::Full)).count();
        assert_eq!((full, store.len()), (3, 3), "{outcomes:?}");
    });
}

/// REPLAY-07: also of the places of entries that expire meanwhile.
#[test]
fn the_places_of_expired_proofs_are_given_once() {
    check(|| {
        let (store, clock) = store(4);
        for client in 0..4 {
            assert_eq!(insert(&store, proof(client, 1)), Ok(()));
        }
        clock.advance(LIFETIME + 60);
        let later = NOW + LIFETIME + 60;
        let threads = (0..3).map(|client| vec![made_at(proof(client, 2), later), made_at(proof(client, 3), later)]);
        let outcomes = concurrently(&store, threads.collect());
        // While another thread holds a shard, the places of its expired entries cannot be taken.
        assert!((1..=4).contains(&accepted(&outcomes)), "{outcomes:?}");
        let held = accepted(&outcomes);
        assert!(store.len() <= 4, "{}", store.len());
        let more = (0..8).map(|number| insert(&store, made_at(proof(number, 4), later)).is_ok());
        assert_eq!(held + more.filter(|accepted| *accepted).count(), 4, "{outcomes:?}");
    });
}

/// REPLAY-07: one key gets its share, and not more.
#[test]
fn a_client_gets_its_share_once() {
    check(|| {
        let clock = Arc::new(ManualClock::at(NOW));
        let store = Arc::new(MemoryReplayStore::with_capacity(20).per_key(2).clock(clock));
        let outcomes = concurrently(&store, (1..=3).map(|number| vec![proof(0, number)]).collect());
        assert_eq!(accepted(&outcomes), 2, "{outcomes:?}");
        let quota = |outcome: &&Outcome| matches!(outcome, Err(ReplayError::KeyQuota { .. }));
        assert_eq!(outcomes.iter().flatten().filter(quota).count(), 1, "{outcomes:?}");
    });
}

/// REPLAY-12: a request that looked at the clock before its proof was dropped as expired.
#[test]
fn a_late_copy_of_a_dropped_proof_is_rejected() {
    check(|| {
        let (store, clock) = store(10);
        assert_eq!(insert(&store, proof(0, 1)), Ok(()));
        clock.advance(LIFETIME + 60);
        let later = NOW + LIFETIME + 60;
        let copy = vec![seen_at(proof(0, 1), NOW + 1), seen_at(proof(0, 1), NOW + LIFETIME - 1)];
        let dropping = vec![made_at(proof(0, 2), later), made_at(proof(1, 2), later)];
        let outcomes = concurrently(&store, vec![copy, dropping]);
        assert_eq!(outcomes[0], [Err(ReplayError::Replayed); 2], "{outcomes:?}");
        assert_eq!(outcomes[1], [Ok(()); 2], "{outcomes:?}");
    });
}
