//! The replay store is killed, hangs, is full, or is out of reach; and a replica is killed.

use std::time::Duration;

use cluster::servers::{Network, Redis, Relay};

use crate::world::{Costs, Report, World};

/// REPLAY-10, X-36, X-37, X-69.
pub(crate) async fn faults(report: &mut Report) {
    // What a killed server has answered is in its file: it writes before it answers.
    let Some(mut redis) = Redis::start(&["--appendonly", "yes"]).await else { return };
    let relay = Relay::to(redis.port).await;
    let mut world = World::start(&["--redis", &relay.url()]).await;
    let seconds = async |seconds| tokio::time::sleep(Duration::from_secs(seconds)).await;

    let killed = async |_: &mut World| {
        redis.kill();
        relay.reset();
        seconds(3).await;
        redis.restart().await;
    };
    world.fault(report, "store killed (kill -9), restarted after 3 s", Costs::Outage, killed).await;
    let paused = async |_: &mut World| {
        redis.pause(true);
        seconds(10).await;
        redis.pause(false);
    };
    world.fault(report, "store paused for 10 s", Costs::Outage, paused).await;
    let full = async |_: &mut World| {
        redis.command(&["CONFIG", "SET", "maxmemory", "1mb"]);
        seconds(3).await;
        redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    };
    world.fault(report, "store full for 3 s", Costs::Outage, full).await;
    for (name, network, costs) in [
        ("network to the store cut for 3 s", Network::IsCut, Costs::Outage),
        ("network drops everything for 3 s", Network::DropsAll, Costs::Outage),
        ("network loses answers for 3 s", Network::LosesAnswers, Costs::Outage),
        ("network is slow for 3 s", Network::IsSlow, Costs::Nothing),
        ("something else answers for 3 s", Network::TalksNonsense, Costs::Outage),
    ] {
        let broken = async |_: &mut World| {
            relay.set(network);
            seconds(3).await;
            relay.set(Network::Works);
        };
        world.fault(report, name, costs, broken).await;
    }
    let flaky = async |_: &mut World| {
        for _ in 0..20 {
            relay.set(Network::LosesAnswers);
            tokio::time::sleep(Duration::from_millis(50)).await;
            relay.set(Network::Works);
            relay.reset();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    world.fault(report, "answers lost and connections reset, 20 times", Costs::Outage, flaky).await;
    let replica = async |world: &mut World| {
        world.replicas[1].kill();
        seconds(2).await;
        world.replicas[1].restart();
    };
    world.fault(report, "a replica killed (kill -9), restarted after 2 s", Costs::Connections, replica).await;
}
