//! Certificate-bound tokens (RFC 8705), with certificates from the connection and from proxies (RFC 9440).

mod binding;
mod fields;
mod proxies;
mod settings;
mod tls;

use std::net::{IpAddr, Ipv4Addr};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use pop_authserver::TestCertificate;
use pop_core::jose::{CertThumbprint, encode_standard};
use tower_pop::{CertificateHeader, ClientCertificates, PeerAddress, PeerCertificate, PopConfigBuilder, ProxyTrust};

use crate::support::{Answer, Api, api_with};

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));
const UNTRUSTED: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// An API that takes certificates from connections, and three certificates.
struct Scene {
    api: Api,
    own: TestCertificate,
    other: TestCertificate,
}

fn networks() -> ProxyTrust {
    ProxyTrust::Networks(vec!["10.0.0.0/8".parse().unwrap()])
}

fn header(name: &str) -> CertificateHeader {
    CertificateHeader::new(name).unwrap()
}

fn scene_with(configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> Scene {
    let api = api_with(configure);
    Scene { api, own: TestCertificate::self_signed("own"), other: TestCertificate::self_signed("other") }
}

fn scene() -> Scene {
    scene_with(|builder| builder.client_certificates(ClientCertificates::from_connection()))
}

/// Behind a proxy that passes certificates in this field.
fn behind(field: &str) -> Scene {
    let certificates = ClientCertificates::from_proxies(networks(), header(field));
    scene_with(|builder| builder.client_certificates(certificates))
}

impl Scene {
    /// A token that is bound to our certificate.
    fn token(&self) -> String {
        self.api.token().bound_to_certificate(self.own.der()).mint()
    }

    async fn connection(&self, token: &str, certificate: Option<&TestCertificate>) -> Answer {
        let mut request = bearer(token);
        if let Some(certificate) = certificate {
            request.extensions_mut().insert(PeerCertificate::from_der(certificate.der()));
        }
        self.api.send(request).await
    }

    async fn proxied(&self, peer: IpAddr, field: &'static str, values: &[&str]) -> Answer {
        let mut request = bearer(&self.token());
        request.extensions_mut().insert(PeerAddress(peer));
        for value in values {
            request.headers_mut().append(field, HeaderValue::from_str(value).unwrap());
        }
        self.api.send(request).await
    }
}

fn bearer(token: &str) -> Request<()> {
    Request::get("/notes").header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap()
}

fn byte_sequence(certificate: &TestCertificate) -> String {
    format!(":{}:", encode_standard(certificate.der()))
}

fn hash(certificate: &TestCertificate) -> String {
    CertThumbprint::of_der(certificate.der()).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
