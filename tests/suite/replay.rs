//! REPLAY: each proof passes once (RFC 9449 §11.1).

use std::sync::Arc;
use std::time::Duration;

use pop_authserver::{Algorithm, DpopKey, proof};
use tower_pop::ReplayQuota;
use tower_pop::clock::ManualClock;
use tower_pop::replay::{MemoryReplayStore, ReplayAnswer, ReplayEntry, ReplayError, ReplayStore, conformance};
use tower_pop::{Mode, ProofKind};

use crate::support::{AUDIENCE, Expected, NOW, Slow, URL, api, api_with, request};

fn store(clock: &Arc<ManualClock>) -> MemoryReplayStore {
    MemoryReplayStore::default().clock(Arc::clone(clock) as _)
}

fn insert(store: &impl ReplayStore, entry: ReplayEntry) -> Result<(), ReplayError> {
    match store.insert(entry) {
        ReplayAnswer::Now(answer) => answer.map(drop),
        ReplayAnswer::Later(_) => panic!("this store answers at once"),
    }
}

/// REPLAY-02, X-36: however often it comes.
#[tokio::test]
async fn rejects_the_second_use_of_a_proof() {
    let api = api();
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-02 first");
    for _ in 0..3 {
        api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-02 X-36").coded("replay.replayed", "REPLAY-02");
    }
}

/// REPLAY-03, REPLAY-09, X-43: the canonical target and the unescaped `jti` count, for each key separately.
#[tokio::test]
async fn another_encoding_does_not_make_another_proof() {
    let api = api();
    let token = api.token().mint();
    let proof = |url: &str| api.proof(&token).jti("same").url(url).mint();
    api.with(&token, &proof("https://API.example/notes")).await.is(Expected::Ok, "REPLAY-03");
    for url in ["https://api.example:443/notes", "https://api.example/notes?x", "https://api.example/%6Eotes"] {
        api.with(&token, &proof(url)).await.is(Expected::Proof, "REPLAY-03 X-43").coded("replay.replayed", url);
    }
    let escaped = api.proof(&token).jti("same");
    let escaped = escaped.clone().raw_payload(escaped.payload_text().replace("same", "s\\u0061me")).mint();
    api.with(&token, &escaped).await.is(Expected::Proof, "REPLAY-09: compared after unescaping");
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    let token = api.token().bound_to(&other).mint();
    let theirs = pop_authserver::proof(&other).jti("same").url(crate::support::URL).for_token(&token).issued_at(NOW);
    api.with(&token, &theirs.mint()).await.is(Expected::Ok, "REPLAY-03: another client's jti is another");
}

/// REPLAY-09: no case folding, trimming or normalisation.
#[tokio::test]
async fn compares_jti_byte_by_byte() {
    let api = api();
    let token = api.token().mint();
    for jti in ["A", "a", "\u{e9}", "e\u{301}", " a", "a "] {
        let proof = api.proof(&token).jti(jti).mint();
        api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-09");
    }
    api.with(&token, &api.proof(&token).jti("\u{e9}").mint()).await.is(Expected::Proof, "REPLAY-09");
}

/// X-10, REPLAY-03: every ECDSA signature has a valid twin, n - s.
#[tokio::test]
async fn a_malleable_signature_does_not_make_another_proof() {
    let api = api();
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let (message, signature) = proof.rsplit_once('.').unwrap();
    let twin = format!("{message}.{}", negate_s(signature));
    assert_ne!(twin, proof);
    api.with(&token, &twin).await.is(Expected::Ok, "X-10: n - s verifies");
    api.with(&token, &proof).await.is(Expected::Proof, "X-10").coded("replay.replayed", "X-10");
}

/// The other valid `s` of an ES256 signature: n - s.
fn negate_s(signature: &str) -> String {
    const N: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut bytes = tower_pop::pop_core::jose::decode(signature).unwrap();
    let mut borrow = 0_i16;
    for at in (0..32).rev() {
        let mut digit = i16::from(N[at]) - i16::from(bytes[32 + at]) - borrow;
        borrow = i16::from(digit < 0);
        if digit < 0 {
            digit += 256;
        }
        bytes[32 + at] = u8::try_from(digit).unwrap();
    }
    tower_pop::pop_core::jose::encode(bytes)
}

