//! Introspection over real sockets: our HTTP client against the development authorization server, and against servers that
//! misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use pop_authserver::{Algorithm, Client, DpopKey, TestAuthServer, TestCertificate, proof};
use pop_client::{ClientAuthentication, TokenClient};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::keys::HyperFetch;
use tower_pop::{Introspection, IssuerConfig, PopConfig, PopLayer};

use crate::support::{AUDIENCE, URL, request};

async fn status(cfg: &PopConfig, key: &DpopKey, token: &str) -> u16 {
    let proof = proof(key).url(URL).for_token(token).mint();
    let inner = service_fn(|_: http::Request<()>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    });
    PopLayer::new(cfg.clone()).layer(inner).oneshot(request(token, &proof)).await.unwrap().status().as_u16()
}

async fn authorization_server() -> TestAuthServer {
    let builder = TestAuthServer::defaults()
        .client(Client::public("opaque").opaque_access_tokens())
        .client(Client::confidential("api", "s3cret/+ ").introspects(AUDIENCE));
    TestAuthServer::start_with(builder).await
}

async fn opaque_token(server: &TestAuthServer, key: &DpopKey) -> String {
    let authentication = ClientAuthentication::None;
    let client = TokenClient::discover(server.issuer(), "opaque", authentication, key.clone()).await.unwrap();
    client.client_credentials(None, None).await.unwrap().access_token
}

/// INTRO-01, INTRO-02, INTRO-04, INTRO-06, INTRO-07, INTRO-11: over sockets, with revocation and an outage.
#[tokio::test]
async fn reads_plain_and_signed_responses_of_the_development_server() {
    for signed in [false, true] {
        let server = authorization_server().await;
        let introspection = Introspection::at(server.introspection_endpoint()).client_secret_basic("api", "s3cret/+ ");
        let introspection = if signed { introspection.require_signed() } else { introspection };
        let issuer = IssuerConfig::new(server.issuer()).introspection(introspection);
        let cfg = PopConfig::builder(issuer, AUDIENCE).build().unwrap();
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        let token = opaque_token(&server, &key).await;
        assert_eq!(status(&cfg, &key, &token).await, 200, "signed: {signed}");
        assert_eq!(status(&cfg, &key, &token).await, 200, "cached");
        assert_eq!(server.introspections(), 1, "INTRO-06");
        let thief = DpopKey::generate(Algorithm::ES256).unwrap();
        assert_eq!(status(&cfg, &thief, &token).await, 401, "INTRO-04 signed: {signed}");
        assert_eq!(status(&cfg, &key, "unknown").await, 401, "INTRO-02 signed: {signed}");
        let revoked = opaque_token(&server, &key).await;
        server.revoke(&revoked);
        assert_eq!(status(&cfg, &key, &revoked).await, 401, "revoked, signed: {signed}");
        let during_outage = opaque_token(&server, &key).await;
        server.set_outage(true);
        assert_eq!(status(&cfg, &key, &during_outage).await, 503, "INTRO-07 signed: {signed}");
        server.set_outage(false);
        assert_eq!(status(&cfg, &key, &during_outage).await, 200, "the twin");
    }
    let server = authorization_server().await;
    let wrong = Introspection::at(server.introspection_endpoint()).client_secret_basic("api", "wrong");
    let issuer = IssuerConfig::new(server.issuer()).introspection(wrong);
    let cfg = PopConfig::builder(issuer, AUDIENCE).build().unwrap();
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let token = opaque_token(&server, &key).await;
    assert_eq!(status(&cfg, &key, &token).await, 503, "INTRO-07 our own authentication failed: not the client's fault");
}

/// INTRO-01: each request has a new assertion.
#[tokio::test]
async fn the_resource_server_can_authenticate_by_an_assertion() {
    let (own, other) = (DpopKey::generate(Algorithm::ES256).unwrap(), DpopKey::generate(Algorithm::ES256).unwrap());
    let api = Client::private_key_jwt("api", &own.public_jwk(), Algorithm::ES256).unwrap();
    let builder = TestAuthServer::defaults()
        .client(Client::public("opaque").opaque_access_tokens())
        .client(api.introspects(AUDIENCE));
    let server = TestAuthServer::start_with(builder).await;
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let token = opaque_token(&server, &key).await;
    let cfg = |id: &str, signer: &DpopKey| {
        let introspection = Introspection::at(server.introspection_endpoint()).private_key_jwt(id, signer.clone());
        let introspection = introspection.cache_for(Duration::ZERO);
        PopConfig::builder(IssuerConfig::new(server.issuer()).introspection(introspection), AUDIENCE).build().unwrap()
    };
    let ours = cfg("api", &own);
    for _ in 0..2 {
        assert_eq!(status(&ours, &key, &token).await, 200, "INTRO-01 a new assertion for each request");
    }
    assert_eq!(status(&cfg("api", &other), &key, &token).await, 503, "INTRO-01 another key");
    assert_eq!(status(&cfg("other", &own), &key, &token).await, 503, "INTRO-01 another client");
}

