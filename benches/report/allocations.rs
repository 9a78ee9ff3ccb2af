//! Heap allocations of a warm request.

use crate::support::{Bench, Certificates, OPAQUE};
use crate::{Report, Target};

pub(crate) fn rows(report: &mut Report) {
    let (plain, opaque, certificates) = (Bench::new(false), Bench::opaque(), Certificates::new());
    let (token, bound) = (plain.token(), certificates.token());
    plain.warm(&token);
    let certificate = certificates.peer_certificate();
    certificates.send(certificates.on_connection(&bound, &certificate));
    for (name, count) in [
        ("allocations: warm request", plain.allocations(plain.request(&token))),
        ("allocations: opaque token, cached answer", opaque.allocations(opaque.request(OPAQUE))),
        (
            "allocations: certificate on the connection",
            certificates.allocations(certificates.on_connection(&bound, &certificate)),
        ),
    ] {
        if report.wants(name, true) {
            report.row(name, count as f64, Target::AtMost(12.0));
        }
    }
}