/// REPLAY-01, REPLAY-04, X-39: counted from its `iat`.
#[tokio::test]
async fn remembers_a_proof_from_the_future_until_its_own_end() {
    let api = api();
    let token = api.token().mint();
    let proof = api.proof(&token).issued_at(NOW + 30).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-04");
    api.clock.advance(90); // iat + max_age
    api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-04 X-39").coded("replay.replayed", "REPLAY-04");
    api.clock.advance(1);
    api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-01").coded("proof.iat_too_old", "REPLAY-01");
}

/// REPLAY-05, X-38: the insert is atomic.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_hundred_concurrent_copies_passes() {
    let api = Arc::new(api());
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let copies: Vec<_> = (0..100)
        .map(|_| {
            let (api, token, proof) = (Arc::clone(&api), token.clone(), proof.clone());
            tokio::spawn(async move { api.send_through(&api.cfg, request(&token, &proof)).await.status })
        })
        .collect();
    let mut passed = 0;
    for copy in copies {
        passed += usize::from(copy.await.unwrap() == 200);
    }
    assert_eq!(passed, 1, "REPLAY-05 X-38");
}

/// REPLAY-06, X-41: a request that fails can neither fill the store nor use up a `jti`.
#[tokio::test]
async fn records_nothing_before_everything_is_verified() {
    let store = Arc::new(MemoryReplayStore::default());
    #[derive(Clone)]
    struct Shared(Arc<MemoryReplayStore>);
    impl ReplayStore for Shared {
        fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
            self.0.insert(entry)
        }
    }
    let api = api_with(|builder| builder.replay_store(Shared(Arc::clone(&store))));
    let token = api.token().mint();
    let proof = api.proof(&token).jti("kept").mint();
    api.with("garbage", &proof).await.is(Expected::Token, "REPLAY-06");
    api.with(&api.token().tampered_signature().mint(), &proof).await.is(Expected::Token, "REPLAY-06");
    let thief = DpopKey::generate(Algorithm::ES256).unwrap();
    let stolen = pop_authserver::proof(&thief).jti("kept").url(crate::support::URL).for_token(&token).issued_at(NOW);
    api.with(&token, &stolen.mint()).await.is(Expected::Token, "REPLAY-06");
    api.with(&token, &api.proof(&token).jti("kept").tampered_signature().mint()).await.is(Expected::Proof, "REPLAY-06");
    assert!(store.is_empty(), "REPLAY-06 X-41");
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-06: the proof is still good");
    assert_eq!(store.len(), 1);
}

/// REPLAY-07, X-41: it never evicts a live entry.
#[tokio::test]
async fn a_full_store_rejects_new_entries_and_forgets_nothing() {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = MemoryReplayStore::with_capacity(100).per_key(1000).clock(clock.clone());
    let entry = |i: usize| conformance::entry(1, &format!("{i}"), NOW, NOW);
    for i in 0..100 {
        assert_eq!(insert(&store, entry(i)), Ok(()));
    }
    assert_eq!(insert(&store, entry(100)), Err(ReplayError::Full));
    for i in 0..100 {
        assert_eq!(insert(&store, entry(i)), Err(ReplayError::Replayed), "REPLAY-07 {i}");
    }
    clock.advance(200);
    let later = NOW + 200;
    assert_eq!(insert(&store, conformance::entry(1, "later", later, later)), Ok(()), "room again");
    assert_eq!(store.len(), 1);
}

