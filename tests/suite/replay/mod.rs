//! Each proof passes once (RFC 9449 §11.1).

mod contract;
mod model;
mod proofs;
mod regions;
mod store;

use std::sync::Arc;

use tower_pop::clock::ManualClock;
use tower_pop::replay::{MemoryReplayStore, ReplayAnswer, ReplayEntry, ReplayError, ReplayStore};

fn store(clock: &Arc<ManualClock>) -> MemoryReplayStore {
    MemoryReplayStore::default().clock(Arc::clone(clock))
}

fn insert(store: &impl ReplayStore, entry: ReplayEntry) -> Result<(), ReplayError> {
    match store.insert(entry) {
        ReplayAnswer::Now(answer) => answer.map(drop),
        ReplayAnswer::Later(_) => panic!("this store answers at once"),
    }
}
