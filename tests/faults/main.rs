//! What breaks while requests come: the replay store, the network, the authorization server, a replica; and floods. Every part is a
//! real server in a process of its own.
//!
//! `cargo test --test faults` takes a few minutes, prints figures, and fails if
//! - an attack was accepted, such as a proof that was used before;
//! - a valid request was rejected with anything but 503, or outside of an outage.
//!
//! `cargo test --test faults -- store issuer` runs these parts only; there are flood, sentinel and cluster too.
//! `cargo test --test faults -- soak 30 docs/pictures/soak.svg` runs mixed load for 30 minutes, and draws the memory.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod flood;
mod issuer;
mod picture;
mod soak;
mod store;
mod takeover;
mod world;

use clap::Parser;
use cluster::replica::ReplicaArgs;
use cluster::servers::is_installed;

use self::world::Report;

#[derive(Debug, Parser)]
enum Part {
    /// A replica of the API, which this program starts itself.
    Replica(ReplicaArgs),
    /// Mixed load for some minutes.
    Soak {
        minutes: u64,
        /// Where to draw the memory over time.
        picture: Option<std::path::PathBuf>,
    },
}

#[tokio::main]
async fn main() {
    match Part::try_parse() {
        Ok(Part::Replica(args)) => args.serve().await.unwrap(),
        _ if !is_installed("redis-server", "POPLAYER_REQUIRE_REDIS") => {}
        Ok(Part::Soak { minutes, picture }) => soak::run(minutes, picture.as_deref()).await,
        Err(_) => faults().await, // arguments of the test runner
    }
}

/// Runs the parts that the arguments name, or all of them.
async fn faults() {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let parts = ["store", "issuer", "flood", "sentinel", "cluster"];
    let is_any_named = parts.iter().any(|part| named.iter().any(|name| name == part));
    let mut report = Report::new();
    for part in parts {
        if is_any_named && !named.iter().any(|name| name == part) {
            continue;
        }
        match part {
            "store" => store::faults(&mut report).await,
            "issuer" => issuer::faults(&mut report).await,
            "flood" => flood::faults(&mut report).await,
            "sentinel" => takeover::sentinel(&mut report).await,
            _ => takeover::cluster(&mut report).await,
        }
    }
    report.end();
}
