//! Time: requests over bare signature verifications, and opaque tokens over JWTs.

use std::hint::black_box;
use std::time::Instant;

use http::{Request, Response};

use crate::support::{Bare, Bench, Certificates, OPAQUE, Scene};
use crate::{Report, Target, median};

/// What one round sends, made beforehand: each proof serves once.
pub(crate) type Make<'m, B = ()> = &'m dyn Fn() -> Request<B>;
pub(crate) type Send<'s, B = ()> = &'s dyn Fn(Request<B>) -> Response<String>;
/// Name, target, what the time is over, and what is sent.
type TimeRow<'r> = (&'r str, f64, &'r dyn Fn(), Make<'r>, Send<'r>);

pub(crate) fn rows(report: &mut Report) {
    let bare = Bare::new();
    let verify = |times: usize| {
        let bare = &bare;
        move || {
            for _ in 0..times {
                bare.verify();
            }
        }
    };
    let (one, two) = (verify(1), verify(2));
    let (plain, nonce, opaque) = (Bench::new(false), Bench::new(true), Bench::opaque());
    let (token, nonce_token) = (plain.token(), nonce.token());
    plain.warm(&token);
    nonce.warm(&nonce_token);

    let rows: [TimeRow<'_>; 3] = [
        ("time: warm request / verification", 1.05, &one, &|| plain.request(&token), &|r| plain.send(r)),
        ("time: with nonce / verification", 1.10, &one, &|| nonce.request(&nonce_token), &|r| nonce.send(r)),
        ("time: cold token / two verifications", 1.05, &two, &|| plain.request(&plain.token()), &|r| plain.send(r)),
    ];
    for (name, target, baseline, make, send) in rows {
        row(report, name, Target::AtMost(target), baseline, make, send, 200);
    }

    let certificates = Certificates::new();
    let (bound, certificate) = (certificates.token(), certificates.peer_certificate());
    let send: Send<'_> = &|request| certificates.send(request);
    let sources: [(&str, Make<'_>); 2] = [
        ("time: certificate on the connection / verification", &|| certificates.on_connection(&bound, &certificate)),
        ("time: certificate in a header / verification", &|| certificates.in_header(&bound)),
    ];
    for (name, make) in sources {
        row(report, name, Target::AtMost(0.25), &one, make, send, 200);
    }
    opaque_over_jwt(report, &plain, &token, &opaque);

    let garbage = Scene::garbage();
    let rejected: [(&str, Make<'_>); 3] = [
        ("time: rejected, malformed proof / verification", &|| garbage.malformed_proof()),
        ("time: rejected, unknown issuer / verification", &|| garbage.unknown_issuer()),
        ("time: rejected, expired token in cache / verification", &|| garbage.expired_in_cache()),
    ];
    for (name, make) in rejected {
        row(report, name, Target::AtMost(0.10), &one, make, &|request| garbage.send(request), 401);
    }
}

/// A row of the time of requests over that of a baseline. Each round compares the median request with the median of the
/// baseline: the few that the machine interrupts count on neither side.
pub(crate) fn row<B>(
    report: &mut Report,
    name: &str,
    target: Target,
    baseline: &dyn Fn(),
    make: Make<'_, B>,
    send: Send<'_, B>,
    status: u16,
) {
    if !report.wants(name, false) {
        return;
    }
    let (rounds, operations) = (report.size(61, 3), report.size(200, 5));
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let (mut ours, mut bare) = (Vec::with_capacity(operations), Vec::with_capacity(operations));
        for _ in 0..operations {
            ours.push(timed(1, make, send, status));
            black_box(make());
            let start = Instant::now();
            baseline();
            bare.push(start.elapsed().as_secs_f64());
        }
        ratios.push(median(&ours) / median(&bare));
    }
    report.rounds(name, &ratios, target);
}

fn opaque_over_jwt(report: &mut Report, plain: &Bench, token: &str, opaque: &Bench) {
    let name = "time: opaque token, cached answer / warm JWT request";
    if !report.wants(name, false) {
        return;
    }
    let (rounds, operations) = (report.size(61, 3), report.size(200, 5));
    let ratios = (0..rounds).map(|_| {
        let opaque = timed(operations, &|| opaque.request(OPAQUE), &|r| opaque.send(r), 200);
        opaque / timed(operations, &|| plain.request(token), &|r| plain.send(r), 200)
    });
    report.rounds(name, &ratios.collect::<Vec<_>>(), Target::AtMost(1.05));
}

/// Seconds for this many requests, their making and the dropping of responses left out.
pub(crate) fn timed<B>(operations: usize, make: Make<'_, B>, send: Send<'_, B>, status: u16) -> f64 {
    let requests: Vec<_> = (0..operations).map(|_| make()).collect();
    let mut responses = Vec::with_capacity(operations);
    let start = Instant::now();
    for request in requests {
        responses.push(send(request));
    }
    let seconds = start.elapsed().as_secs_f64();
    assert!(black_box(responses).iter().all(|response| response.status() == status));
    seconds
}