/// REPLAY-07, REPLAY-10, X-69: both with `Retry-After`.
#[tokio::test]
async fn a_full_store_is_503_and_a_key_beyond_its_quota_429() {
    struct Refuses(ReplayError);
    impl ReplayStore for Refuses {
        fn insert(&self, _: ReplayEntry) -> ReplayAnswer {
            ReplayAnswer::Now(Err(self.0))
        }
    }
    let api = api_with(|builder| builder.replay_store(Refuses(ReplayError::Full)));
    api.with_token(&api.token().mint()).await.is(Expected::Down, "REPLAY-07 X-41").coded("replay.full", "REPLAY-07");
    let api = api_with(|builder| builder.replay_store(Refuses(ReplayError::Unavailable)));
    let answer = api.with_token(&api.token().mint()).await.is(Expected::Down, "REPLAY-10 X-69");
    answer.coded("replay.unavailable", "REPLAY-10");
    let api = api_with(|builder| builder.replay_store(Refuses(ReplayError::KeyQuota { retry_after: 7 })));
    let answer = api.with_token(&api.token().mint()).await;
    assert_eq!((answer.status.as_u16(), answer.code), (429, Some("replay.key_quota")));
    assert_eq!(answer.headers["retry-after"], "7");
    assert_eq!(answer.calls, 0);
}

/// REPLAY-07: a tenth of the capacity.
#[tokio::test]
async fn one_key_gets_its_share_of_the_store_only() {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = MemoryReplayStore::with_capacity(1000).clock(clock.clone());
    for i in 0..100 {
        assert_eq!(insert(&store, conformance::entry(1, &format!("{i}"), NOW, NOW)), Ok(()));
    }
    let refused = insert(&store, conformance::entry(1, "one more", NOW, NOW));
    assert!(matches!(refused, Err(ReplayError::KeyQuota { retry_after: 1..=200 })), "{refused:?}");
    assert_eq!(insert(&store, conformance::entry(2, "another key", NOW, NOW)), Ok(()), "the twin");
    clock.advance(200);
    assert_eq!(insert(&store, conformance::entry(1, "later", NOW + 200, NOW + 200)), Ok(()), "its share is free again");
}

/// REPLAY-10: as a database does.
#[tokio::test]
async fn a_store_may_answer_later() {
    let api = api_with(|builder| builder.replay_store(Slow::default()));
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-10");
    api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-10").coded("replay.replayed", "REPLAY-10");
}

/// REPLAY-11, X-37: a store in memory does not know what was used before a restart.
#[tokio::test]
async fn rejects_proofs_from_before_the_start_when_configured() {
    let api = api_with(tower_pop::PopConfigBuilder::refuse_proofs_from_before_start);
    for iat in [NOW - 1, NOW, NOW + 20, NOW + 30] {
        // What is dated ahead may have been used before the start, too.
        let answer = api.with_proof(|proof| proof.issued_at(iat)).await.is(Expected::Proof, "REPLAY-11 X-37");
        answer.coded("replay.replayed", "REPLAY-11");
    }
    api.clock.advance(31);
    api.with_proof(|proof| proof.issued_at(NOW + 31)).await.is(Expected::Ok, "REPLAY-11, the twin");
}

/// REPLAY-12, X-40: and one that jumps ahead and back forgets nothing.
#[tokio::test]
async fn a_clock_that_steps_back_revives_nothing() {
    let api = api();
    let token = api.token().claim("iat", NOW - 10_000).claim("exp", NOW + 10_000).mint();
    let early = api.proof(&token).mint();
    api.with(&token, &early).await.is(Expected::Ok, "REPLAY-12");
    api.clock.advance(200);
    let late = api.proof(&token).mint();
    api.with(&token, &late).await.is(Expected::Ok, "the first one is forgotten by now");
    api.clock.set_wall_clock(NOW);
    api.with(&token, &early).await.is(Expected::Proof, "REPLAY-12 X-40").coded("replay.replayed", "REPLAY-12");
    // A jump far ahead and back forgets nothing, and refuses nothing new.
    let api = crate::support::api();
    let token = api.token().claim("iat", NOW - 10_000).claim("exp", NOW + 100_000).mint();
    let proof = api.proof(&token).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-12");
    api.clock.set_wall_clock(NOW + 3600);
    api.with(&token, &api.proof(&token).mint()).await.is(Expected::Ok, "an hour ahead");
    api.clock.set_wall_clock(NOW);
    api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-12").coded("replay.replayed", "REPLAY-12");
    api.with(&token, &api.proof(&token).mint()).await.is(Expected::Ok, "and new ones pass");
}

