//! Certificates, modes and settings.

use std::time::Duration;

use http::Request;
use http::header::AUTHORIZATION;
use pop_authserver::TestCertificate;
use pop_core::jose::CertThumbprint;
use serde_json::json;
use tower_pop::{
    ClientCertificates, ConfigError, Introspection, IssuerConfig, Mode, PeerCertificate, PopConfig, ProofKind,
};

use super::{ENDPOINT, Server, TOKEN, scene_with, without};
use crate::support::{AUDIENCE, Expected, ISSUER};

/// INTRO-04, INTRO-05, INTRO-08: without a certificate no request is sent.
#[tokio::test]
async fn opaque_tokens_can_be_bound_to_certificates() {
    let own = TestCertificate::self_signed("own");
    let scene = scene_with(
        |introspection| introspection,
        |builder| builder.client_certificates(ClientCertificates::from_connection()),
    );
    let x5t = CertThumbprint::of_der(own.der()).to_string();
    let send = async |token: &str, certificate: Option<&TestCertificate>| {
        let mut request = Request::get("/notes").header(AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap();
        if let Some(certificate) = certificate {
            request.extensions_mut().insert(PeerCertificate::from_der(certificate.der()));
        }
        scene.api.send(request).await
    };
    scene.says(|a| {
        a["cnf"] = json!({ "x5t#S256": x5t });
        a["token_type"] = "Bearer".into();
    });
    send(TOKEN, None).await.is(Expected::Token, "without a certificate no request is sent");
    assert_eq!(scene.server.requests(), 0, "INTRO-08");
    let other = TestCertificate::self_signed("other");
    send(TOKEN, Some(&other)).await.is(Expected::Token, "INTRO-04 another certificate");
    let answer = send(TOKEN, Some(&own)).await.is(Expected::Ok, "INTRO-04");
    assert_eq!(answer.token.unwrap().proof().kind(), ProofKind::MutualTls);
    scene.says(|a| {
        a["cnf"] = json!({ "x5t#S256": x5t });
        a["token_type"] = "DPoP".into();
    });
    send("contradiction", Some(&own)).await.is(Expected::Token, "INTRO-05").coded("token.token_type", "INTRO-05");
}

#[tokio::test]
async fn every_mode_applies_to_opaque_tokens() {
    let bearer = || Request::get("/notes").header(AUTHORIZATION, format!("Bearer {TOKEN}")).body(()).unwrap();
    for (mode, unbound, expected) in [
        (Mode::AllowBearer, true, Expected::Ok),
        (Mode::AllowBearer, false, Expected::Token),
        (Mode::ReportOnly, true, Expected::Ok),
        (Mode::ReportOnly, false, Expected::Ok),
    ] {
        let scene = scene_with(|introspection| introspection, |builder| builder.mode(mode));
        if unbound {
            scene.says(|a| {
                without(a, "cnf");
                a["token_type"] = "Bearer".into();
            });
        }
        scene.api.send(bearer()).await.is(expected, &format!("{mode:?}, unbound: {unbound}"));
    }
    let report = scene_with(|introspection| introspection, |builder| builder.mode(Mode::ReportOnly));
    let answer =
        report.api.with(TOKEN, "garbage").await.is(Expected::Ok, "ReportOnly introspects even with a bad proof");
    assert_eq!(answer.token.unwrap().proof().kind(), ProofKind::Unproven);
}

/// ERR-14, ERR-11: the error names the setting, and `Debug` output has no secret.
#[test]
fn build_rejects_wrong_introspection_settings() {
    let build = |introspection: Introspection| {
        PopConfig::builder(IssuerConfig::new(ISSUER).introspection(introspection), AUDIENCE).build().map(drop)
    };
    let at = |url: &str| Introspection::at(url).client_secret_basic("api", "secret");
    assert_eq!(build(at(ENDPOINT)), Ok(()), "the twin");
    assert_eq!(build(at("http://127.0.0.1:9400/introspect")), Ok(()), "loopback");
    for url in ["http://as.example/introspect", "ftp://as.example", ""] {
        let rejected = build(at(url));
        assert!(matches!(&rejected, Err(ConfigError::IntrospectionEndpoint { endpoint, .. }) if endpoint == url));
    }
    let without_certificate = build(Introspection::at(ENDPOINT).mutual_tls("api"));
    assert_eq!(without_certificate, Err(ConfigError::IntrospectionCertificate(ENDPOINT.to_owned())));
    let with_client = Introspection::at(ENDPOINT).mutual_tls("api").http_fetch(Server::new());
    assert_eq!(build(with_client), Ok(()), "the twin");
    let anonymous = build(Introspection::at(ENDPOINT));
    assert_eq!(anonymous, Err(ConfigError::IntrospectionAuthentication(ENDPOINT.to_owned())));
    for (row, introspection) in [
        ("cache_for", at(ENDPOINT).cache_for(Duration::from_secs(301))),
        ("cache_inactive_for", at(ENDPOINT).cache_inactive_for(Duration::from_secs(61))),
        ("timeout", at(ENDPOINT).timeout(Duration::ZERO)),
        ("max_concurrent", at(ENDPOINT).max_concurrent(0)),
        ("max_response_len", at(ENDPOINT).max_response_len(10)),
    ] {
        assert!(
            matches!(build(introspection), Err(ConfigError::OutOfBounds { name, .. }) if name.contains(row)),
            "{row}"
        );
    }
    let debug = format!("{:?}", at(ENDPOINT));
    assert!(debug.contains("SecretBasic(api)") && !debug.contains("secret\""), "ERR-11 {debug}");
}
