//! Which peers may send certificates in header fields.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderValue, Request};
use pop_authserver::TestCertificate;
use pop_core::jose::{CertThumbprint, encode_standard};
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::{
    ClientCertificates, Mode, PeerAddress, PeerCertificate, PopConfig, PopConfigBuilder, PopLayer, ProxyTrust,
    UnixSocketPeer,
};
use tracing::Level;

use super::{PROXY, UNTRUSTED, bearer, behind, byte_sequence, escaped, hash, header, networks, scene, scene_with};
use crate::log::Log;
use crate::support::Expected;

/// MTLS-10, MTLS-11, MTLS-14, X-56: in every format; two field lines are malformed.
#[tokio::test]
async fn accepts_certificate_fields_from_trusted_peers_only() {
    let pem = |certificate: &TestCertificate| escaped(&certificate.pem());
    let bare = |certificate: &TestCertificate| encode_standard(certificate.der());
    let xfcc = |certificate: &TestCertificate| format!("By=spiffe://api;Hash={};Subject=\"CN=a,b\"", hash(certificate));
    type Write<'w> = &'w dyn Fn(&TestCertificate) -> String;
    let writers: [(&'static str, Write<'_>); 7] = [
        ("client-cert", &byte_sequence),
        ("x-ssl-client-escaped-cert", &pem),
        ("ssl-client-cert", &pem),
        ("x-ssl-client-cert", &pem),
        ("x-ssl-client-der", &bare),
        ("x-forwarded-tls-client-cert", &bare),
        ("x-forwarded-client-cert", &xfcc),
    ];
    for (field, write) in writers {
        let scene = behind(field);
        let (own, other) = (write(&scene.own), write(&scene.other));
        scene.proxied(PROXY, field, &[&own]).await.is(Expected::Ok, field);
        scene.proxied(PROXY, field, &[&own]).await.is(Expected::Ok, "remembered");
        for (row, peer, values, code) in [
            ("MTLS-10 an untrusted peer", UNTRUSTED, vec![&own], "binding.certificate_missing"),
            ("another certificate", PROXY, vec![&other], "binding.certificate_mismatch"),
            ("no header", PROXY, vec![], "binding.certificate_missing"),
        ] {
            let row = format!("{field} {row}");
            let values: Vec<&str> = values.into_iter().map(String::as_str).collect();
            scene.proxied(peer, field, &values).await.is(Expected::Token, &row).coded(code, &row);
        }
        let twice = scene.proxied(PROXY, field, &[&own, &own]).await;
        twice.is(Expected::BadRequest, "MTLS-11 two lines").coded("credential.client_certificate", field);
    }
}

/// MTLS-10: a proxy passes on the fields of the others as its clients wrote them.
#[tokio::test]
async fn accepts_each_kind_of_proxy_in_its_own_field_only() {
    let envoys = ProxyTrust::Networks(vec!["192.168.0.0/16".parse().unwrap()]);
    let sources = ClientCertificates::from_proxies(networks(), header("client-cert"))
        .or_from_proxies(envoys, header("x-forwarded-client-cert"));
    let scene = scene_with(|builder| builder.client_certificates(sources));
    let envoy = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 1));
    let (sequence, xfcc) = (byte_sequence(&scene.own), format!("Hash={}", hash(&scene.own)));
    for (peer, field, value, expected) in [
        (PROXY, "client-cert", &sequence, Expected::Ok),
        (envoy, "x-forwarded-client-cert", &xfcc, Expected::Ok),
        (PROXY, "x-forwarded-client-cert", &xfcc, Expected::Token),
        (envoy, "client-cert", &sequence, Expected::Token),
        (UNTRUSTED, "client-cert", &sequence, Expected::Token),
        (UNTRUSTED, "x-forwarded-client-cert", &xfcc, Expected::Token),
    ] {
        scene.proxied(peer, field, &[value]).await.is(expected, &format!("MTLS-10 {peer} {field}"));
    }
}

/// MTLS-10: on a request of a trusted proxy, only its field counts.
#[tokio::test]
async fn the_certificate_of_a_proxy_is_never_the_clients() {
    let certificates = ClientCertificates::from_connection().or_from_proxies(networks(), header("client-cert"));
    let scene = scene_with(|builder| builder.client_certificates(certificates));
    let send = async |peer: IpAddr, connection: Option<&TestCertificate>, field: Option<&TestCertificate>| {
        let mut request = bearer(&scene.token());
        request.extensions_mut().insert(PeerAddress(peer));
        if let Some(certificate) = connection {
            request.extensions_mut().insert(PeerCertificate::from_der(certificate.der()));
        }
        if let Some(certificate) = field {
            request.headers_mut().insert("client-cert", byte_sequence(certificate).parse().unwrap());
        }
        scene.api.send(request).await
    };
    send(UNTRUSTED, Some(&scene.own), None).await.is(Expected::Ok, "a client that connects directly");
    send(PROXY, None, Some(&scene.own)).await.is(Expected::Ok, "a client behind the proxy");
    send(PROXY, Some(&scene.other), Some(&scene.own)).await.is(Expected::Ok, "the proxy has its own certificate");
    let none = send(PROXY, Some(&scene.own), None).await;
    none.is(Expected::Token, "MTLS-10 no field, no certificate").coded("binding.certificate_missing", "MTLS-10");
    let other = send(PROXY, Some(&scene.own), Some(&scene.other)).await;
    other.is(Expected::Token, "the field counts").coded("binding.certificate_mismatch", "MTLS-10");
    let direct = send(UNTRUSTED, Some(&scene.other), Some(&scene.own)).await;
    direct.is(Expected::Token, "the connection counts").coded("binding.certificate_mismatch", "MTLS-10");
}

