//! Several replicas with one server.

use std::sync::Arc;

use tower_pop::replay::{RedisReplayStore, ReplayAnswer, ReplayError, ReplayStore, conformance};

use crate::{entry, insert, now, store};
use cluster::servers::{Redis, is_installed};

/// REPLAY-02, REPLAY-04, REPLAY-05: the contract of all stores.
#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_a_store() {
    let Some(redis) = Redis::start(&[]).await else { return };
    conformance::check(store(&redis.url()), now()).await;
}

/// REPLAY-10, X-36, X-37: and each replica remembers what another one told it.
#[tokio::test]
async fn a_proof_that_one_replica_accepted_is_a_replay_at_all_of_them() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let (one, other) = (store(&redis.url()), store(&redis.url()));
    let first = entry(1, "first");
    assert_eq!(insert(&one, first).await, Ok(()));
    other.connect().await.unwrap();
    let sets = redis.sets();
    assert_eq!(insert(&other, first).await, Err(ReplayError::Replayed));
    assert_eq!(redis.sets(), sets + 1, "one round trip to learn it");
    for store in [&one, &other] {
        let answer = store.insert(first);
        assert!(matches!(answer, ReplayAnswer::Now(Err(ReplayError::Replayed))), "{answer:?}: no round trip");
    }
    assert_eq!(redis.sets(), sets + 1);
    assert_eq!(insert(&other, entry(1, "second")).await, Ok(()));
    assert_eq!(redis.sets(), sets + 2, "one round trip for each accepted proof");
    let apart = RedisReplayStore::builder(redis.url()).key_prefix("other:").build().unwrap();
    assert_eq!(insert(&apart, first).await, Ok(()), "another service on the same server");
}

/// REPLAY-05, X-38
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_copies_at_many_replicas_is_accepted() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let replicas: Vec<Arc<RedisReplayStore>> = (0..4).map(|_| Arc::new(store(&redis.url()))).collect();
    for round in 0..20 {
        let copy = entry(1, &format!("round {round}"));
        let tasks: Vec<_> = (0..100)
            .map(|number| {
                let replica = Arc::clone(&replicas[number % replicas.len()]);
                tokio::spawn(async move { insert(&replica, copy).await })
            })
            .collect();
        let mut accepted = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => accepted += 1,
                Err(error) => assert_eq!(error, ReplayError::Replayed),
            }
        }
        assert_eq!(accepted, 1, "round {round}");
    }
}

/// REPLAY-04, REPLAY-08, X-39, X-42: from `iat`, not from now, with the difference of clocks and the timeout. Names are of one size.
#[tokio::test]
async fn an_entry_lives_until_the_proof_is_too_old_everywhere() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = RedisReplayStore::builder(redis.url())
        .key_prefix("notes:")
        .clock_difference(std::time::Duration::from_secs(7))
        .build()
        .unwrap();
    let now = now();
    for (issued_at, lifetime) in [(now, 91 + 8), (now - 60, 31 + 8), (now + 30, 121 + 8)] {
        assert_eq!(
            insert(&store, conformance::entry(1, &format!("{issued_at}{}", "x".repeat(200)), issued_at, now)).await,
            Ok(())
        );
        let keys = redis.command(&["--no-raw", "EVAL", LIFETIMES, "0"]);
        assert!(keys.contains(&format!("(integer) {lifetime}")), "{lifetime}: {keys}");
    }
    let sizes = redis.command(&["EVAL", SIZES, "0"]);
    assert!(sizes.lines().all(|size| size == (6 + 32).to_string()), "{sizes}");
    assert_eq!(sizes.lines().count(), 3);
}

/// Rounded to seconds.
const LIFETIMES: &str = r"local all = {} for _, key in ipairs(redis.call('KEYS', 'notes:*')) do if key ~= 'notes:probe' then
    table.insert(all, math.floor((redis.call('PTTL', key) + 500) / 1000)) end end return all";
const SIZES: &str = r"local all = {} for _, key in ipairs(redis.call('KEYS', 'notes:*')) do if key ~= 'notes:probe' then
    table.insert(all, #key) end end return all";

/// REPLAY-07, X-41: by way of one replica, with 429.
#[tokio::test]
async fn one_client_has_its_share_of_a_replica() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = RedisReplayStore::builder(redis.url()).per_key(3).build().unwrap();
    for number in 0..3 {
        assert_eq!(insert(&store, entry(1, &format!("{number}"))).await, Ok(()));
    }
    let sets = redis.sets();
    let refused = insert(&store, entry(1, "one too many")).await;
    assert!(matches!(refused, Err(ReplayError::KeyQuota { retry_after: 1.. })), "{refused:?}");
    assert_eq!(redis.sets(), sets, "without a round trip");
    assert_eq!(insert(&store, entry(2, "another client")).await, Ok(()));
}

/// REPLAY-07: new proofs are rejected, and no entry is dropped for them.
#[tokio::test]
async fn a_full_server_rejects_new_proofs_and_still_knows_the_old_ones() {
    let Some(redis) = Redis::start(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]).await else { return };
    let store = store(&redis.url());
    let mut accepted = Vec::new();
    let error = loop {
        let next = entry(u8::try_from(accepted.len() % 250).unwrap(), &format!("{}", accepted.len()));
        match insert(&store, next).await {
            Ok(()) => accepted.push(next),
            Err(error) => break error,
        }
        assert!(accepted.len() < 100_000, "the server is never full");
    };
    assert_eq!(error, ReplayError::Full);
    assert!(accepted.len() > 100, "{}", accepted.len());
    let fresh = self::store(&redis.url());
    for old in accepted.iter().step_by(50) {
        assert_eq!(insert(&fresh, *old).await, Err(ReplayError::Replayed));
    }
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(insert(&store, entry(1, "there is room again")).await, Ok(()));
}

/// Valkey is the other server. Its Python package has the program.
#[tokio::test]
async fn works_with_valkey() {
    let program = "valkey-server";
    if !is_installed(program, "POPLAYER_REQUIRE_REDIS") {
        return;
    }
    let Some(valkey) = Redis::start_program(program, cluster::servers::free_port(), &[]).await else { return };
    let (one, other) = (store(&valkey.url()), store(&valkey.url()));
    let proof = entry(1, "valkey");
    assert_eq!(insert(&one, proof).await, Ok(()));
    assert_eq!(insert(&other, proof).await, Err(ReplayError::Replayed));
}