/// entries are short digests.
#[tokio::test]
async fn no_two_of_many_entries_of_one_client_are_confused() {
    let store = MemoryReplayStore::with_capacity(1_000_000).clock(Arc::new(ManualClock::at(NOW)));
    for number in 0..50_000 {
        let entry = conformance::entry(1, &format!("{number}"), NOW, NOW);
        assert_eq!(insert(&store, entry), Ok(()), "X-42");
        assert!(insert(&store, entry).is_err(), "the twin");
    }
}

/// REPLAY-14: the handler may have acted before it failed.
#[tokio::test]
async fn a_proof_stays_used_whatever_the_handler_answers() {
    use tower::{Layer, ServiceExt};
    let api = api();
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let failing = tower::service_fn(|_: http::Request<()>| async {
        Ok::<_, std::convert::Infallible>(http::Response::builder().status(500).body(String::new()).unwrap())
    });
    let layer = tower_pop::PopLayer::new(api.cfg.clone());
    let response = layer.layer(failing).oneshot(request(&token, &proof)).await.unwrap();
    assert_eq!(response.status(), 500);
    api.with(&token, &proof).await.is(Expected::Proof, "REPLAY-14").coded("replay.replayed", "REPLAY-14");
}

/// REPLAY-15: and then a proof passes more than once.
#[tokio::test]
async fn running_without_a_store_is_a_dangerous_option() {
    let api = api_with(|builder| builder.dangerous().without_replay_store());
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-15");
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-15: this is what it means");
}

/// REPLAY-10, X-69: after `replay_timeout`.
#[tokio::test]
async fn a_store_that_takes_too_long_is_503() {
    struct After(Duration);
    impl ReplayStore for After {
        fn insert(&self, _: ReplayEntry) -> ReplayAnswer {
            let time = self.0;
            ReplayAnswer::Later(Box::pin(async move {
                tokio::time::sleep(time).await;
                Ok(tower_pop::replay::FirstUse::assertion())
            }))
        }
    }
    tokio::time::pause();
    let second = Duration::from_secs(1);
    for (takes, timeout, expected) in [
        (second / 2, None, Expected::Ok),
        (second * 2, None, Expected::Down),
        (Duration::MAX, None, Expected::Down),
        (second * 2, Some(second * 3), Expected::Ok),
        (second / 2, Some(second / 4), Expected::Down),
    ] {
        let api = api_with(|builder| match timeout {
            Some(timeout) => builder.replay_store(After(takes)).replay_timeout(timeout),
            None => builder.replay_store(After(takes)),
        });
        let answer = api.with_token(&api.token().mint()).await.is(expected, "REPLAY-10 X-69");
        assert_eq!(answer.code, (expected == Expected::Down).then_some("replay.unavailable"), "{takes:?} {timeout:?}");
    }
    // The same after keys or the authorization server were waited for, and no pass in mode ReportOnly without a label.
    let api = api_with(|builder| builder.mode(Mode::ReportOnly).replay_store(After(Duration::MAX)));
    let answer = api.with_token(&api.token().mint()).await.is(Expected::Ok, "ReportOnly");
    assert_eq!(answer.token.unwrap().proof().kind(), ProofKind::Unproven);
}

/// What the conformance check says of good stores, and of those that break the contract in one point each.
mod contract {
    use std::collections::HashMap;
    use std::future::ready;
    use std::sync::Mutex;
    use std::time::Instant;

    use tower_pop::clock::{Clock, SystemClock};
    use tower_pop::replay::{FirstUse, ReplayKey};

    use super::*;

