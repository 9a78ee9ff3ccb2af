//! Another server takes over: Sentinel, and a cluster of three primaries.

use cluster::servers::{Redis, is_installed, until};

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
    until("both are in step", || others.iter().all(Redis::is_in_step)).await;
    let Some(sentinel) = Redis::start_sentinel(&primary, others.len()).await else { return };
    let options = ["--redis", &sentinel.url(), "--primary", "notes", "--wait-for-replicas", "1"];
    let mut world = World::start(&options).await;
    let failover = async |_: &mut World| {
        primary.kill();
        let new_primary = || others.iter().position(Redis::is_primary);
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
    let Some(mut nodes) = Redis::start_cluster(&["--appendonly", "yes"]).await else { return };
    let urls = [nodes[0].url(), nodes[1].url(), nodes[2].url()];
    let options = ["--cluster", "--redis", &urls[0], "--redis", &urls[1], "--redis", &urls[2]];
    let mut world = World::start(&[&options[..], &["--wait-for-replicas", "1"]].concat()).await;
    let lost = nodes.iter().rposition(Redis::is_primary).unwrap();
    let failover = async |_: &mut World| {
        nodes[lost].kill();
        let primaries =
            |nodes: &[Redis]| nodes.iter().enumerate().filter(|(at, node)| *at != lost && node.is_primary()).count();
        until("a replica is a primary", || primaries(&nodes) == 3).await;
        nodes[lost].restart().await; // it has the proofs that it had, and follows
        until("it is in step", || nodes[lost].is_in_step()).await;
        until("the cluster is whole", || nodes.iter().all(Redis::is_in_whole_cluster)).await;
    };
    world.fault(report, "primary of a cluster killed, its replica takes over", Costs::Outage, failover).await;
}
