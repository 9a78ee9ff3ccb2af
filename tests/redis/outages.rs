//! A server that is gone, hangs, or loses answers. No proof is accepted twice, and none without the server.

use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tower_pop::replay::{RedisReplayStore, ReplayError};

use crate::{SOON, TIMEOUT, entry, insert, now, store, until_accepted};
use cluster::servers::{Network, Relay};
use cluster::servers::{Redis, free_port};

/// REPLAY-10, X-69: starting before the server does.
#[tokio::test]
async fn rejects_everything_until_the_server_comes() {
    if !cluster::servers::is_installed("redis-server", "POPLAYER_REQUIRE_REDIS") {
        return;
    }
    let port = free_port();
    let store = store(&format!("redis://127.0.0.1:{port}"));
    let start = Instant::now();
    assert_eq!(insert(&store, entry(1, "early")).await, Err(ReplayError::Unavailable));
    assert!(start.elapsed() < TIMEOUT + SOON, "{:?}", start.elapsed());
    let error = store.connect().await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("refused"), "{error:?}");
    assert!(!error.needs_repair());
    let _redis = Redis::start_program("redis-server", port, &[]).await.unwrap();
    until_accepted(&store).await;
    assert!(store.connect().await.is_ok());
}

/// REPLAY-10, X-37, X-69: with a server that writes everything to its disk.
#[tokio::test]
async fn a_restarted_server_still_knows_every_proof() {
    let Some(mut redis) = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]).await else { return };
    let (one, other) = (store(&redis.url()), store(&redis.url()));
    let before = entry(1, "before");
    assert_eq!(insert(&one, before).await, Ok(()));
    redis.kill();
    assert_eq!(insert(&one, entry(1, "during")).await, Err(ReplayError::Unavailable));
    assert_eq!(insert(&other, before).await, Err(ReplayError::Unavailable), "it cannot know");
    assert_eq!(insert(&one, before).await, Err(ReplayError::Replayed), "it knows");
    redis.restart().await;
    until_accepted(&one).await;
    until_accepted(&other).await;
    assert_eq!(insert(&other, before).await, Err(ReplayError::Replayed));
}

/// REPLAY-10, X-69: each call ends in time, and no more calls wait than may.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_costs_the_timeout_and_no_memory() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = RedisReplayStore::builder(redis.url()).timeout(TIMEOUT).max_calls(50).build().unwrap();
    let (before, during) = (entry(1, "before"), entry(1, "during"));
    assert_eq!(insert(&store, before).await, Ok(()));
    redis.pause(true);
    let proof = |number| if number == 0 { during } else { entry(2, &format!("{number}")) };
    let mut calls: Vec<_> = (0..200).map(|number| Box::pin(insert(&store, proof(number)))).collect();
    let mut context = Context::from_waker(Waker::noop());
    calls.retain_mut(|call| match call.as_mut().poll(&mut context) {
        Poll::Pending => true,
        Poll::Ready(result) => {
            assert_eq!(result, Err(ReplayError::Unavailable), "there is no place to wait");
            false
        }
    });
    assert_eq!(calls.len(), 50);
    let start = Instant::now();
    for call in calls {
        assert_eq!(call.await, Err(ReplayError::Unavailable));
    }
    assert!(start.elapsed() < TIMEOUT + SOON, "{:?}", start.elapsed());
    redis.pause(false);
    until_accepted(&store).await;
    // The server may have got it before it was given up, or not. It is accepted at most once more.
    let again = [insert(&store, during).await, insert(&store, during).await];
    assert!(again.iter().filter(|result| result.is_ok()).count() <= 1, "{again:?}");
    assert_eq!(again[1], Err(ReplayError::Replayed));
}

/// REPLAY-05: the command arrived, its answer did not. The same request asks again, and is not taken for a replay.
#[tokio::test]
async fn a_proof_whose_answer_was_lost_is_accepted_once() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let relay = Relay::to(redis.port).await;
    let store = store(&relay.url());
    assert_eq!(insert(&store, entry(1, "connects")).await, Ok(()));
    for round in 0..5 {
        let proof = entry(1, &format!("round {round}"));
        relay.set(Network::LosesAnswers);
        let sets = redis.sets();
        let asking = insert(&store, proof);
        let repairing = async {
            while redis.sets() == sets {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            relay.set(Network::Works);
            relay.reset();
        };
        let (accepted, ()) = tokio::join!(asking, repairing);
        assert_eq!(accepted, Ok(()), "round {round}");
        assert!(redis.sets() >= sets + 2, "round {round}: it was sent again");
        assert_eq!(insert(&store, proof).await, Err(ReplayError::Replayed));
        assert_eq!(insert(&self::store(&redis.url()), proof).await, Err(ReplayError::Replayed), "at another replica");
    }
}

