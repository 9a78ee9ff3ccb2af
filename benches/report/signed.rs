//! Proofs over the request itself: message signatures, signed requests and symmetric keys, and the content that they cover.

use std::time::Instant;

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use pop_authserver::Algorithm;
use pop_core::content::content_digest;

use crate::support::Bare;
use crate::support::signed::{CONTENT_LEN, Kind, Pieces, Signed, all_keks};
use crate::time::row;
use crate::{Report, Target};

const CONTENT: &str = "time: 16 MiB of content with its digest / hashing it once";

pub(crate) fn rows(report: &mut Report) {
    let warm = [
        ("time: message signature, Ed25519 / verification", Kind::HttpSig(Algorithm::Ed25519), Algorithm::Ed25519),
        ("time: message signature, ES256 / verification", Kind::HttpSig(Algorithm::ES256), Algorithm::ES256),
        ("time: envelope (m, u, p), ES256 / verification", Kind::Envelope(Algorithm::ES256), Algorithm::ES256),
    ];
    for (name, kind, algorithm) in warm {
        if report.wants(name, false) {
            let signed = Signed::new(kind);
            let token = signed.token();
            signed.warm(&token);
            let bare = Bare::of(algorithm, signed.message(&token).len());
            let (make, baseline) = (|| signed.request(&token), || bare.verify());
            row(report, name, Target::AtMost(1.15), &baseline, &make, &|request| signed.send(request), 200);
        }
    }
    symmetric(report);
    if report.wants(CONTENT, false) {
        content(report);
    }
}

fn symmetric(report: &mut Report) {
    let signed = Signed::new(Kind::Hmac);
    let token = signed.token();
    signed.warm(&token);
    let message = signed.message(&token);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let tag = hmac::sign(&key, &message);
    let mac = || hmac::verify(&key, &message, tag.as_ref()).expect("a good MAC");
    let bare = Bare::new();
    let verify = || bare.verify();
    let (make, send) = (|| signed.request(&token), |request| signed.send(request));
    row(report, "time: warm HMAC request / HMAC of its base", Target::None, &mac, &make, &send, 200);
    row(report, "time: warm HMAC request / verification", Target::AtMost(0.20), &verify, &make, &send, 200);

    let keks = all_keks();
    for (name, kek) in &keks {
        let signed = Signed::with_keys(Kind::Hmac, std::slice::from_ref(kek));
        let make = || signed.request(&signed.token_for(kek));
        let name = format!("time: cold symmetric token, {name} / verification");
        row(report, &name, Target::None, &verify, &make, &|request| signed.send(request), 200);
    }
}

fn content(report: &mut Report) {
    let signed = Signed::new(Kind::HttpSig(Algorithm::Ed25519));
    let token = signed.token();
    signed.warm(&token);
    let content = Bytes::from(vec![b'c'; if report.full { CONTENT_LEN } else { 1000 }]);
    let field = content_digest(&content);
    let ratios = (0..report.size(31, 3)).map(|_| {
        let request = signed.request_with(&token, &field, Pieces::of(&content));
        let start = Instant::now();
        let response = signed.send(request);
        let ours = start.elapsed();
        assert_eq!(response.status(), 200);
        let start = Instant::now();
        std::hint::black_box(digest::digest(&digest::SHA256, &content));
        ours.as_secs_f64() / start.elapsed().as_secs_f64()
    });
    let target = if report.full { Target::AtMost(1.10) } else { Target::None };
    report.rounds(CONTENT, &ratios.collect::<Vec<_>>(), target);
}
