//! Another server takes over: Sentinel, and a cluster of three primaries.

use std::time::{Duration, Instant};

use cluster::servers::{Redis, free_port, is_installed};

use crate::world::{Costs, Report, World};

/// REPLAY-10, X-37: with `WAIT`, so that whichever server takes over has each proof.
pub(crate) async fn sentinel(report: &mut Report) {
    if !is_installed("redis-sentinel", "POPLAYER_REQUIRE_REDIS") {
        return;
    }
    let Some(mut primary) = Redis::start(&[]).await else { return };
    let port = primary.port.to_string();
    let mut others = Vec::new();
    for _ in 0..2 {
        others.extend(Redis::start(&["--replicaof", "127.0.0.1", &port]).await);
    }
    let monitor = format!("sentinel monitor notes 127.0.0.1 {port} 1");
    let options = [&*monitor, "sentinel down-after-milliseconds notes 500", "sentinel failover-timeout notes 3000"];
    let Some(sentinel) = Redis::start_program("redis-sentinel", free_port(), &options).await else { return };
    until("Sentinel knows both", || sentinel.command(&["INFO", "sentinel"]).contains("slaves=2")).await;
    until("both are in step", || others.iter().all(is_in_step)).await;
    let options = ["--redis", &sentinel.url(), "--primary", "notes", "--wait-for-replicas", "1"];
    let mut world = World::start(&options).await;
    let failover = async |_: &mut World| {
        primary.kill();
        let new_primary = || others.iter().position(|other| other.command(&["ROLE"]).starts_with("master"));
        until("one is the primary", || new_primary().is_some()).await;
        let new = &others[new_primary().unwrap()];
        until("the other follows", || new.command(&["INFO", "replication"]).contains("connected_slaves:1")).await;
        let named = || sentinel.command(&["SENTINEL", "get-master-addr-by-name", "notes"]);
        until("Sentinel names it", || named().contains(&new.port.to_string())).await;
    };
    world.fault(report, "primary killed, Sentinel names another", Costs::Outage, failover).await;
}

/// REPLAY-10, X-37: the same with a cluster, whose other two primaries go on.
pub(crate) async fn cluster(report: &mut Report) {
    let mut nodes = Vec::new();
    for _ in 0..6 {
        // Nodes talk to each other on the port that is 10,000 higher.
        let port = std::iter::repeat_with(free_port).find(|port| *port < 50_000).unwrap();
        let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "800", "--appendonly", "yes"];
        let Some(node) = Redis::start_program("redis-server", port, &options).await else { return };
        nodes.push(node);
    }
    let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let words = ["--cluster", "create", "--cluster-replicas", "1", "--cluster-yes"];
    let words: Vec<&str> = words.into_iter().chain(addresses.iter().map(String::as_str)).collect();
    let created = nodes[0].command(&words);
    assert!(created.contains("All 16384 slots covered"), "{created}");
    until("all are in step", || nodes.iter().all(|node| is_primary(node) || is_in_step(node))).await;
    until("the cluster is there", || is_whole(&nodes[0])).await;
    let urls = [nodes[0].url(), nodes[1].url(), nodes[2].url()];
    let options = ["--cluster", "--redis", &urls[0], "--redis", &urls[1], "--redis", &urls[2]];
    let mut world = World::start(&[&options[..], &["--wait-for-replicas", "1"]].concat()).await;
    let lost = nodes.iter().rposition(is_primary).unwrap();
    let failover = async |_: &mut World| {
        nodes[lost].kill();
        let primaries =
            |nodes: &[Redis]| nodes.iter().enumerate().filter(|(at, node)| *at != lost && is_primary(node)).count();
        until("a replica is a primary", || primaries(&nodes) == 3).await;
        nodes[lost].restart().await; // it has the proofs that it had, and follows
        until("it is in step", || is_in_step(&nodes[lost])).await;
        until("the cluster is whole", || nodes.iter().all(is_whole)).await;
    };
    world.fault(report, "primary of a cluster killed, its replica takes over", Costs::Outage, failover).await;
}

fn is_primary(node: &Redis) -> bool {
    node.command(&["ROLE"]).starts_with("master")
}

fn is_in_step(node: &Redis) -> bool {
    node.command(&["INFO", "replication"]).contains("master_link_status:up")
}

fn is_whole(node: &Redis) -> bool {
    node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
