//! `cargo bench --bench layer`: warm and cold requests through `PopLayer`, beside one bare verification.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use support::{Bare, Bench, Certificates, OPAQUE};

fn layer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("layer");
    let bare = Bare::new();
    group.bench_function("bare ES256 verification", |bencher| bencher.iter(|| bare.verify()));
    for (name, nonce) in [("warm request", false), ("warm request with nonce", true)] {
        let bench = Bench::new(nonce);
        let token = bench.token();
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || bench.request(&token),
                |request| assert_eq!(bench.send(request).status(), 200),
                BatchSize::SmallInput,
            );
        });
    }
    let opaque = Bench::opaque();
    group.bench_function("opaque token, cached answer", |bencher| {
        bencher.iter_batched(
            || opaque.request(OPAQUE),
            |request| assert_eq!(opaque.send(request).status(), 200),
            BatchSize::SmallInput,
        );
    });
    let certificates = Certificates::new();
    let (token, certificate) = (certificates.token(), certificates.peer_certificate());
    type Make<'m> = &'m dyn Fn() -> http::Request<()>;
    let sources: [(&str, Make<'_>); 2] = [
        ("certificate on the connection", &|| certificates.on_connection(&token, &certificate)),
        ("certificate in a header", &|| certificates.in_header(&token)),
    ];
    for (name, make) in sources {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                make,
                |request| assert_eq!(certificates.send(request).status(), 200),
                BatchSize::SmallInput,
            );
        });
    }
    let bench = Bench::new(false);
    group.bench_function("cold token", |bencher| {
        bencher.iter_batched(
            || bench.request(&bench.token()),
            |request| assert_eq!(bench.send(request).status(), 200),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("rejected: malformed proof", |bencher| {
        let token = bench.token();
        bencher.iter_batched(
            || {
                let mut request = bench.request(&token);
                request.headers_mut().insert("dpop", "a.b.c".parse().unwrap());
                request
            },
            |request| assert_eq!(bench.send(request).status(), 401),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, layer);
criterion_main!(benches);
