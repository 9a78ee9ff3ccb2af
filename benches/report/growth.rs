//! How the cost of a warm request grows with what a deployment has more of. Ratios that are only reported, but for the first:
//! a body is never touched.

use std::time::Instant;

use http::Request;
use tower_pop::IssuerConfig;

use crate::support::Bench;
use crate::time::timed;
use crate::{Report, Target, median};

const BODY: &str = "growth: warm request, body of 16 MiB / none";
const ISSUERS: &str = "growth: warm request, 100 issuers / 1";
const KEYS: &str = "growth: cold token, 64 keys / 1";
const CLAIMS: &str = "growth: warm request, 8 KiB of claims / 200 bytes";
const THREADS: &str = "growth: warm requests/s, two threads / one";

pub(crate) fn rows(report: &mut Report) {
    if report.wants(BODY, false) {
        let ratio = body(report);
        let target = if report.full { Target::AtMost(1.05) } else { Target::None };
        report.row(BODY, ratio, target);
    }
    let few = Bench::new(false);
    let pairs: [(&str, Bench, bool); 2] = [
        (
            ISSUERS,
            Bench::with(false, |builder| {
                (0..99).fold(builder, |builder, number| {
                    let issuer = IssuerConfig::new(format!("https://{number}.as.example"));
                    builder.issuer(issuer.static_jwks(few.server.jwks_json()))
                })
            }),
            false,
        ),
        (KEYS, Bench::of_issuer_with_keys(64), true),
    ];
    for (name, many, cold) in &pairs {
        if report.wants(name, false) {
            let ratio = compare(report, &few, many, *cold);
            report.row(name, ratio, Target::None);
        }
    }
    if report.wants(CLAIMS, false) {
        let large = few.token_with("pad", &"x".repeat(8 * 1024));
        let small = few.token();
        few.warm(&large);
        few.warm(&small);
        let (rounds, operations) = (report.size(61, 3), report.size(100, 5));
        let time = |token: &str| timed(operations, &|| few.request(token), &|request| few.send(request), 200);
        report.rounds(CLAIMS, &(0..rounds).map(|_| time(&large) / time(&small)).collect::<Vec<_>>(), Target::None);
    }
    if report.wants(THREADS, false) {
        let ratio = threads(report, &few);
        report.row(THREADS, ratio, Target::None);
    }
}

/// Time with many over time with few.
fn compare(report: &Report, few: &Bench, many: &Bench, cold: bool) -> f64 {
    let (rounds, operations) = (report.size(61, 3), report.size(100, 5));
    let time = |bench: &Bench| {
        let token = bench.token();
        bench.warm(&token);
        let make = || bench.request(&if cold { bench.token() } else { token.clone() });
        timed(operations, &make, &|request| bench.send(request), 200)
    };
    median(&(0..rounds).map(|_| time(many) / time(few)).collect::<Vec<_>>())
}

fn body(report: &Report) -> f64 {
    let bench = Bench::new(false);
    let token = bench.token();
    bench.warm(&token);
    let body = bytes::Bytes::from(vec![0; 16 << 20]);
    let time = |body: &bytes::Bytes| {
        let requests: Vec<Request<bytes::Bytes>> =
            (0..report.size(100, 5)).map(|_| bench.request(&token).map(|()| body.clone())).collect();
        let start = Instant::now();
        for request in requests {
            bench.send_body(request);
        }
        start.elapsed().as_secs_f64()
    };
    median(&(0..report.size(61, 3)).map(|_| time(&body) / time(&bytes::Bytes::new())).collect::<Vec<_>>())
}

fn threads(report: &Report, bench: &Bench) -> f64 {
    let token = bench.token();
    bench.warm(&token);
    let rate = |threads: usize| {
        let lists: Vec<Vec<Request<()>>> =
            (0..threads).map(|_| (0..report.size(2000, 5)).map(|_| bench.request(&token)).collect()).collect();
        let sent: usize = lists.iter().map(Vec::len).sum();
        let start = Instant::now();
        std::thread::scope(|scope| {
            for list in lists {
                let service = bench.service.clone();
                scope.spawn(move || list.into_iter().for_each(|request| drop(crate::support::send(&service, request))));
            }
        });
        sent as f64 / start.elapsed().as_secs_f64()
    };
    median(&(0..report.size(9, 1)).map(|_| rate(2) / rate(1)).collect::<Vec<_>>())
}
