//! Sentinel and Cluster: another server takes over.

use std::time::{Duration, Instant};

use tower_pop::replay::{RedisReplayStore, ReplayError};

use crate::{SOON, entry, insert, until_accepted};
use cluster::servers::{Redis, until};

/// REPLAY-10, X-37: with `WAIT`, so that the server that takes over has the proof.
#[tokio::test]
async fn the_primary_that_sentinel_names_knows_the_proofs_of_the_last_one() {
    let Some(mut primary) = Redis::start(&[]).await else { return };
    let port = primary.port.to_string();
    let Some(replica) = Redis::start(&["--replicaof", "127.0.0.1", &port]).await else { return };
    until("it is in step", || replica.is_in_step()).await;
    let Some(sentinel) = Redis::start_sentinel(&primary, 1).await else { return };
    let store = || RedisReplayStore::sentinel([sentinel.url()], "notes").wait_for_replicas(1).build().unwrap();
    let one = store();
    let before = entry(1, "before");
    one.connect().await.unwrap();
    assert_eq!(insert(&one, before).await, Ok(()));

    primary.kill();
    assert_eq!(insert(&one, entry(1, "during")).await, Err(ReplayError::Unavailable));
    until("it is the primary", || replica.is_primary()).await;
    // Until there is a replica again, `WAIT` has nobody to wait for.
    let after = RedisReplayStore::sentinel([sentinel.url()], "notes").build().unwrap();
    until_accepted(&after).await;
    assert_eq!(insert(&after, before).await, Err(ReplayError::Replayed));
    assert_eq!(insert(&store(), entry(1, "alone")).await, Err(ReplayError::Unavailable));

    let unknown = RedisReplayStore::sentinel([sentinel.url()], "others").build().unwrap();
    assert!(unknown.connect().await.is_err(), "a primary that nobody knows");
}

/// REPLAY-10, X-37: a proof is known wherever its slot is.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_knows_every_proof_and_goes_on_when_a_node_is_lost() {
    let Some(mut nodes) = Redis::start_cluster(&[]).await else { return };
    let urls = [nodes[0].url(), nodes[1].url()];
    let store = || RedisReplayStore::cluster(urls.clone()).build().unwrap();
    let (one, other) = (store(), store());
    let proofs: Vec<_> = (0..60).map(|number| entry(1, &format!("{number}"))).collect();
    for proof in &proofs {
        assert_eq!(insert(&one, *proof).await, Ok(()));
        assert_eq!(insert(&other, *proof).await, Err(ReplayError::Replayed));
    }
    let waiting = RedisReplayStore::cluster(urls.clone()).wait_for_replicas(1).build().unwrap();
    assert_eq!(insert(&waiting, entry(1, "waits at the node that has it")).await, Ok(()));
    let waiting = RedisReplayStore::cluster(urls.clone()).wait_for_replicas(2).build().unwrap();
    assert_eq!(insert(&waiting, entry(1, "one replica is too few")).await, Err(ReplayError::Unavailable));

    let primary = nodes.iter().rposition(Redis::is_primary).unwrap();
    nodes[primary].kill();
    let reached = |nodes: &[Redis]| {
        let others = nodes.iter().enumerate().filter(|(at, _)| *at != primary);
        others.filter(|(_, node)| node.is_primary()).count() == 3
    };
    until("a replica is a primary", || reached(&nodes)).await;
    let alive = usize::from(primary == 0);
    until("the cluster is whole", || nodes[alive].is_in_whole_cluster()).await;
    let start = Instant::now();
    for number in 0..60 {
        let proof = entry(2, &format!("after {number}"));
        while insert(&one, proof).await != Ok(()) {
            assert!(start.elapsed() < SOON, "proof {number}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let third = RedisReplayStore::cluster([nodes[alive].url()]).build().unwrap();
    third.connect().await.unwrap();
    for proof in &proofs {
        assert_eq!(
            insert(&third, *proof).await,
            Err(ReplayError::Replayed),
            "replicas had it before the node was lost"
        );
    }
}
