//! Mixed load for some minutes, with the memory over time.

use std::path::Path;
use std::time::{Duration, Instant};

use cluster::figures::Figures;
use cluster::servers::Redis;

use crate::picture;
use crate::world::World;

/// Memory is measured this often.
const EVERY: Duration = Duration::from_secs(5);

/// Runs for some minutes. Memory is said to be flat from the third minute on: until then, entries of the replay stores come and none
/// expires.
pub(crate) async fn run(minutes: u64, drawing: Option<&Path>) {
    let Some(redis) = Redis::start(&[]).await else { return };
    let world = World::start(&["--redis", &redis.url()]).await;
    let (start, mut figures, mut memory) = (Instant::now(), Figures::default(), Vec::new());
    let mut slowest = Duration::ZERO;
    while start.elapsed() < Duration::from_secs(60 * minutes) {
        tokio::time::sleep(EVERY).await;
        let since = Figures::of(&world.load.take_events());
        slowest = slowest.max(since.time(0.99));
        figures.add(&since);
        let of_redis = redis.memory().unwrap_or_default();
        memory.push((start.elapsed().as_secs_f64() / 60.0, mebibytes(world.memory().0), mebibytes(of_redis)));
    }
    println!("{figures}");
    println!("the worst p99 of {} s: {} ms", EVERY.as_secs(), slowest.as_millis());
    let steady: Vec<f64> =
        memory.iter().filter(|(minute, ..)| *minute >= 3.0).map(|(_, of_replicas, _)| *of_replicas).collect();
    if let Some(first) = steady.first() {
        let (least, most) =
            steady.iter().fold((f64::MAX, 0f64), |(least, most), now| (least.min(*now), most.max(*now)));
        println!(
            "resident memory of three replicas from the third minute on: {least:.1} to {most:.1} MiB, {first:.1} at first"
        );
        println!(
            "most over first: {:+.1} %, least over first: {:+.1} %",
            percent(most, *first),
            percent(least, *first)
        );
    }
    if let Some(path) = drawing {
        std::fs::write(path, picture::memory(&memory)).unwrap();
    }
    assert_eq!((figures.refused(), figures.attacks_accepted()), (0, 0));
}

#[allow(clippy::cast_precision_loss)]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}

fn percent(this: f64, of: f64) -> f64 {
    100.0 * (this / of - 1.0)
}
