//! Heads of requests as bytes: the first line is `method target address-of-the-peer`, then comes one field a line. Nobody
//! here can sign, so that only the credentials of the accepted seeds pass, byte for byte and for the request they were made
//! for, and a certificate only in the field of the proxy that is trusted for it. A refusal is the client's fault.
#![no_main]

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Request, request::Parts};
use libfuzzer_sys::fuzz_target;
use pop_core::jose::CertThumbprint;
use poplayer_fuzz::oracle::is_same_resource;
use poplayer_fuzz::world::{AUDIENCE, CERTIFICATE, NOW, judge, resource, trusted_field};
use tower_pop::clock::ManualClock;
use tower_pop::{PeerAddress, VerifiedToken};

const DPOP: &str = include_str!("../seeds/request/accepted-dpop");
const MTLS: &str = include_str!("../seeds/request/accepted-mtls");
const ENVOY: &str = include_str!("../seeds/request/accepted-mtls-envoy");

fuzz_target!(
    init: {
        for seed in [DPOP, MTLS, ENVOY] {
            let head = Head::read(seed.as_bytes()).expect("a head");
            assert!(head.attempt().is_some(), "refused: {seed}");
        }
    },
    |data: &[u8]| {
        let Some(head) = Head::read(data) else { return };
        let Some(token) = head.attempt() else { return };
        if token.proof().certificate_thumbprint().is_some() {
            assert_eq!(credentials(head.field("authorization")), credentials(of_seed(MTLS, "authorization")));
            let (field, format) = head.peer.and_then(trusted_field).expect("a trusted proxy");
            assert_eq!(format.read(head.field(field)), Ok(Some(CertThumbprint::of_der(CERTIFICATE))));
        } else {
            assert_eq!(credentials(head.field("authorization")), credentials(of_seed(DPOP, "authorization")));
            assert_eq!(head.field("dpop"), of_seed(DPOP, "dpop"));
            assert_eq!(head.parts.method, "GET");
            assert!(is_same_resource(&format!("{AUDIENCE}{}", head.parts.uri.path()), &format!("{AUDIENCE}/notes")));
        }
    }
);

struct Head {
    parts: Parts,
    peer: Option<IpAddr>,
}

impl Head {
    /// What HTTP itself refuses is left out.
    fn read(data: &[u8]) -> Option<Self> {
        let mut lines = data.split(|byte| *byte == b'\n');
        let mut words = std::str::from_utf8(lines.next()?).ok()?.split(' ');
        let mut request = Request::builder().method(words.next()?).uri(words.next()?).body(()).ok()?;
        let peer = words.next().and_then(|peer| peer.parse().ok());
        if let Some(peer) = peer {
            request.extensions_mut().insert(PeerAddress(peer));
        }
        for line in lines.take(16) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                request.headers_mut().append(name, value);
            }
        }
        Some(Self { parts: request.into_parts().0, peer })
    }

    fn attempt(&self) -> Option<VerifiedToken> {
        let resource = resource(Arc::new(ManualClock::at(NOW)));
        let mut parts = self.parts.clone();
        resource.sanitize_certificates(&mut parts);
        match judge(&resource, &parts, &[]) {
            Ok(admitted) => Some(admitted.token.expect("mode Required never admits anonymous requests")),
            Err(rejection) => {
                assert!(rejection.status().is_client_error(), "{rejection:?}");
                None
            }
        }
    }

    fn field(&self, name: &str) -> &[u8] {
        self.parts.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default()
    }
}

fn of_seed(seed: &'static str, name: &str) -> &'static [u8] {
    let value = |line: &'static str| line.strip_prefix(name)?.strip_prefix(": ");
    seed.lines().find_map(value).expect("the field").as_bytes()
}

/// What follows the scheme.
fn credentials(authorization: &[u8]) -> &[u8] {
    let end = authorization.iter().position(|byte| *byte == b' ').unwrap_or(0);
    authorization[end..].trim_ascii()
}