/// INTRO-01: another certificate is 503, because it is not the client's fault.
#[tokio::test]
async fn the_resource_server_can_authenticate_by_its_certificate() {
    let api_certificate = TestCertificate::self_signed("api");
    let builder = TestAuthServer::defaults()
        .mutual_tls()
        .client(Client::public("opaque").opaque_access_tokens())
        .client(Client::self_signed_tls("api", api_certificate.der()).introspects(AUDIENCE));
    let server = TestAuthServer::start_with(builder).await;
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let token = opaque_token(&server, &key).await;
    let metadata = format!("{}/.well-known/oauth-authorization-server", server.issuer());
    let metadata: serde_json::Value = reqwest::get(metadata).await.unwrap().json().await.unwrap();
    let endpoint = metadata["mtls_endpoint_aliases"]["introspection_endpoint"].as_str().unwrap();

    let cfg = |shown: &TestCertificate| {
        use rustls::pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        let pem = server.tls_certificate_pem().unwrap();
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(shown.key_der()).into();
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![shown.der().to_vec().into()], key)
            .unwrap();
        let introspection = Introspection::at(endpoint).mutual_tls("api").http_fetch(HyperFetch::with_tls(tls));
        let issuer = IssuerConfig::new(server.issuer()).introspection(introspection);
        PopConfig::builder(issuer, AUDIENCE).build().unwrap()
    };
    assert_eq!(status(&cfg(&api_certificate), &key, &token).await, 200);
    assert_eq!(status(&cfg(&TestCertificate::self_signed("api")), &key, &token).await, 503, "another certificate");
}

/// Serves this app and returns its URL.
async fn misbehaving(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

fn cfg(url: &str, timeout: Duration) -> PopConfig {
    let introspection =
        Introspection::at(format!("{url}/introspect")).client_secret_basic("api", "secret").timeout(timeout);
    let issuer = IssuerConfig::new(url).static_jwks(TestAuthServer::offline(url).jwks_json());
    PopConfig::builder(issuer.introspection(introspection), AUDIENCE).build().unwrap()
}

/// INTRO-01, INTRO-04, X-62: the token goes to the configured URL only, and no proof goes there.
#[tokio::test]
async fn redirects_are_not_followed_and_proofs_not_forwarded() {
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let active = json!({ "active": true, "aud": AUDIENCE, "cnf": { "jkt": key.thumbprint().to_string() } }).to_string();
    let elsewhere = Arc::new(AtomicUsize::new(0));
    let reached = Arc::clone(&elsewhere);
    let body = active.clone();
    let redirecting = Router::new()
        .route("/introspect", post(|| async { (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]) }))
        .route(
            "/elsewhere",
            post(move || async move {
                reached.fetch_add(1, Ordering::SeqCst);
                ([("content-type", "application/json")], body)
            }),
        );
    let url = misbehaving(redirecting).await;
    assert_eq!(status(&cfg(&url, Duration::from_secs(5)), &key, "opaque").await, 503, "INTRO-01 302");
    assert_eq!(elsewhere.load(Ordering::SeqCst), 0, "INTRO-01 the token is not sent there");

    let looking = Router::new().route(
        "/introspect",
        post(move |headers: HeaderMap, body: String| async move {
            let right = headers.get("dpop").is_none()
                && headers["content-type"] == "application/x-www-form-urlencoded"
                && headers["accept"] == "application/json"
                && headers["authorization"].to_str().unwrap().starts_with("Basic ")
                && body == "token=opaque&token_type_hint=access_token";
            let status = if right { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            (status, [("content-type", "application/json; charset=utf-8")], active)
        }),
    );
    let url = misbehaving(looking).await;
    assert_eq!(status(&cfg(&url, Duration::from_secs(5)), &key, "opaque").await, 200, "INTRO-04 and the twin");
}

/// INTRO-07, INTRO-15: limits of time and size.
#[tokio::test]
async fn slow_and_endless_responses_end_in_503() {
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let hanging = Router::new().route("/introspect", post(std::future::pending::<String>));
    let url = misbehaving(hanging).await;
    assert_eq!(status(&cfg(&url, Duration::from_millis(50)), &key, "opaque").await, 503, "INTRO-07 slow");
    let endless = Router::new().route(
        "/introspect",
        post(|| async {
            let body = "{\"active\":true,\"x\":\"".to_owned() + &"x".repeat(1 << 20);
            ([("content-type", "application/json")], body)
        }),
    );
    let url = misbehaving(endless).await;
    assert_eq!(status(&cfg(&url, Duration::from_secs(5)), &key, "opaque").await, 503, "INTRO-15 enormous");
    let closed = cfg("http://127.0.0.1:1", Duration::from_secs(5));
    assert_eq!(status(&closed, &key, "opaque").await, 503, "INTRO-07 nothing listens there");
}
