//! `cargo bench --bench allocations`: heap allocations of a warm request within the layer, and the memory that a request with
//! content takes; a name and a number a line. The allocator that counts slows everything down: a program of its own, so that
//! no other bench pays for it.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

mod support;

use allocation_counter::AllocationInfo;
use http::{Request, Response};
use pop_authserver::Algorithm;
use support::signed::{Arriving, CONTENT_LEN, Kind, Signed};
use support::{Bench, Certificates, Inner, OPAQUE};
use tower_pop::{DefaultRejection, PopService};

/// What a warm request may cost.
const BUDGET: u64 = 6;
/// What a request whose proof is over the request itself may cost.
const SIGNED_BUDGET: u64 = 30;
/// The memory of a request with content, over the length of the content.
const CONTENT_BUDGET: f64 = 1.05;

fn main() {
    let (plain, opaque, certificates) = (Bench::new(false), Bench::opaque(), Certificates::new());
    let (token, bound) = (plain.token(), certificates.token());
    plain.warm(&token);
    let certificate = certificates.peer_certificate();
    certificates.send(certificates.on_connection(&bound, &certificate));
    for (name, count) in [
        ("warm request", allocations(&plain.service, plain.request(&token))),
        ("opaque token, cached answer", allocations(&opaque.service, opaque.request(OPAQUE))),
        (
            "certificate on the connection",
            allocations(&certificates.service, certificates.on_connection(&bound, &certificate)),
        ),
    ] {
        println!("{name}\t{count}");
        assert!(count <= BUDGET, "{name}: {count} allocations are more than {BUDGET}");
    }
    for (name, kind) in [
        ("message signature", Kind::HttpSig(Algorithm::Ed25519)),
        ("envelope", Kind::Envelope(Algorithm::ES256)),
        ("warm HMAC request", Kind::Hmac),
    ] {
        let signed = Signed::new(kind);
        let token = signed.token();
        signed.warm(&token);
        let count = counted(signed.request(&token), &|request| signed.send(request)).count_total;
        println!("{name}\t{count}");
        assert!(count <= SIGNED_BUDGET, "{name}: {count} allocations are more than {SIGNED_BUDGET}");
    }
    content();
}

/// Content that is allocated as it arrives must be in memory once.
fn content() {
    let signed = Signed::new(Kind::HttpSig(Algorithm::Ed25519));
    let token = signed.token();
    signed.warm(&token);
    let (body, digest) = Arriving::new();
    let request = signed.request_with(&token, &digest, body);
    let most = counted(request, &|request| signed.send(request)).bytes_max;
    let ratio = most as f64 / CONTENT_LEN as f64;
    println!("request with content of 16 MiB / its content\t{ratio:.4}");
    assert!(ratio <= CONTENT_BUDGET, "{ratio} of the content is more than {CONTENT_BUDGET}");
}

fn allocations(service: &PopService<Inner, DefaultRejection>, request: Request<()>) -> u64 {
    counted(request, &|request| support::send(service, request)).count_total
}

fn counted<B>(request: Request<B>, send: &dyn Fn(Request<B>) -> Response<String>) -> AllocationInfo {
    let mut slot = (Some(request), None);
    let counted = allocation_counter::measure(|| {
        let request = slot.0.take().unwrap();
        slot.1 = Some(send(request));
    });
    assert_eq!(slot.1.map(|response| response.status().as_u16()), Some(200));
    counted
}