/// REPLAY-05, REPLAY-10: nobody is told that the network drops what is sent.
#[tokio::test]
async fn a_network_that_drops_everything_is_noticed_and_left() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let relay = Relay::to(redis.port).await;
    let store = store(&relay.url());
    assert_eq!(insert(&store, entry(1, "before")).await, Ok(()));
    for broken in [Network::DropsAll, Network::LosesAnswers, Network::IsCut] {
        relay.set(broken);
        let start = Instant::now();
        let refused = insert(&store, entry(1, &format!("{broken:?}"))).await;
        assert_eq!(refused, Err(ReplayError::Unavailable), "{broken:?}");
        assert!(start.elapsed() < TIMEOUT + SOON, "{broken:?} {:?}", start.elapsed());
        relay.set(Network::Works);
        // The connection from before is dead on the other side too, as after a failover of the network.
        relay.reset();
        until_accepted(&store).await;
    }
}

/// REPLAY-10: connections that were idle are found dead only when they are used.
#[tokio::test]
async fn a_connection_that_the_server_closed_costs_nobody_anything() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = store(&redis.url());
    for round in 0..10 {
        assert_eq!(insert(&store, entry(1, &format!("{round}"))).await, Ok(()), "round {round}");
        redis.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
}

/// REPLAY-10: whoever chooses to be available instead accepts each proof once at each replica.
#[tokio::test]
async fn falls_back_to_its_own_memory_only_if_it_was_told_to() {
    let Some(mut redis) = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]).await else { return };
    let url = redis.url();
    let fallback =
        || RedisReplayStore::builder(&*url).timeout(TIMEOUT).dangerous().fall_back_to_this_replica().build().unwrap();
    let (one, other, strict) = (fallback(), fallback(), store(&url));
    let before = entry(1, "before");
    assert_eq!(insert(&one, before).await, Ok(()));
    redis.kill();
    let during = entry(1, "during");
    assert_eq!(insert(&strict, during).await, Err(ReplayError::Unavailable));
    assert_eq!(insert(&one, during).await, Ok(()));
    assert_eq!(insert(&one, during).await, Err(ReplayError::Replayed));
    assert_eq!(insert(&one, before).await, Err(ReplayError::Replayed));
    assert_eq!(insert(&other, during).await, Ok(()), "this is what is dangerous about it");
    redis.restart().await;
    until_accepted(&strict).await;
    assert_eq!(insert(&strict, before).await, Err(ReplayError::Replayed));
}

/// REPLAY-10, X-69: too many requests are not an outage, so they are no way in.
#[tokio::test]
async fn does_not_fall_back_because_of_too_many_calls() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let fallback = || {
        let builder = RedisReplayStore::builder(redis.url()).timeout(TIMEOUT).max_calls(2);
        builder.dangerous().fall_back_to_this_replica().build().unwrap()
    };
    let (one, other) = (fallback(), fallback());
    let stolen = entry(1, "stolen");
    assert_eq!(insert(&one, stolen).await, Ok(()));
    other.connect().await.unwrap();
    let (first, second) = (insert(&other, entry(2, "first")), insert(&other, entry(2, "second")));
    let results = tokio::join!(first, second, insert(&other, stolen));
    assert_eq!(results, (Ok(()), Ok(()), Err(ReplayError::Unavailable)));
    assert_eq!(insert(&other, stolen).await, Err(ReplayError::Replayed), "when there is room");
}

/// REPLAY-10: a dead connection is found even if no request waits for its own timeout.
#[tokio::test]
async fn requests_that_give_up_early_find_a_dead_connection_too() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let relay = Relay::to(redis.port).await;
    let store = store(&relay.url());
    assert_eq!(insert(&store, entry(1, "before")).await, Ok(()));
    relay.forget();
    for call in 0..4 {
        let hurried = insert(&store, entry(1, &format!("hurried {call}")));
        if tokio::time::timeout(TIMEOUT * 3 / 4, hurried).await == Ok(Ok(())) {
            return;
        }
    }
    panic!("the connection is still in use");
}

/// without a runtime nothing is accepted, and nothing panics.
#[test]
fn outside_of_a_runtime_it_is_unavailable() {
    let store = store("redis://127.0.0.1:1");
    let mut answer = std::pin::pin!(insert(&store, entry(1, "outside")));
    let polled = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(Err(ReplayError::Unavailable)));
}

/// REPLAY-10: a program may ask in one runtime, and serve in another.
#[test]
fn a_runtime_that_stopped_does_not_keep_others_from_connecting() {
    let port = free_port();
    let store = RedisReplayStore::builder(format!("redis://127.0.0.1:{port}"));
    let store = store.timeout(Duration::from_millis(100)).build().unwrap();
    let starting = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(starting.block_on(store.connect()).is_err()); // its task goes on only while this runtime runs
    let serving = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    serving.block_on(async {
        let Some(_redis) = Redis::start_program("redis-server", port, &[]).await else { return };
        until_accepted(&store).await;
    });
}

/// REPLAY-12, X-40: a replica whose clock is behind, and one whose clock steps back.
#[tokio::test]
async fn a_clock_that_is_behind_accepts_nothing_twice() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let (one, behind) = (store(&redis.url()), store(&redis.url()));
    let now = now();
    let proof = |now| tower_pop::replay::conformance::entry(1, "behind", now - 91 + 1, now);
    // It expires within a second here, and 20 s later there.
    assert_eq!(insert(&one, proof(now)).await, Ok(()));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut there = proof(now);
    there.now = now - 20;
    assert_eq!(insert(&behind, there).await, Err(ReplayError::Replayed));
}
