//! Sentinel and Cluster: another server takes over.

use std::time::{Duration, Instant};

use tower_pop::replay::{RedisReplayStore, ReplayError};

use crate::{SOON, entry, insert, until_accepted};
use cluster::servers::{Redis, free_port};

/// REPLAY-10, X-37: with `WAIT`, so that the server that takes over has the proof.
#[tokio::test]
async fn the_primary_that_sentinel_names_knows_the_proofs_of_the_last_one() {
    let Some(mut primary) = Redis::start(&[]).await else { return };
    let port = primary.port.to_string();
    let Some(replica) = Redis::start(&["--replicaof", "127.0.0.1", &port]).await else { return };
    let monitor = format!("sentinel monitor notes 127.0.0.1 {port} 1");
    let options = [&*monitor, "sentinel down-after-milliseconds notes 500", "sentinel failover-timeout notes 3000"];
    let Some(sentinel) = Redis::start_program("redis-sentinel", free_port(), &options).await else { return };
    within(Duration::from_secs(20), || replica.command(&["INFO", "replication"]).contains("master_link_status:up"))
        .await;
    within(Duration::from_secs(20), || sentinel.command(&["INFO", "sentinel"]).contains("slaves=1")).await;
    let store = || RedisReplayStore::sentinel([sentinel.url()], "notes").wait_for_replicas(1).build().unwrap();
    let one = store();
    let before = entry(1, "before");
    one.connect().await.unwrap();
    assert_eq!(insert(&one, before).await, Ok(()));

    primary.kill();
    assert_eq!(insert(&one, entry(1, "during")).await, Err(ReplayError::Unavailable));
    within(Duration::from_secs(20), || replica.command(&["ROLE"]).starts_with("master")).await;
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
    let mut nodes = Vec::new();
    for _ in 0..6 {
        let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "800"];
        // Nodes talk to each other on the port that is 10,000 higher.
        let port = std::iter::repeat_with(free_port).find(|port| *port < 50_000).unwrap();
        let Some(node) = Redis::start_program("redis-server", port, &options).await else { return };
        nodes.push(node);
    }
    let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let words = ["--cluster", "create", "--cluster-replicas", "1", "--cluster-yes"];
    let words: Vec<&str> = words.into_iter().chain(addresses.iter().map(String::as_str)).collect();
    let created = nodes[0].command(&words);
    assert!(created.contains("All 16384 slots covered"), "{created}");
    let replicates = |node: &Redis| {
        let role = node.command(&["INFO", "replication"]);
        role.contains("role:master") || role.contains("master_link_status:up")
    };
    within(Duration::from_secs(20), || nodes.iter().all(replicates)).await;
    within(Duration::from_secs(20), || nodes[0].command(&["CLUSTER", "INFO"]).contains("cluster_state:ok")).await;
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

    let primary = nodes.iter().rposition(|node| node.command(&["ROLE"]).starts_with("master")).unwrap();
    nodes[primary].kill();
    let reached = |nodes: &[Redis]| {
        let others = nodes.iter().enumerate().filter(|(at, _)| *at != primary);
        others.filter(|(_, node)| node.command(&["ROLE"]).starts_with("master")).count() == 3
    };
    within(Duration::from_secs(30), || reached(&nodes)).await;
    let alive = usize::from(primary == 0);
    within(Duration::from_secs(20), || nodes[alive].command(&["CLUSTER", "INFO"]).contains("cluster_state:ok")).await;
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

async fn within(limit: Duration, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < limit, "not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
