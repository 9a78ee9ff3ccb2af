//! The authorization server is down, hangs, or lies, and replaces its keys. Each request has a new token.

use std::time::Duration;

use cluster::issuer::Mood;
use cluster::servers::Redis;

use crate::world::{Costs, Report, World};

/// ATK-27, ATK-28, X-69. Keys are fresh for a second here, and used for two more.
pub(crate) async fn faults(report: &mut Report) {
    let Some(redis) = Redis::start(&[]).await else { return };
    let mut world = World::start(&["--redis", &redis.url()]).await;
    world.load.use_new_tokens(true);
    let down = async |world: &mut World| {
        world.issuer.listens(false).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.issuer.listens(true).await;
    };
    world.fault(report, "authorization server down for 5 s", Costs::Outage, down).await;
    for (name, mood) in [
        ("authorization server hangs for 5 s", Mood::Hangs),
        ("authorization server fails for 5 s", Mood::Fails),
        ("authorization server sends HTML for 5 s", Mood::Html),
        ("metadata of another issuer for 5 s", Mood::AnotherIssuer),
        ("empty key set for 5 s", Mood::NoKeys),
        ("key set of 20 MB for 5 s", Mood::HugeKeys),
    ] {
        let broken = async |world: &mut World| {
            world.issuer.set(mood);
            tokio::time::sleep(Duration::from_secs(5)).await;
            world.issuer.set(Mood::Works);
        };
        world.fault(report, name, Costs::Outage, broken).await;
    }
    let rotating = async |world: &mut World| {
        for _ in 0..6 {
            world.issuer.rotate();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    world.fault(report, "authorization server has a new key each second", Costs::Nothing, rotating).await;
}