    /// How a store is broken.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Fault {
        None,
        /// Keeps this many entries and drops the oldest for new ones.
        Keeps(usize),
        /// Entries end after this many seconds of real time.
        EndsReally(u64),
        /// Entries end this many seconds after they came, whatever their `expires_at`.
        EndsAfter(u64),
        /// Checks under one lock and records under another.
        ChecksThenSets,
        /// The same with a wait in between.
        ChecksThenSetsLater,
        /// Passes what is dated ahead and does not record it.
        ForgetsFuture,
        /// Looks at the client alone.
        ByClient,
        /// Looks at part of the key.
        ByPrefix,
        /// Passes what has expired already.
        PassesExpired,
        /// Drops what has expired by `entry.now`, and does not know when that steps back.
        NoHorizon,
        /// Panics in one of many inserts.
        Panics,
        /// Answers that a client has its share, when the store is full.
        BlamesClients,
        /// Never has room again.
        StaysFull,
        /// Says that it is full at half of its capacity.
        HalfEmpty,
        /// Calls replays in a full store full.
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
                std::thread::yield_now();
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
                tokio::task::yield_now().await;
                index.lock().unwrap().insert(key, (entry.expires_at, Instant::now()));
                Ok(FirstUse::assertion())
            }))
        }
    }

    const CAPACITY: u32 = 5_000;

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
}

/// The store against a naive exact one, over random histories with a clock that moves both ways.
mod model {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Event {
        Insert { client: u8, jti: u8, age: i64 },
        Advance(u64),
        Step(i64),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            8 => (0_u8..4, 0_u8..40, -30_i64..60).prop_map(|(client, jti, age)| Event::Insert { client, jti, age }),
            2 => (0_u64..50).prop_map(Event::Advance),
            1 => (-400_i64..400).prop_map(Event::Step),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn never_accepts_an_entry_that_an_exact_store_rejects(events in prop::collection::vec(event(), 1..200)) {
            let clock = Arc::new(ManualClock::at(NOW));
            let store = store(&clock);
            let (mut now, mut latest) = (NOW, NOW);
            let mut proofs = HashSet::new();
            let mut live: HashMap<(u8, u8), u64> = HashMap::new(); // until when a proof with this jti could be accepted
            for event in events {
                match event {
                    Event::Advance(seconds) => {
                        clock.advance(seconds);
                        now += seconds;
                    }
                    Event::Step(seconds) => {
                        now = now.saturating_add_signed(seconds);
                        clock.set_wall_clock(now);
                    }
                    Event::Insert { client, jti, age } => {
                        let issued_at = now.saturating_add_signed(-age);
                        let entry = conformance::entry(client, &format!("{jti}"), issued_at, now);
                        if insert(&store, entry).is_ok() {
                            prop_assert!(proofs.insert((client, jti, issued_at)), "one proof was accepted twice");
                            let until = live.entry((client, jti)).or_default();
                            prop_assert!(now < latest || *until <= now, "a live jti was accepted again");
                            *until = (*until).max(issued_at + 91);
                        }
                    }
                }
                latest = latest.max(now);
            }
        }
    }
}

/// REPLAY-07: by option all keys of a client share one part of the store.
#[tokio::test]
async fn a_quota_can_cover_all_keys_of_a_client() {
    for (quota, expected) in [(ReplayQuota::PerKey, 200), (ReplayQuota::PerClient, 429)] {
        let api = api_with(|builder| builder.replay_capacity(1_000).replay_quota(quota));
        let mut last = http::StatusCode::OK;
        for number in 0..=100 {
            let key = if number % 2 == 0 { api.key.clone() } else { DpopKey::generate(Algorithm::Ed25519).unwrap() };
            let token = api.server.token().audience(AUDIENCE).bound_to(&key).mint();
            let proof = proof(&key).url(URL).for_token(&token).issued_at(NOW).mint();
            last = api.with(&token, &proof).await.status;
            assert!(number == 100 || last == 200, "REPLAY-07 {quota:?} {number} {last}");
        }
        assert_eq!(last, expected, "REPLAY-07 {quota:?}: a tenth of the store");
        let other = api.token().client_id("another").mint();
        api.with_token(&other).await.is(Expected::Ok, "REPLAY-07 another client");
        let anonymous = tower_pop::pop_core::replay::QuotaOwner::client("https://as.example", "app");
        let shifted = tower_pop::pop_core::replay::QuotaOwner::client("https://as.exampleap", "p");
        assert_ne!(anonymous, shifted, "REPLAY-07 issuer and client are told apart");
    }
}
