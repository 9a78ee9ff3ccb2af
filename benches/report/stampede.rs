//! Ten thousand first requests at once, with a key set that takes two seconds to come.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tower::{Layer, ServiceExt};
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{IssuerConfig, PopConfig, PopLayer};

use crate::support::{Bench, Inner};
use crate::{Report, Target};

/// Serves a key set slowly, and counts.
struct Slow {
    body: String,
    takes: Duration,
    fetches: Arc<AtomicUsize>,
}

impl HttpFetch for Slow {
    fn fetch(&self, _: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let (body, takes) = (self.body.clone(), self.takes);
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            Ok(FetchResponse::new(body))
        })
    }
}

pub(crate) fn rows(report: &mut Report) {
    let (fetches_name, p99_name) = ("stampede: fetches for 10^4 first requests", "stampede: p99 / time of the fetch");
    if !report.wants(fetches_name, false) && !report.wants(p99_name, false) {
        return;
    }
    let (requests, takes) = (report.size(10_000, 20), Duration::from_millis(report.size(2000, 20) as u64));
    let bench = Bench::new(false);
    let fetches = Arc::new(AtomicUsize::new(0));
    let slow = Slow { body: bench.server.jwks_json(), takes, fetches: Arc::clone(&fetches) };
    let issuer = IssuerConfig::new(bench.server.issuer()).jwks_uri("https://as.example/jwks");
    let cfg = PopConfig::builder(issuer, "https://api.example").http_fetch(slow).build().expect("valid");
    let service = PopLayer::new(cfg).layer(Inner);
    let token = bench.token();
    let requests: Vec<_> = (0..requests).map(|_| bench.request(&token)).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut times = runtime.block_on(async {
        let start = Instant::now();
        let tasks: Vec<_> = requests
            .into_iter()
            .map(|request| {
                let service = service.clone();
                tokio::spawn(async move {
                    let response = service.oneshot(request).await.expect("infallible");
                    assert_eq!(response.status(), 200);
                    start.elapsed().as_secs_f64()
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.push(task.await.expect("no panic"));
        }
        times
    });
    times.sort_by(f64::total_cmp);
    let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    report.row(fetches_name, fetches.load(Ordering::SeqCst) as f64, Target::AtMost(1.0));
    let target = if report.full { Target::AtMost(2.0) } else { Target::None };
    report.row(p99_name, p99 / takes.as_secs_f64(), target);
}
