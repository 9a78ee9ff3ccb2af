//! What every [`ReplayStore`] must do, as checks to be run in the tests of a store:
//!
//! ```
//! # #[tokio::main] async fn main() {
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
//! | check | what it needs | what it finds |
//! |---|---|---|
//! | [`check`] | nothing; takes about two seconds | a store that does not look at its own clock at all, or looks at the system's; entries that die within a second |
//! | [`check_with`] | a way to let time pass on the store's own clock | all that [`check`] finds, and entries that die before `expires_at` |
//! | [`check_full`] | the store's capacity, and the same | live entries that are dropped for new ones |
//!
//! They run within tokio.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pop_core::jose::JwkThumbprint;
use pop_core::replay::{ReplayEntry, ReplayKey};
use pop_core::target::{Origin, RequestTarget};

use super::{FirstUse, ReplayError, ReplayStore};

/// Seconds from `iat` to the end of an [`entry`].
const LIFETIME: u64 = 91;
/// Entries that must be remembered together.
const MANY: u32 = 1_000;

/// Checks an empty store with room for at least 2,000 entries, 100 of them of one client, at the time `now`. A store with a
/// clock of its own must show `now` there; it may stand still. Waits for one and a half seconds, in which no entry may be
/// lost.
///
/// # Panics
/// When the store breaks its contract.
pub async fn check(store: impl ReplayStore, now: u64) {
    let mut waited = false;
    let wait = move |_| {
        let first = !std::mem::replace(&mut waited, true);
        async move {
            if first {
                really_wait(Duration::from_millis(1500)).await;
            }
        }
    };
    check_with(store, now, wait).await;
}

/// As [`check`], for a store with a clock of its own that can be told to move: `pass` lets this much time pass there, about
/// 400 seconds in all. For a store on a real clock it waits.
///
/// # Panics
/// When the store breaks its contract.
pub async fn check_with<F: Future<Output = ()>>(
    store: impl ReplayStore,
    now: u64,
    mut pass: impl FnMut(Duration) -> F,
) {
    let store = Arc::new(store);
    accepts_once(&*store, now).await;
    keeps_keys_apart(&*store, now).await;
    rejects_what_has_expired(&*store, now).await;
    lets_one_of_many_tasks_pass(&store, now).await;
    lets_one_of_many_threads_pass(&store, now).await;
    let now = remembers_many_until_they_expire(&*store, now, &mut pass).await;
    remembers_when_the_clock_steps_back(&*store, now, &mut pass).await;
}

/// Checks that an empty store which was made for `capacity` entries rejects new entries when it is full, drops none that
/// lives, and has room again when they have expired. One client has one entry. The store may call itself full a tenth
/// early. `pass` as for [`check_with`].
///
/// # Panics
/// When the store breaks its contract.
pub async fn check_full<F: Future<Output = ()>>(
    store: impl ReplayStore,
    capacity: u32,
    now: u64,
    mut pass: impl FnMut(Duration) -> F,
) {
    let numbered = |number: u32| of_client(number, "full", now, now);
    let mut held = 0;
    let full = loop {
        assert!(held <= capacity, "a store for {capacity} entries has taken {held} and is not full");
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
    assert!(insert(&store, numbered(held)).await.is_err(), "still full: a rejected entry makes no room");
    pass(Duration::from_secs(200)).await;
    let later = now + 200;
    assert!(insert(&store, of_client(0, "later", later, later)).await.is_ok(), "room again when all have expired");
}

/// An entry of the client with this number, for a proof with this `jti`, that lives for 91 s from `issued_at`.
#[must_use]
pub fn entry(client: u8, jti: &str, issued_at: u64, now: u64) -> ReplayEntry {
    let jkt = thumbprint([client; 32]);
    ReplayEntry::new(key(&jkt, "/", jti), jkt, issued_at, LIFETIME, now)
}

/// The same for more clients than an `u8` counts.
fn of_client(client: u32, jti: &str, issued_at: u64, now: u64) -> ReplayEntry {
    let mut bytes = [0xcc; 32];
    for (byte, value) in bytes.iter_mut().zip(client.to_be_bytes()) {
        *byte = value;
    }
    let jkt = thumbprint(bytes);
    ReplayEntry::new(key(&jkt, "/", jti), jkt, issued_at, LIFETIME, now)
}

fn thumbprint(bytes: [u8; 32]) -> JwkThumbprint {
    let text = pop_core::jose::encode(bytes);
    JwkThumbprint::parse(&text).unwrap_or_else(|_| unreachable!("32 bytes make a thumbprint"))
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
    for (issued_at, what) in [(now, "made now"), (now - 60, "made a minute ago"), (now + 30, "dated ahead")] {
        let entry = entry(1, &format!("accepts_once {issued_at}"), issued_at, now);
        assert!(insert(store, entry).await.is_ok(), "the first use of a proof {what} passes");
        must_be_a_replay(store, entry, &format!("the second use of a proof {what}")).await;
    }
}

async fn keeps_keys_apart(store: &impl ReplayStore, now: u64) {
    for (client, path, jti) in [(2, "/", "A"), (3, "/", "A"), (2, "/other", "A"), (2, "/", "a"), (2, "/", "A\u{301}")] {
        let jkt = thumbprint([client; 32]);
        let entry = ReplayEntry::new(key(&jkt, path, jti), jkt, now, LIFETIME, now);
        assert!(insert(store, entry).await.is_ok(), "{client} {path} {jti:?} is another key");
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
        assert!(insert(store, other).await.is_ok(), "a key that differs in byte {at} only is another one");
    }
}

async fn rejects_what_has_expired(store: &impl ReplayStore, now: u64) {
    for age in [LIFETIME, LIFETIME + 1, 100_000] {
        let expired = entry(5, &format!("expired {age}"), now - age, now);
        must_be_a_replay(store, expired, "what would not be remembered must not pass").await;
    }
}

/// For stores that answer later: all begin before the first one ends.
async fn lets_one_of_many_tasks_pass(store: &Arc<impl ReplayStore>, now: u64) {
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
    assert_eq!(passed, 1, "exactly one of 100 concurrent uses passes");
}

/// For stores that answer at once: threads that start together, many times over.
async fn lets_one_of_many_threads_pass(store: &Arc<impl ReplayStore>, now: u64) {
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
    assert_eq!(wrong, 0, "exactly one of {THREADS} threads passes, in each of {ROUNDS} rounds");
}

/// Returns what the time is then.
async fn remembers_many_until_they_expire<F: Future<Output = ()>>(
    store: &impl ReplayStore,
    now: u64,
    pass: &mut impl FnMut(Duration) -> F,
) -> u64 {
    // Each of a client of its own, dated up to 60 s back and 30 s ahead: as many end at each second.
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
    assert!(insert(store, entry(7, "later", later, later)).await.is_ok(), "new proofs pass when old ones have expired");
    later
}

/// `now` comes from a clock that can be set back: what has passed once stays a replay for as long as it could be accepted
/// by that clock.
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
    must_be_a_replay(store, old, "a proof that passed before the clock stepped back by 200 s").await;
}

/// In real time, also where tokio's clock is paused.
async fn really_wait(time: Duration) {
    drop(tokio::task::spawn_blocking(move || std::thread::sleep(time)).await);
}
