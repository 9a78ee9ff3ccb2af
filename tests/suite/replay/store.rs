//! Stores that are full, slow or unavailable, and their quotas.

use std::sync::Arc;
use std::time::Duration;

use pop_authserver::{Algorithm, DpopKey, proof};
use tower_pop::clock::ManualClock;
use tower_pop::replay::{
    MemoryReplayStore, QuotaOwner, ReplayAnswer, ReplayEntry, ReplayError, ReplayKey, ReplayStore, conformance,
};
use tower_pop::{Mode, ProofKind, ReplayQuota};

use super::insert;
use crate::support::{AUDIENCE, Expected, NOW, Slow, URL, api_with};

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
    struct Rejects(ReplayError);
    impl ReplayStore for Rejects {
        fn insert(&self, _: ReplayEntry) -> ReplayAnswer {
            ReplayAnswer::Now(Err(self.0))
        }
    }
    let api = api_with(|builder| builder.replay_store(Rejects(ReplayError::Full)));
    api.with_token(&api.token().mint()).await.is(Expected::Down, "REPLAY-07 X-41").coded("replay.full", "REPLAY-07");
    let api = api_with(|builder| builder.replay_store(Rejects(ReplayError::Unavailable)));
    let answer = api.with_token(&api.token().mint()).await.is(Expected::Down, "REPLAY-10 X-69");
    answer.coded("replay.unavailable", "REPLAY-10");
    let api = api_with(|builder| builder.replay_store(Rejects(ReplayError::KeyQuota { retry_after: 7 })));
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
    let rejected = insert(&store, conformance::entry(1, "one more", NOW, NOW));
    assert!(matches!(rejected, Err(ReplayError::KeyQuota { retry_after: 1..=200 })), "{rejected:?}");
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

/// REPLAY-15: and then a proof passes more than once.
#[tokio::test]
async fn running_without_a_store_is_a_dangerous_option() {
    let api = api_with(|builder| builder.dangerous().without_replay_store());
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-15");
    api.with(&token, &proof).await.is(Expected::Ok, "REPLAY-15: a proof passes twice");
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
    // The same after a wait for keys or introspection. Mode ReportOnly passes the request as unproven.
    let api = api_with(|builder| builder.mode(Mode::ReportOnly).replay_store(After(Duration::MAX)));
    let answer = api.with_token(&api.token().mint()).await.is(Expected::Ok, "ReportOnly");
    assert_eq!(answer.token.unwrap().proof().kind(), ProofKind::Unproven);
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
        let anonymous = pop_core::replay::QuotaOwner::client("https://as.example", "app");
        let shifted = pop_core::replay::QuotaOwner::client("https://as.exampleap", "p");
        assert_ne!(anonymous, shifted, "REPLAY-07 issuer and client are separate");
    }
}

/// What identifies a proof and its owner is not shown.
#[test]
fn keys_of_entries_are_not_shown() {
    let (key, owner) = (ReplayKey::from_digest([7; 32]), QuotaOwner::key([7; 32]));
    assert_eq!(format!("{key:?} {owner:?}"), "ReplayKey(..) QuotaOwner(..)");
}

/// REPLAY-07: the rate that `docs/replicas.md` names. Sets of entries are dropped up to a quarter of the lifetime late.
#[test]
fn sustains_its_capacity_over_a_lifetime_and_a_quarter() {
    const CAPACITY: u64 = 20_000;
    const LIFETIME: u64 = 91;
    let clock = Arc::new(ManualClock::at(NOW));
    let store = MemoryReplayStore::with_capacity(20_000).per_key(20_000).lifetime(Duration::from_secs(LIFETIME));
    let store = store.clock(clock.clone());
    let rate = CAPACITY * 4 / (5 * LIFETIME);
    for second in 0..4 * LIFETIME {
        let now = NOW + second;
        for number in 0..rate {
            let client = u8::try_from(number).unwrap();
            let entry = conformance::entry(client, &format!("{second}"), now, now);
            assert!(insert(&store, entry).is_ok(), "{number} of {rate} in second {second}, with {}", store.len());
        }
        clock.advance(1);
    }
}