/// Returns what is logged while these requests are verified.
async fn log_of(cfg: &PopConfig, requests: Vec<Request<()>>) -> String {
    let (log, _guard) = Log::capture(Level::INFO);
    for request in requests {
        let (parts, ()) = request.into_parts();
        if let tower_pop::Verification::Later(later) = cfg.verify(&parts) {
            let _ = later.await;
        }
    }
    log.text()
}

/// MTLS-10, ERR-11: without an address no peer counts as a trusted proxy.
#[tokio::test]
async fn the_log_says_once_that_requests_have_no_address() {
    let certificates = || ClientCertificates::from_proxies(networks(), header("client-cert"));
    let trusted = |builder: PopConfigBuilder| {
        builder.allowed_origins(["https://api.example"]).trusted_proxies(["10.0.0.0/8".parse().unwrap()])
    };
    let known = ProxyTrust::Certificates(vec![CertThumbprint::from_digest([1; 32])]);
    let by_certificate = ClientCertificates::from_proxies(known, header("client-cert"));
    let scenes = [
        ("certificates", scene_with(|builder| builder.client_certificates(certificates())), 1),
        ("forwarded hosts", scene_with(trusted), 1),
        ("both", scene_with(|builder| trusted(builder.client_certificates(certificates()))), 1),
        ("no proxies", scene(), 0),
        ("proxies by certificate", scene_with(|builder| builder.client_certificates(by_certificate)), 0),
    ];
    for (row, scene, expected) in scenes {
        let request = || {
            let mut request = bearer(&scene.token());
            request.headers_mut().insert("host", HeaderValue::from_static("api.example"));
            request
        };
        let warnings = |log: &str| log.matches("into_make_service_with_connect_info").count();
        let with = |extend: fn(&mut http::Extensions)| {
            let mut request = request();
            extend(request.extensions_mut());
            request
        };
        let fine = vec![
            with(|extensions| _ = extensions.insert(PeerAddress(PROXY))),
            with(|extensions| _ = extensions.insert(PeerAddress(UNTRUSTED))),
            with(|extensions| _ = extensions.insert(UnixSocketPeer)),
            with(|extensions| {
                let address = std::net::SocketAddr::from((UNTRUSTED, 1));
                extensions.insert(axum::extract::ConnectInfo(address));
            }),
        ];
        let log = log_of(&scene.api.cfg, fine).await;
        assert_eq!(warnings(&log), 0, "MTLS-10 {row}, with an address: {log}");
        let log = log_of(&scene.api.cfg, vec![request(), request(), request()]).await;
        assert_eq!(warnings(&log), expected, "MTLS-10 {row}, without an address: {log}");
        assert!(!log.contains(&scene.token()) && !log.contains("api.example"), "ERR-11 {log}");
        let clone = scene.api.cfg.with_mode(Mode::Optional).unwrap();
        assert_eq!(warnings(&log_of(&clone, vec![request()]).await), 0, "MTLS-10 once for each configuration: {row}");
    }
}

/// MTLS-10: the snippet of the deployment guide, and what it warns of.
#[tokio::test]
async fn axum_serves_the_address_of_the_peer_only_when_configured() {
    use axum::{Router, routing::get};
    let trust = ProxyTrust::Networks(vec!["127.0.0.0/8".parse().unwrap()]);
    let certificates = ClientCertificates::from_proxies(trust, header("client-cert"));
    let scene = scene_with(|builder| builder.client_certificates(certificates));
    let app = Router::new().route("/notes", get(|| async { "notes" })).layer(PopLayer::new(scene.api.cfg.clone()));
    let bind = || tokio::net::TcpListener::bind(("127.0.0.1", 0));
    let (with, without) = (bind().await.unwrap(), bind().await.unwrap());
    let addresses = [with.local_addr().unwrap(), without.local_addr().unwrap()];
    let service = app.clone().into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(async move { axum::serve(with, service).await });
    tokio::spawn(async move { axum::serve(without, app).await });
    for (address, status) in addresses.into_iter().zip([200, 401]) {
        let request = reqwest::Client::new().get(format!("http://{address}/notes"));
        let request = request.bearer_auth(scene.token()).header("client-cert", byte_sequence(&scene.own));
        assert_eq!(request.send().await.unwrap().status(), status, "MTLS-10");
    }
}

