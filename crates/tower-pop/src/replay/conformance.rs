//! Checks of the contract of [`ReplayStore`], for the tests of a store:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use std::sync::Arc;
//! use tower_pop::clock::ManualClock;
//! use tower_pop::replay::{MemoryReplayStore, conformance};
//!
//! const NOW: u64 = 1_800_000_000;
//! let clock = Arc::new(ManualClock::at(NOW));
//! let pass = |time: std::time::Duration| {
//!     clock.advance(time.as_secs());
//!     std::future::ready(())
//! };
//! let store = || MemoryReplayStore::with_capacity(5_000).clock(clock.clone());
//! conformance::check_with(store(), NOW, pass).await;
//! conformance::check_full(store(), 5_000, NOW + 1_000, pass).await;
//! # }
//! ```
//!
//! | check | needs | finds |
//! |---|---|---|
//! | [`check`] | nothing; takes about two seconds | errors of a store without its own clock; for a store on the system clock, entries that are lost within a second |
//! | [`check_with`] | a function that lets time pass on the store's clock | all that [`check`] finds, and entries that are lost before `expires_at` |
//! | [`check_full`] | the same function, and the capacity of the store | live entries that are dropped for new ones |
//!
//! The checks need a tokio runtime.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use pop_core::ReplayError;
use pop_core::jose::JwkThumbprint;
use pop_core::replay::{FirstUse, ReplayEntry, ReplayKey, ReplayTimes};
use pop_core::target::{Origin, RequestTarget};

use super::store::ReplayStore;

/// The seconds from `iat` to the end of an [`entry`].
const LIFETIME: u64 = 91;
/// The number of entries that must be remembered at the same time.
const MANY: u32 = 1_000;

/// Checks an empty store at the time `now`. The store must have a capacity of at least 2,000 entries, and allow one client 100
/// of them. If the store has its own clock, that clock must show `now`; it may stand still. The check waits for 1.5 seconds,
/// in which no entry may be lost.
///
/// # Panics
/// If the store breaks its contract.
pub async fn check(store: impl ReplayStore, now: u64) {
    let mut waited = false;
    let wait = move |_| {
        let first = !std::mem::replace(&mut waited, true);
        async move {
            if first {
                wait_in_real_time(Duration::from_millis(1500)).await;
            }
        }
    };
    check_with(store, now, wait).await;
}

/// Checks an empty store like [`check`], and also that entries live until they expire. `pass` lets this much time pass on the
/// store's own clock, about 400 seconds in total. For a store on a real clock, it must wait that long.
///
/// # Panics
/// If the store breaks its contract.
pub async fn check_with<F: Future<Output = ()>>(
    store: impl ReplayStore,
    now: u64,
    mut pass: impl FnMut(Duration) -> F,
) {
    let store = Arc::new(store);
    accepts_once(&*store, now).await;
    keeps_keys_apart(&*store, now).await;
    rejects_expired_entries(&*store, now).await;
    accepts_one_of_many_tasks(&store, now).await;
    accepts_one_of_many_threads(&store, now).await;
    let now = remembers_many_until_they_expire(&*store, now, &mut pass).await;
    remembers_when_the_clock_steps_back(&*store, now, &mut pass).await;
}

