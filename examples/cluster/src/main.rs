//! Three replicas of an API that share a replay store in Redis, behind nginx, under load and attack.
//!
//! `cargo run -p cluster` prints what became of each kind of request. The exit code is an error if a replica accepted what it should
//! not, or rejected what it should accept.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use cluster::figures::Figures;
use cluster::issuer::Issuer;
use cluster::load::Load;
use cluster::replica::ReplicaArgs;
use cluster::servers::{Nginx, Redis, Replica, free_port};
use tracing_subscriber::EnvFilter;

/// Starts Redis, three replicas of an API and nginx, and sends valid requests and attacks.
#[derive(Debug, Parser)]
struct Args {
    /// How long to send requests, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Serves the API, as one of several replicas.
    Replica(ReplicaArgs),
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
    let args = Args::parse();
    match args.part {
        Some(Part::Replica(args)) => args.serve().await.map(|()| ExitCode::SUCCESS),
        None => run(Duration::from_secs(args.seconds)).await,
    }
}

async fn run(time: Duration) -> Result<ExitCode, Box<dyn Error>> {
    let issuer = Arc::new(Issuer::start().await);
    let redis = Redis::start(&[]).await.ok_or("redis-server is not installed")?;
    let port = free_port();
    let public_url = format!("http://127.0.0.1:{port}");
    let options = ["--public-url", &*public_url, "--issuer", issuer.url(), "--redis", &redis.url()];
    let replicas: Vec<Replica> = (0..3).map(|_| Replica::start(&options)).collect();
    let nginx = Nginx::start(port, &replicas).await.ok_or("nginx is not installed")?;
    println!("authorization server  {}", issuer.url());
    println!("replay store          {}", redis.url());
    println!("replicas              {}", replicas.iter().map(Replica::url).collect::<Vec<_>>().join("  "));
    println!("nginx                 http://127.0.0.1:{}/whoami\n", nginx.port);

    // Requests go to nginx, which takes the replicas in turn, and to each replica: attackers may know the way around it.
    let targets = [&[format!("{public_url}/whoami")][..], &replicas.iter().map(Replica::url).collect::<Vec<_>>()];
    let load = Arc::new(Load::new(&issuer, &public_url, targets.concat()));
    let _ = tokio::time::timeout(time, load.run()).await;
    let figures = Figures::of(&load.take_events());
    println!("{figures}");
    println!("commands that Redis ran to record proofs: {}", redis.sets());
    let as_expected = figures.accepted() > 0 && figures.refused() == 0 && figures.attacks_accepted() == 0;
    Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
