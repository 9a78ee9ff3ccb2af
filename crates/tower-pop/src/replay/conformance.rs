//! What every [`ReplayStore`] must do, as a check to be run in the tests of a store:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use tower_pop::replay::{MemoryReplayStore, conformance};
//!
//! conformance::check(MemoryReplayStore::default(), 1_800_000_000).await;
//! # }
//! ```

use std::sync::Arc;

use pop_core::jose::JwkThumbprint;
use pop_core::replay::{ReplayEntry, ReplayKey};
use pop_core::target::{Origin, RequestTarget};

use super::{ReplayError, ReplayStore};

/// Runs all checks against an empty store with room for at least 200 entries, whose clock shows `now`.
///
/// # Panics
/// When the store breaks its contract.
pub async fn check(store: impl ReplayStore, now: u64) {
    let store = Arc::new(store);
    accepts_once(&*store, now).await;
    keeps_keys_apart(&*store, now).await;
    remembers_future_proofs_until_they_expire(&*store, now).await;
    refuses_what_has_expired(&*store, now).await;
    lets_one_of_many_pass(Arc::clone(&store), now).await;
}

/// An entry of the client with this number, for a proof with this `jti`, that lives for 91 s from `issued_at`.
#[must_use]
pub fn entry(client: u8, jti: &str, issued_at: u64, now: u64) -> ReplayEntry {
    let jkt = thumbprint(client);
    ReplayEntry::new(key(&jkt, "/", jti), jkt, issued_at, 91, now)
}

fn thumbprint(client: u8) -> JwkThumbprint {
    let text = pop_core::jose::encode([client; 32]);
    JwkThumbprint::parse(&text).unwrap_or_else(|_| unreachable!("32 bytes make a thumbprint"))
}

fn key(jkt: &JwkThumbprint, path: &str, jti: &str) -> ReplayKey {
    let origin = Origin::parse("https://api.example").unwrap_or_else(|_| unreachable!("a valid origin"));
    let target = RequestTarget::new(&origin, path).unwrap_or_else(|_| unreachable!("a valid path"));
    ReplayKey::dpop(jkt, &target, jti)
}

async fn accepts_once(store: &impl ReplayStore, now: u64) {
    let entry = entry(1, "accepts_once", now, now);
    assert!(store.insert(entry).wait().await.is_ok(), "the first use passes");
    assert_eq!(store.insert(entry).wait().await.err(), Some(ReplayError::Replayed), "the second is a replay");
}

async fn keeps_keys_apart(store: &impl ReplayStore, now: u64) {
    for (client, path, jti) in [(2, "/", "A"), (3, "/", "A"), (2, "/other", "A"), (2, "/", "a"), (2, "/", "A\u{301}")] {
        let jkt = thumbprint(client);
        let entry = ReplayEntry::new(key(&jkt, path, jti), jkt, now, 91, now);
        assert!(store.insert(entry).wait().await.is_ok(), "{client} {path} {jti:?} is another key");
    }
}

async fn remembers_future_proofs_until_they_expire(store: &impl ReplayStore, now: u64) {
    let early = entry(4, "from the future", now + 30, now);
    assert!(store.insert(early).wait().await.is_ok());
    let mut late = early;
    late.now = now + 120;
    assert_eq!(store.insert(late).wait().await.err(), Some(ReplayError::Replayed), "still acceptable, so remembered");
}

async fn refuses_what_has_expired(store: &impl ReplayStore, now: u64) {
    let expired = entry(5, "expired", now - 91, now);
    assert!(store.insert(expired).wait().await.is_err(), "what would not be remembered must not pass");
}

async fn lets_one_of_many_pass(store: Arc<impl ReplayStore>, now: u64) {
    let entry = entry(6, "race", now, now);
    let racers: Vec<_> = (0..100)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.insert(entry).wait().await.is_ok() })
        })
        .collect();
    let mut passed = 0;
    for racer in racers {
        passed += usize::from(racer.await.unwrap_or(false));
    }
    assert_eq!(passed, 1, "exactly one of 100 concurrent uses passes");
}
