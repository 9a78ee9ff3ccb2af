//! Where certificates come from, and what the metadata says about it.

use http::Request;
use serde_json::json;
use tower::ServiceExt;
use tower_pop::{CertificateFormat, CertificateHeader, ClientCertificates, ConfigError, ProxyTrust};

use super::{PROXY, Scene, byte_sequence, header, networks, scene, scene_with};
use crate::support::Expected;

/// MTLS-09, CNF-12: and `Bearer` stays off.
#[tokio::test]
async fn uses_no_certificate_unless_configured() {
    let scene = scene_with(|builder| builder);
    scene.connection(&scene.token(), Some(&scene.own)).await.is(Expected::Token, "off by default");
    let answer = scene.proxied(PROXY, "client-cert", &[&byte_sequence(&scene.own)]).await;
    let answer = answer.is(Expected::Token, "MTLS-09").coded("credential.scheme_not_enabled", "MTLS-09");
    assert_eq!(answer.challenges().len(), 1, "CNF-12 the DPoP challenge alone");
    // With certificates from the connection, header fields still do not count.
    let scene = self::scene();
    let answer = scene.proxied(PROXY, "client-cert", &[&byte_sequence(&scene.own)]).await;
    answer.is(Expected::Token, "MTLS-09").coded("binding.certificate_missing", "MTLS-09");
}

/// ERR-14: a proxy without a network, a network without a field, an unknown field.
#[test]
fn build_rejects_wrong_sources_of_certificates() {
    let build = |certificates: ClientCertificates| {
        tower_pop::PopConfig::builder("https://as.example", "https://api.example")
            .client_certificates(certificates)
            .build()
            .map(drop)
    };
    let no_network = ProxyTrust::Networks(Vec::new());
    let rejected = Err(ConfigError::CertificateProxies);
    assert_eq!(build(ClientCertificates::from_proxies(no_network.clone(), header("client-cert"))), rejected);
    assert_eq!(build(ClientCertificates::from_connection().trust(networks())), rejected, "no header");
    let no_certificate = ProxyTrust::Certificates(Vec::new());
    assert_eq!(build(ClientCertificates::from_proxies(no_certificate, header("client-cert"))), rejected);
    assert_eq!(build(ClientCertificates::from_proxies(networks(), header("client-cert"))), Ok(()), "the twin");
    for name in ["x-my-cert", "client cert", ""] {
        assert_eq!(CertificateHeader::new(name).unwrap_err(), ConfigError::CertificateHeader(name.to_owned()));
    }
    assert!(CertificateHeader::with_format("x-my-cert", CertificateFormat::Base64Der).is_ok());
    assert!(format!("{:?}", ClientCertificates::from_connection()).contains("connection: true"));
}

/// MTLS-17, META-06, META-07: where they are, DPoP is no longer required.
#[test]
fn metadata_says_whether_certificate_bound_tokens_are_accepted() {
    let document = |scene: &Scene| -> serde_json::Value {
        let service = scene.api.cfg.metadata_service();
        let request = Request::get(service.path().to_owned()).body(()).unwrap();
        let response = futures_util::FutureExt::now_or_never(service.oneshot(request)).unwrap().unwrap();
        let body = futures_util::FutureExt::now_or_never(http_body_util::BodyExt::collect(response.into_body()));
        serde_json::from_slice(&body.unwrap().unwrap().to_bytes()).unwrap()
    };
    let with = document(&scene());
    assert_eq!(with["tls_client_certificate_bound_access_tokens"], true, "MTLS-17 META-07");
    assert_eq!(with["dpop_bound_access_tokens_required"], false, "META-06 a certificate does as well");
    assert_eq!(with["authorization_servers"], json!(["https://as.example"]));
    let without = document(&scene_with(|builder| builder));
    assert!(without.get("tls_client_certificate_bound_access_tokens").is_none(), "MTLS-17");
    assert_eq!(without["dpop_bound_access_tokens_required"], true, "META-06");
}