/// MTLS-10: `ProxyTrust::UnixSocket` and `ProxyTrust::Certificates`.
#[tokio::test]
async fn recognises_proxies_by_socket_or_by_certificate() {
    let field = |request: &mut Request<()>, certificate: &TestCertificate| {
        request.headers_mut().insert("client-cert", byte_sequence(certificate).parse().unwrap());
    };
    let on_socket = ClientCertificates::from_proxies(ProxyTrust::UnixSocket, header("client-cert"));
    let scene = scene_with(|builder| builder.client_certificates(on_socket));
    let mut request = bearer(&scene.token());
    field(&mut request, &scene.own);
    scene.api.send(request.clone()).await.is(Expected::Token, "MTLS-10 not over the socket");
    request.extensions_mut().insert(UnixSocketPeer);
    scene.api.send(request).await.is(Expected::Ok, "over the socket");

    let proxy = TestCertificate::self_signed("proxy");
    let known = ProxyTrust::Certificates(vec![CertThumbprint::of_der(proxy.der())]);
    let by_certificate = ClientCertificates::from_proxies(known, header("client-cert"));
    let scene = scene_with(|builder| builder.client_certificates(by_certificate));
    for (shown, expected) in [(&proxy, Expected::Ok), (&scene.other, Expected::Token), (&scene.own, Expected::Token)] {
        let mut request = bearer(&scene.token());
        field(&mut request, &scene.own);
        request.extensions_mut().insert(PeerCertificate::from_der(shown.der()));
        scene.api.send(request).await.is(expected, "MTLS-10 by the proxy's certificate");
    }
}

/// MTLS-10, MTLS-13: the application sees what a trusted proxy wrote and nothing else.
#[tokio::test]
async fn removes_certificate_fields_of_untrusted_peers_and_sets_vary() {
    let scene = behind("client-cert");
    let claims = ["client-cert", "client-cert-chain", "x-forwarded-client-cert", "x-ssl-client-cert", "x-client-cert"];
    let echo = service_fn(move |request: Request<()>| async move {
        let seen: Vec<&str> = claims.into_iter().filter(|name| request.headers().contains_key(*name)).collect();
        Ok::<_, std::convert::Infallible>(http::Response::new(seen.join(" ")))
    });
    let send = async |peer: IpAddr, dpop: bool| {
        let token = if dpop { scene.api.token().mint() } else { scene.token() };
        let mut request = match dpop {
            true => crate::support::request(&token, &scene.api.proof(&token).mint()),
            false => bearer(&token),
        };
        for name in claims {
            request.headers_mut().insert(name, byte_sequence(&scene.own).parse().unwrap());
        }
        request.extensions_mut().insert(PeerAddress(peer));
        PopLayer::new(scene.api.cfg.clone()).layer(echo).oneshot(request).await.unwrap()
    };
    let from_proxy = send(PROXY, false).await;
    assert_eq!(from_proxy.body(), "client-cert client-cert-chain", "MTLS-10 only what the proxy is trusted for");
    assert_eq!(from_proxy.headers()["vary"], "client-cert", "MTLS-13");
    assert!(from_proxy.headers().get("client-cert").is_none(), "MTLS-13 never in responses");
    let from_untrusted = send(UNTRUSTED, true).await;
    assert_eq!((from_untrusted.status().as_u16(), from_untrusted.body().as_str()), (200, ""), "MTLS-10");
    assert!(!from_untrusted.headers().contains_key("vary"));
    assert!(!send(PROXY, true).await.headers().contains_key("vary"), "the token does not depend on it");
}

/// MTLS-10: for applications that call `PopConfig::verify`.
#[tokio::test]
async fn removes_certificate_fields_of_untrusted_peers_without_tower() {
    let scene = behind("client-cert");
    for (peer, stays) in [(PROXY, true), (UNTRUSTED, false)] {
        let mut request = bearer(&scene.token());
        request.extensions_mut().insert(PeerAddress(peer));
        for name in ["client-cert", "x-ssl-cert", "ssl-client-verify", "x-forwarded-client-cert"] {
            request.headers_mut().insert(name, HeaderValue::from_static("x"));
        }
        let (mut parts, ()) = request.into_parts();
        scene.api.cfg.sanitize_certificates(&mut parts);
        assert_eq!(parts.headers.contains_key("client-cert"), stays, "MTLS-10 {peer}");
        assert_eq!(parts.headers.len(), 1 + usize::from(stays), "MTLS-10 {peer} {:?}", parts.headers);
    }
    let off = scene_with(|builder| builder);
    let (mut parts, ()) = Request::get("/").header("client-cert", "x").body(()).unwrap().into_parts();
    off.api.cfg.sanitize_certificates(&mut parts);
    assert!(parts.headers.contains_key("client-cert"), "where certificates are off, nothing is removed");
}
