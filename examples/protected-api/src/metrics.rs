//! Metrics for Prometheus, on an address of their own.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tokio::net::TcpListener;

/// Old samples are dropped so often.
const UPKEEP: Duration = Duration::from_secs(5);

/// Records from now on, and serves `/metrics` in a task of its own.
///
/// # Errors
/// If the address cannot be used.
pub(crate) async fn serve(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let ages = [-300.0, -60.0, -30.0, -10.0, -1.0, 0.0, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0];
    let latencies = [
        1e-6, 2.5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5,
        1.0, 2.5, 5.0,
    ];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("pop_proof_age_seconds".to_owned()), &ages)?
        .set_buckets_for_metric(Matcher::Suffix("duration_seconds".to_owned()), &latencies)?
        .install_recorder()?;
    let listener = TcpListener::bind(address).await?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    let app = Router::new().route("/metrics", get(move || async move { handle.render() }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(())
}