/// Checks an empty store with this capacity: when it is full, it must reject new entries and keep all live ones, and it must
/// accept new entries when those have expired. Each client has one entry. The store may reject entries as full when up to a
/// tenth of it is free. `pass` is the function of [`check_with`].
///
/// # Panics
/// If the store breaks its contract.
pub async fn check_full<F: Future<Output = ()>>(
    store: impl ReplayStore,
    capacity: u32,
    now: u64,
    mut pass: impl FnMut(Duration) -> F,
) {
    let numbered = |number: u32| of_client(number, "full", now, now);
    let mut held = 0;
    let full = loop {
        assert!(held <= capacity, "a store for {capacity} entries accepted {held} and is not full");
        match insert(&store, numbered(held)).await {
            Ok(_) => held += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full, ReplayError::Full, "entry {held} of {capacity}, the first one of its client");
    assert!(held >= capacity - capacity / 10, "a store for {capacity} entries is full with {held}");
    for number in 0..held {
        let again = insert(&store, numbered(number)).await.err();
        assert_eq!(again, Some(ReplayError::Replayed), "entry {number} of {held} in a full store");
    }
    assert!(insert(&store, numbered(held)).await.is_err(), "a full store must stay full after a rejected entry");
    pass(Duration::from_secs(200)).await;
    let later = now + 200;
    assert!(
        insert(&store, of_client(0, "later", later, later)).await.is_ok(),
        "a store must accept entries again when all others have expired"
    );
}

/// Returns an entry of the client with this number, for a proof with this `jti`. It expires 91 s after `issued_at`.
#[must_use]
pub fn entry(client: u8, jti: &str, issued_at: u64, now: u64) -> ReplayEntry {
    let jkt = thumbprint([client; 32]);
    ReplayEntry::new(key(&jkt, "/", jti), jkt, times(issued_at, now))
}

/// Returns an entry like [`entry`], for more clients than a `u8` can number.
fn of_client(client: u32, jti: &str, issued_at: u64, now: u64) -> ReplayEntry {
    let mut bytes = [0xcc; 32];
    for (byte, value) in bytes.iter_mut().zip(client.to_be_bytes()) {
        *byte = value;
    }
    let jkt = thumbprint(bytes);
    ReplayEntry::new(key(&jkt, "/", jti), jkt, times(issued_at, now))
}

const fn times(issued_at: u64, now: u64) -> ReplayTimes {
    ReplayTimes { issued_at, expires_at: issued_at.saturating_add(LIFETIME), now }
}

fn thumbprint(bytes: [u8; 32]) -> JwkThumbprint {
    let encoded = pop_core::jose::encode(bytes);
    JwkThumbprint::parse(&encoded).unwrap_or_else(|_| unreachable!("32 bytes make a thumbprint"))
}

fn key(jkt: &JwkThumbprint, path: &str, jti: &str) -> ReplayKey {
    let origin = Origin::parse("https://api.example").unwrap_or_else(|_| unreachable!("a valid origin"));
    let target = RequestTarget::new(&origin, path).unwrap_or_else(|_| unreachable!("a valid path"));
    ReplayKey::dpop(jkt, &target, jti)
}

async fn insert(store: &impl ReplayStore, entry: ReplayEntry) -> Result<FirstUse, ReplayError> {
    store.insert(entry).wait().await
}

async fn must_be_a_replay(store: &impl ReplayStore, entry: ReplayEntry, what: &str) {
    assert_eq!(insert(store, entry).await.err(), Some(ReplayError::Replayed), "{what}");
}

async fn accepts_once(store: &impl ReplayStore, now: u64) {
    for (issued_at, what) in [(now, "made now"), (now - 60, "made a minute ago"), (now + 30, "dated in the future")] {
        let entry = entry(1, &format!("accepts_once {issued_at}"), issued_at, now);
        assert!(insert(store, entry).await.is_ok(), "the first use of a proof {what} must be accepted");
        must_be_a_replay(store, entry, &format!("the second use of a proof {what}")).await;
    }
}

async fn keeps_keys_apart(store: &impl ReplayStore, now: u64) {
    for (client, path, jti) in [(2, "/", "A"), (3, "/", "A"), (2, "/other", "A"), (2, "/", "a"), (2, "/", "A\u{301}")] {
        let jkt = thumbprint([client; 32]);
        let entry = ReplayEntry::new(key(&jkt, path, jti), jkt, times(now, now));
        assert!(insert(store, entry).await.is_ok(), "{client} {path} {jti:?} is another key and must be accepted");
    }
    // Every byte of a key counts.
    let first = entry(4, "every byte", now, now);
    assert!(insert(store, first).await.is_ok());
    for at in 0..32 {
        let mut bytes = *first.key.as_bytes();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        let mut other = first;
        other.key = ReplayKey::from_digest(bytes);
        assert!(
            insert(store, other).await.is_ok(),
            "a key that differs only in byte {at} is another key and must be accepted"
        );
    }
}

async fn rejects_expired_entries(store: &impl ReplayStore, now: u64) {
    for age in [LIFETIME, LIFETIME + 1, 100_000] {
        let expired = entry(5, &format!("expired {age}"), now - age, now);
        must_be_a_replay(store, expired, "an expired entry, which would not be remembered").await;
    }
}

/// For stores that return a future: all inserts start before the first one ends, in one task, and then in many tasks.
async fn accepts_one_of_many_tasks(store: &Arc<impl ReplayStore>, now: u64) {
    let entry = entry(6, "futures", now, now);
    let results = join_all((0..100).map(|_| insert(&**store, entry))).await;
    let passed = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(passed, 1, "exactly one of 100 concurrent uses must be accepted");
    accepts_one_of_many_spawned_tasks(store, now).await;
}

async fn accepts_one_of_many_spawned_tasks(store: &Arc<impl ReplayStore>, now: u64) {
    let entry = entry(6, "tasks", now, now);
    let racers: Vec<_> = (0..100)
        .map(|_| {
            let store = Arc::clone(store);
            tokio::spawn(async move { insert(&*store, entry).await.is_ok() })
        })
        .collect();
    let mut passed = 0;
    for racer in racers {
        passed += usize::from(racer.await.unwrap_or(false));
    }
    assert_eq!(passed, 1, "exactly one of 100 concurrent uses must be accepted");
}

/// For stores that return at once: threads that start at the same time, in many rounds.
async fn accepts_one_of_many_threads(store: &Arc<impl ReplayStore>, now: u64) {
    const THREADS: usize = 4;
    const ROUNDS: usize = 300;
    let passed: Arc<Vec<AtomicUsize>> = Arc::new((0..ROUNDS).map(|_| AtomicUsize::new(0)).collect());
    let arrived = Arc::new(AtomicUsize::new(0));
    let runtime = tokio::runtime::Handle::current();
    let racers: Vec<_> = (0..THREADS)
        .map(|_| {
            let (store, passed, arrived) = (Arc::clone(store), Arc::clone(&passed), Arc::clone(&arrived));
            let runtime = runtime.clone();
            tokio::task::spawn_blocking(move || {
                for (round, passed) in passed.iter().enumerate() {
                    let number = u32::try_from(round).unwrap_or(u32::MAX);
                    let entry = of_client(number, "threads", now, now);
                    arrived.fetch_add(1, Ordering::SeqCst);
                    while arrived.load(Ordering::SeqCst) < (round + 1) * THREADS {
                        std::thread::yield_now();
                    }
                    let first = runtime.block_on(store.insert(entry).wait());
                    passed.fetch_add(usize::from(first.is_ok()), Ordering::SeqCst);
                }
            })
        })
        .collect();
    for racer in racers {
        assert!(racer.await.is_ok(), "a store must not panic");
    }
    let wrong = passed.iter().filter(|passed| passed.load(Ordering::SeqCst) != 1).count();
    assert_eq!(wrong, 0, "exactly one of {THREADS} threads must be accepted in each of {ROUNDS} rounds");
}

/// Returns the time at the end of the check.
async fn remembers_many_until_they_expire<F: Future<Output = ()>>(
    store: &impl ReplayStore,
    now: u64,
    pass: &mut impl FnMut(Duration) -> F,
) -> u64 {
    // Each entry has another client. `iat` is up to 60 s in the past or 30 s in the future, so that equally many expire in
    // each second.
    let numbered = |number: u32| of_client(number, "many", now + 30 - u64::from(number) % LIFETIME, now);
    for number in 0..MANY {
        assert!(insert(store, numbered(number)).await.is_ok(), "entry {number} of {MANY}");
    }
    let mut elapsed = 0;
    for step in [0, 2, 28, 30, 29, 1, 29] {
        if step > 0 {
            pass(Duration::from_secs(step)).await;
        }
        elapsed += step;
        for number in 0..MANY {
            let mut entry = numbered(number);
            entry.now = now + elapsed;
            let what =
                format!("entry {number} of {MANY} after {elapsed} s, which expires after {} s", entry.expires_at - now);
            must_be_a_replay(store, entry, &what).await;
        }
    }
    let later = now + elapsed;
    assert!(
        insert(store, entry(7, "later", later, later)).await.is_ok(),
        "new proofs must be accepted when old ones have expired"
    );
    later
}

/// `now` comes from a clock that can be set back: an accepted proof stays a replay for as long as that clock accepts it.
async fn remembers_when_the_clock_steps_back<F: Future<Output = ()>>(
    store: &impl ReplayStore,
    now: u64,
    pass: &mut impl FnMut(Duration) -> F,
) {
    let old = entry(8, "old", now, now);
    assert!(insert(store, old).await.is_ok());
    pass(Duration::from_secs(200)).await;
    let later = now + 200;
    for number in 0..MANY {
        assert!(insert(store, of_client(number, "later", later, later)).await.is_ok(), "entry {number} 200 s later");
    }
    must_be_a_replay(store, old, "a proof that was accepted before the clock stepped back by 200 s").await;
}

/// Waits in real time, even if tokio's clock is paused.
async fn wait_in_real_time(time: Duration) {
    drop(tokio::task::spawn_blocking(move || std::thread::sleep(time)).await);
}
