//! `cargo bench --bench allocations`: heap allocations of a warm request within the layer, a name and a number a line. The
//! allocator that counts slows everything down: a program of its own, so that no other bench pays for it.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

mod support;

use http::Request;
use support::{Bench, Certificates, Inner, OPAQUE};
use tower_pop::{DefaultRejection, PopService};

/// What a warm request may cost.
const BUDGET: u64 = 6;

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
}

fn allocations(service: &PopService<Inner, DefaultRejection>, request: Request<()>) -> u64 {
    let mut slot = (Some(request), None);
    let counted = allocation_counter::measure(|| {
        let request = slot.0.take().unwrap();
        slot.1 = Some(support::send(service, request));
    });
    assert_eq!(slot.1.map(|response| response.status().as_u16()), Some(200));
    counted.count_total
}
