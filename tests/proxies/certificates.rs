//! Client certificates (RFC 8705) through each proxy, in the format that it sends.

use pop_authserver::TestCertificate;
use pop_core::jose::encode_standard;
use rustls::HandshakeKind;
use tower_pop::{CertificateFormat, CertificateHeader};

use super::proxy::{self, AUDIENCE, Api, Program, Proxy};

fn escaped(certificate: &TestCertificate) -> String {
    certificate.pem().bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn byte_sequence(certificate: &TestCertificate) -> String {
    format!(":{}:", encode_standard(certificate.der()))
}

/// The cases, for any proxy: `write` is how a client would forge its field.
async fn through(proxy: &Proxy, api: &Api, field: &str, write: fn(&TestCertificate) -> String) {
    let (own, other) = (TestCertificate::self_signed("own"), TestCertificate::self_signed("other"));
    let bound = |certificate: &TestCertificate| {
        api.server.token().audience(AUDIENCE).bound_to_certificate(certificate.der()).mint()
    };
    let token = bound(&own);
    assert_eq!(proxy.get(&token, Some(&own), None).await, (200, "mtls".to_owned()), "MTLS-01");
    for (shown, status) in [(Some(&own), "200"), (None, "401")] {
        let tls = proxy.tls_client(shown);
        let (answered, first) = proxy.get_resumable(&tls, &token).await;
        assert_eq!(answered, status, "MTLS-15 with a certificate: {}", shown.is_some());
        assert_ne!(first, HandshakeKind::Resumed, "the first handshake");
        let (answered, second) = proxy.get_resumable(&tls, &token).await;
        assert_eq!(answered, status, "MTLS-15 X-58 {}", shown.is_some());
        assert_eq!(second == HandshakeKind::Resumed, proxy.resumes, "the second handshake: {second:?}");
    }
    assert_eq!(proxy.get(&token, Some(&other), None).await.0, 401, "MTLS-01 another certificate");
    assert_eq!(proxy.get(&token, None, None).await.0, 401, "MTLS-02 no certificate");
    let forged = || Some((field, write(&own)));
    assert_eq!(proxy.get(&token, None, forged()).await.0, 401, "MTLS-10 X-56 the field sent by the client");
    assert_eq!(proxy.get(&token, Some(&other), forged()).await.0, 401, "MTLS-10 and beside another certificate");
    assert_eq!(
        proxy.get(&token, Some(&own), Some((field, write(&other)))).await.0,
        200,
        "the field of the proxy counts"
    );

    let names: Vec<String> = (0..250).map(|number| format!("{number}.a-rather-long-name.example")).collect();
    let large = TestCertificate::for_names(&names);
    assert!(large.der().len() > 8 * 1024, "{}", large.der().len());
    assert_eq!(proxy.get(&bound(&large), Some(&large), None).await.0, 200, "MTLS-18 {} bytes", large.der().len());
}

/// MTLS-01, MTLS-02, MTLS-10, MTLS-14, MTLS-15, MTLS-18: the escaped PEM of nginx.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_nginx() {
    let field = "X-Ssl-Client-Escaped-Cert";
    let api = Api::start("127.0.0.0/8", field).await;
    if let Some(proxy) = Proxy::start(&proxy::NGINX, &api).await {
        through(&proxy, &api, field, escaped).await;
    }
}

/// MTLS-01, MTLS-02, MTLS-10, MTLS-11, MTLS-15, MTLS-18: `Client-Cert` (RFC 9440).
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_haproxy() {
    let api = Api::start("127.0.0.0/8", "Client-Cert").await;
    if let Some(proxy) = Proxy::start(&proxy::HAPROXY, &api).await {
        through(&proxy, &api, "Client-Cert", byte_sequence).await;
    }
}

/// MTLS-01, MTLS-10, MTLS-14: the field of older HAProxy configurations.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_haproxy_in_base64_der() {
    let api = Api::start("127.0.0.0/8", "X-Ssl-Client-Der").await;
    let older = Program { files: &[("haproxy-der.cfg", "config")], ..proxy::HAPROXY };
    if let Some(proxy) = Proxy::start(&older, &api).await {
        through(&proxy, &api, "X-Ssl-Client-Der", |certificate| encode_standard(certificate.der())).await;
    }
}

