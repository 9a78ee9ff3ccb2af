//! Feature `metrics`: how full the replay stores in memory are. A separate program, because the figures are those of a process.
#![allow(clippy::unwrap_used)]

#[path = "metrics/recorder.rs"]
#[allow(dead_code)]
mod recorder;

use std::sync::Arc;
use std::time::Duration;

use tower_pop::clock::ManualClock;
use tower_pop::replay::conformance::entry;
use tower_pop::replay::{MemoryReplayStore, RedisReplayStore, ReplayStore};

use recorder::Notes;

const NOW: u64 = 1_800_000_000;

type Totals = (Option<f64>, Option<f64>);

/// What a recorder shows of the stores with this use: places that are taken, and all.
fn totals(notes: &Notes, store: &str) -> Totals {
    let last = |name: &str| notes.values(&format!("{name} store={store}")).last().copied();
    (last("pop_replay_store_entries"), last("pop_replay_store_max_entries"))
}

async fn insert(store: &impl ReplayStore, client: u8, jti: &str, now: u64) -> bool {
    store.insert(entry(client, jti, now, now)).wait().await.is_ok()
}

/// REPLAY-06: entries are counted while they are in memory, those of all stores together.
#[tokio::test]
async fn the_occupancy_of_replay_stores_is_known() {
    let notes = Notes::default();
    let recorder = metrics::set_default_local_recorder(&notes);
    let clock = Arc::new(ManualClock::at(NOW));
    let first = MemoryReplayStore::with_capacity(5_000).clock(Arc::clone(&clock));
    let second = MemoryReplayStore::with_capacity(2_000);
    assert_eq!(totals(&notes, "memory"), (None, None), "a store that is not used does not count");
    for jti in ["a", "b", "c", "d"] {
        assert!(insert(&first, 1, jti, NOW).await);
    }
    assert!(!insert(&first, 1, "d", NOW).await, "a replay takes no place");
    assert_eq!(totals(&notes, "memory"), (Some(4.0), Some(5_000.0)));
    assert!(insert(&second, 1, "a", NOW).await);
    assert_eq!(totals(&notes, "memory"), (Some(5.0), Some(7_000.0)));
    drop(second);
    assert_eq!(totals(&notes, "memory"), (Some(4.0), Some(5_000.0)), "and counts no more when it is gone");
    clock.advance(600);
    assert!(insert(&first, 1, "e", NOW + 600).await);
    assert_eq!((first.len(), totals(&notes, "memory").0), (1, Some(1.0)), "expired entries are gone");

    // What is remembered beside a shared store does not fill a store.
    let builder = RedisReplayStore::builder("redis://127.0.0.1:1").timeout(Duration::from_millis(50));
    let shared = builder.local_capacity(3_000).dangerous().fall_back_to_this_replica().build().unwrap();
    assert!(insert(&shared, 1, "a", NOW).await);
    assert_eq!(totals(&notes, "beside_redis"), (Some(1.0), Some(3_000.0)));
    assert_eq!(totals(&notes, "memory"), (Some(1.0), Some(5_000.0)));

    // Clients that come and go leave entries in parts of the store that no later request of theirs uses. One request of
    // another client in some seconds cleans up.
    for client in 0..200 {
        assert!(insert(&first, client, "f", NOW + 600).await);
    }
    assert_eq!(totals(&notes, "memory").0, Some(201.0));
    for second in 0..300 {
        clock.advance(7);
        assert!(insert(&first, 201, &second.to_string(), NOW + 607 + 7 * second).await);
    }
    let left = totals(&notes, "memory").0.unwrap();
    assert!(left <= 20.0, "entries of one client within their lifetime, and none of the others: {left}");

    // A recorder that comes late, or lost its series, shows the same.
    drop(recorder);
    let late = Notes::default();
    let _recorder = metrics::set_default_local_recorder(&late);
    assert!(insert(&first, 201, "late", NOW + 2_700).await);
    #[allow(clippy::cast_precision_loss)]
    let entries = first.len() as f64;
    assert_eq!(totals(&late, "memory").0, Some(entries));
    for client in 0..64 {
        assert!(insert(&first, client, "later", NOW + 2_700).await);
    }
    assert_eq!(totals(&late, "memory"), (Some(entries + 64.0), Some(5_000.0)), "the capacity within 64 places");
}
