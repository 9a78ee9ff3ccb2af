//! `cargo bench --bench report`: our requests as ratios to bare signature verifications, measured in one run. Rounds of
//! both are interleaved and each ratio is the median over the rounds, so that a machine that changes its pace in between
//! changes little.
#![allow(missing_docs, clippy::print_stdout, clippy::cast_precision_loss)]

mod support;

use std::time::Instant;

use http::{Request, Response};
use support::{Bare, Bench, Certificates, OPAQUE};

/// Rounds, and operations in each; few of both unless cargo says that it is a bench run.
fn size() -> (usize, usize) {
    if std::env::args().any(|arg| arg == "--bench") { (41, 200) } else { (3, 5) }
}

fn main() {
    let (rounds, operations) = size();
    let (plain, nonce) = (Bench::new(false), Bench::new(true));
    let (token, nonce_token) = (plain.token(), nonce.token());
    plain.send(plain.request(&token));
    nonce.send(nonce.request(&nonce_token));
    println!("{rounds} rounds of {operations} operations; ratios are medians over the rounds\n");
    println!("{:<58} {:>8} {:>10}", "row", "ratio", "us/request");
    let row = |name: &str, over: usize, send: Send<'_>, make: &dyn Fn() -> Request<()>, status: u16| {
        let (ratio, micros) = measure(rounds, operations, over, send, make, status);
        println!("{name:<58} {ratio:>8.3} {micros:>10.1}");
    };
    row("warm request / one bare ES256 verification", 1, &|r| plain.send(r), &|| plain.request(&token), 200);
    row(
        "warm request with nonce / one bare ES256 verification",
        1,
        &|r| nonce.send(r),
        &|| nonce.request(&nonce_token),
        200,
    );
    row("cold token / two bare ES256 verifications", 2, &|r| plain.send(r), &|| plain.request(&plain.token()), 200);
    let malformed = || {
        let mut request = plain.request(&token);
        request.headers_mut().insert("dpop", http::HeaderValue::from_static("a.b.c"));
        request
    };
    row("rejected malformed proof / one bare ES256 verification", 1, &|r| plain.send(r), &malformed, 401);
    let opaque = Bench::opaque();
    let name = "opaque token, cached answer / one bare ES256 verification";
    row(name, 1, &|r| opaque.send(r), &|| opaque.request(OPAQUE), 200);
    let certificates = Certificates::new();
    let (token, certificate) = (certificates.token(), certificates.peer_certificate());
    let send: Send<'_> = &|request| certificates.send(request);
    let name = "certificate on the connection / one bare verification";
    row(name, 1, send, &|| certificates.on_connection(&token, &certificate), 200);
    let name = "certificate in a header / one bare verification";
    row(name, 1, send, &|| certificates.in_header(&token), 200);
}

type Send<'s> = &'s dyn Fn(Request<()>) -> Response<String>;

/// The median ratio, and the median time of one request in microseconds.
fn measure(
    rounds: usize,
    operations: usize,
    over: usize,
    send: Send<'_>,
    make: &dyn Fn() -> Request<()>,
    status: u16,
) -> (f64, f64) {
    let bare = Bare::new();
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let requests: Vec<_> = (0..operations).map(|_| make()).collect();
        let start = Instant::now();
        for _ in 0..operations * over {
            bare.verify();
        }
        let verifications = start.elapsed().as_secs_f64();
        let start = Instant::now();
        for request in requests {
            assert_eq!(send(request).status(), status);
        }
        let ours = start.elapsed().as_secs_f64();
        ratios.push(ours / verifications);
        times.push(ours / operations as f64 * 1e6);
    }
    (median(ratios), median(times))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
