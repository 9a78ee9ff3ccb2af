//! The replay store in Redis, with real servers. A test whose server is not installed prints `LEFT OUT`, and fails where
//! POPLAYER_REQUIRE_REDIS is set.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod failover;
mod history;
mod layer;
mod outages;
mod replicas;
mod setup;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tower_pop::replay::{RedisReplayStore, ReplayEntry, ReplayError, ReplayStore, conformance};

const TIMEOUT: Duration = Duration::from_millis(300);
/// A limit that tells "never" from "slowly". How long recovery takes is measured by tests/faults.
const SOON: Duration = Duration::from_secs(10);

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn store(url: &str) -> RedisReplayStore {
    RedisReplayStore::builder(url).timeout(TIMEOUT).build().unwrap()
}

/// A proof that was made now.
fn entry(client: u8, jti: &str) -> ReplayEntry {
    conformance::entry(client, jti, now(), now())
}

async fn insert(store: &RedisReplayStore, entry: ReplayEntry) -> Result<(), ReplayError> {
    store.insert(entry).wait().await.map(drop)
}

/// Inserts a new proof again and again, until the store accepts it.
async fn until_accepted(store: &RedisReplayStore) {
    let start = std::time::Instant::now();
    for number in 0.. {
        let jti = format!("until accepted {number} {start:?}");
        match insert(store, entry(200, &jti)).await {
            Ok(()) => return,
            Err(error) => assert_eq!(error, ReplayError::Unavailable),
        }
        assert!(start.elapsed() < SOON, "the store does not come back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