/// MTLS-01, MTLS-02, MTLS-10, MTLS-14, MTLS-15, MTLS-18: PEM with spaces for line breaks.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_apache_httpd() {
    let field = "X-SSL-Client-Cert";
    let api = Api::start("127.0.0.0/8", field).await;
    if let Some(proxy) = Proxy::start(&proxy::APACHE, &api).await {
        through(&proxy, &api, field, |certificate| certificate.pem().replace('\n', " ")).await;
    }
}

/// MTLS-01, MTLS-02, MTLS-10, MTLS-14, MTLS-15, MTLS-18: base64 of DER, as Caddy's placeholder has it.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_caddy() {
    let api = Api::start("127.0.0.0/8", "X-Ssl-Client-Der").await;
    if let Some(proxy) = Proxy::start(&proxy::CADDY, &api).await {
        through(&proxy, &api, "X-Ssl-Client-Der", |certificate| encode_standard(certificate.der())).await;
    }
}

/// MTLS-01, MTLS-02, MTLS-10, MTLS-14, MTLS-15, MTLS-18: PEM without its first and last line.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_traefik() {
    let field = "X-Forwarded-Tls-Client-Cert";
    let api = Api::start("127.0.0.0/8", field).await;
    if let Some(proxy) = Proxy::start(&proxy::TRAEFIK, &api).await {
        through(&proxy, &api, field, |certificate| encode_standard(certificate.der())).await;
    }
}

/// MTLS-01, MTLS-02, MTLS-10, MTLS-14, MTLS-15, MTLS-18: one XFCC element with hash and certificate.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_envoy() {
    let field = "X-Forwarded-Client-Cert";
    let api = Api::start("127.0.0.0/8", field).await;
    if let Some(proxy) = Proxy::start(&proxy::ENVOY, &api).await {
        through(&proxy, &api, field, |certificate| format!("Cert=\"{}\"", escaped(certificate))).await;
    }
}

/// MTLS-10, MTLS-14: an Envoy that appends its element to what the client sent. The last element counts.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_client_certificates_behind_envoy_that_appends() {
    let field = "X-Forwarded-Client-Cert";
    let header = CertificateHeader::with_format(field, CertificateFormat::XfccList).unwrap();
    let api = Api::with_header("127.0.0.0/8", header).await;
    let appending = Program { edits: &[("SANITIZE_SET", "APPEND_FORWARD")], ..proxy::ENVOY };
    if let Some(proxy) = Proxy::start(&appending, &api).await {
        through(&proxy, &api, field, |certificate| format!("Cert=\"{}\"", escaped(certificate))).await;
        let (own, other) = (TestCertificate::self_signed("own"), TestCertificate::self_signed("other"));
        let token = api.server.token().audience(AUDIENCE).bound_to_certificate(own.der()).mint();
        let send = async |sent: String| proxy.get(&token, Some(&own), Some((field, sent))).await.0;
        assert_eq!(send(format!("Hash={}", "0".repeat(64))).await, 200, "the element of the proxy counts");
        assert_eq!(send("URI=spiffe://a".to_owned()).await, 400, "an earlier name can hide an element");
        assert_eq!(
            send(format!("Cert=\"{}", escaped(&other))).await,
            400,
            "a quote that the proxy's element would close"
        );
    }
}

/// MTLS-10: the field of a proxy outside the trusted network.
#[tokio::test(flavor = "multi_thread")]
async fn ignores_certificates_behind_an_untrusted_proxy() {
    let field = "X-Ssl-Client-Escaped-Cert";
    let api = Api::start("192.0.2.0/24", field).await;
    if let Some(proxy) = Proxy::start(&proxy::NGINX, &api).await {
        let own = TestCertificate::self_signed("own");
        let token = api.server.token().audience(AUDIENCE).bound_to_certificate(own.der()).mint();
        assert_eq!(proxy.get(&token, Some(&own), None).await.0, 401, "MTLS-10");
    }
}
