//! Pushed authorization requests (RFC 9126, RFC 9449 §10.1) over real sockets, and the client that makes them.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use pop_authserver::{Algorithm, Client, DpopKey, TestAuthServer, TestCertificate, proof};
use pop_client::{ClientAuthentication, ClientCertificate, ClientError, TokenClient};
use reqwest::Response;
use serde_json::Value;
use tower_pop::clock::{Clock, ManualClock, SystemClock};

const CALLBACK: &str = "http://127.0.0.1/callback";
/// RFC 7636 appendix B
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn key() -> DpopKey {
    DpopKey::generate(Algorithm::ES256).unwrap()
}

async fn browse(url: &str) -> Response {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    http.get(url).send().await.unwrap()
}

fn location(response: &Response) -> String {
    assert_eq!(response.status(), 302);
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn post(server: &TestAuthServer, path: &str, form: &str, proof: Option<String>) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}{path}", server.issuer()));
    let mut request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
    if let Some(proof) = proof {
        request = request.header("dpop", proof);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store", "AS-11");
    (response.status().as_u16(), response.json().await.unwrap())
}

fn form(more: &str) -> String {
    format!(
        "response_type=code&client_id=app&redirect_uri={CALLBACK}&code_challenge={CHALLENGE}\
         &code_challenge_method=S256&state=s{more}"
    )
}

fn request_url(server: &TestAuthServer, client_id: &str, request_uri: &str) -> String {
    format!("{}/authorize?client_id={client_id}&request_uri={request_uri}", server.issuer())
}

/// AS-32, CLI-24: with every way to authenticate, and with nonces.
#[tokio::test]
async fn a_client_pushes_its_request_and_gets_a_bound_token() {
    let own = key();
    let by_key = Client::private_key_jwt("signer", &own.public_jwk(), Algorithm::ES256).unwrap();
    let builder = TestAuthServer::defaults()
        .require_nonce()
        .client(Client::confidential("secretive", "s3cret").redirect_uri(CALLBACK))
        .client(by_key.redirect_uri(CALLBACK));
    let server = TestAuthServer::start_with(builder).await;
    for (id, authentication) in [
        ("app", ClientAuthentication::None),
        ("secretive", ClientAuthentication::SecretBasic("s3cret".to_owned())),
        ("secretive", ClientAuthentication::SecretPost("s3cret".to_owned())),
        ("signer", ClientAuthentication::PrivateKeyJwtWithKid { key: own.clone(), kid: "k1".to_owned() }),
    ] {
        let row = format!("AS-32 CLI-24 {id} {authentication:?}");
        let builder = TokenClient::builder(server.issuer(), id).authentication(authentication);
        let client = builder.build(key()).await.unwrap();
        let request = client.authorize(CALLBACK, Some("notes:read"), None).unwrap();
        let pushed = client.push(request).await.unwrap();
        let names: Vec<String> = pushed.url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(names, ["client_id", "request_uri"], "{row}");
        let back = location(&browse(pushed.url.as_str()).await);
        let token = client.exchange(&pushed, &back).await.unwrap();
        assert_eq!(token.scope.as_deref(), Some("notes:read"), "{row}");
        assert_eq!(browse(pushed.url.as_str()).await.status(), 400, "{row}: a request_uri serves once");

        // A request that is changed after it was pushed is pushed again, whole.
        let lacking = pop_client::Challenge::from_headers(
            &[(http::header::WWW_AUTHENTICATE, "DPoP error=insufficient_scope, scope=more".parse().unwrap())]
                .into_iter()
                .collect(),
        );
        let again = client.push(pushed.to_satisfy(&lacking[0].lacking().unwrap())).await.unwrap();
        let back = location(&browse(again.url.as_str()).await);
        assert_eq!(client.exchange(&again, &back).await.unwrap().scope.as_deref(), Some("notes:read more"), "{row}");
    }
    let wrong = ClientAuthentication::SecretPost("wrong".to_owned());
    let client = TokenClient::builder(server.issuer(), "secretive").authentication(wrong).build(key()).await.unwrap();
    let rejected = client.push(client.authorize(CALLBACK, None, None).unwrap()).await;
    assert!(matches!(rejected, Err(ClientError::OAuth { code, .. }) if code == "invalid_client"), "AS-32");
}

/// AS-32: client, proof and parameters are checked as at the other endpoints.
#[tokio::test]
async fn rejects_a_pushed_request_when_it_is_defective() {
    let server = TestAuthServer::start_with(
        TestAuthServer::defaults().client(Client::confidential("secretive", "s3cret").redirect_uri(CALLBACK)),
    )
    .await;
    let (own, url) = (key(), format!("{}/par", server.issuer()));
    let good = || proof(&own).method("POST").url(&url);
    let jkt = own.thumbprint().to_string();
    let other = key().thumbprint().to_string();
    let at_token = good().url(&format!("{}/token", server.issuer())).mint();
    for (row, form, proof, expected) in [
        ("the twin", form(""), None, ""),
        ("the twin with a proof", form(""), Some(good().mint()), ""),
        ("the twin with both", form(&format!("&dpop_jkt={jkt}")), Some(good().mint()), ""),
        ("another key than dpop_jkt", form(&format!("&dpop_jkt={other}")), Some(good().mint()), "invalid_dpop_proof"),
        ("a proof for the token endpoint", form(""), Some(at_token), "invalid_dpop_proof"),
        ("a tampered proof", form(""), Some(good().tampered_signature().mint()), "invalid_dpop_proof"),
        ("a request_uri in it", form("&request_uri=urn:x"), None, "invalid_request"),
        ("a parameter twice", form("&state=t"), None, "invalid_request"),
        ("no thumbprint", form("&dpop_jkt=x"), None, "invalid_request"),
        ("an unknown resource", form("&resource=https%3A%2F%2Fevil.example"), None, "invalid_target"),
        ("no PKCE", form("").replace("code_challenge", "x"), None, "invalid_request"),
        ("another response_type", form("").replace("=code&", "=token&"), None, "invalid_request"),
        ("an unregistered redirect_uri", form("").replace("callback", "other"), None, "invalid_request"),
        ("an unknown client", form("").replace("app", "unregistered"), None, "invalid_client"),
        ("no client authentication", form("").replace("app", "secretive"), None, "invalid_client"),
        ("a wrong secret", form("&client_secret=wrong").replace("app", "secretive"), None, "invalid_client"),
        ("the right secret", form("&client_secret=s3cret").replace("app", "secretive"), None, ""),
    ] {
        let (status, body) = post(&server, "/par", &form, proof).await;
        let accepted = status == 201 && body["request_uri"].is_string() && body["expires_in"] == 60;
        assert_eq!(accepted, expected.is_empty(), "AS-32 {row}: {status} {body}");
        assert_eq!(body["error"].as_str().unwrap_or_default(), expected, "AS-32 {row}");
    }
    let once = good().mint();
    assert_eq!(post(&server, "/par", &form(""), Some(once.clone())).await.0, 201);
    assert_eq!(post(&server, "/par", &form(""), Some(once)).await.1["error"], "invalid_dpop_proof", "AS-32 replayed");
}

/// AS-08, AS-32: RFC 9449 §10.1.
#[tokio::test]
async fn the_code_of_a_pushed_request_is_bound_to_the_key_of_the_proof() {
    let server = TestAuthServer::start().await;
    let (own, other) = (key(), key());
    let by =
        |key: &DpopKey, path: &str| Some(proof(key).method("POST").url(&format!("{}{path}", server.issuer())).mint());
    for (row, proven, accepted) in [("the same key", &own, true), ("another key", &other, false)] {
        let (_, body) = post(&server, "/par", &form(""), by(&own, "/par")).await;
        let uri = body["request_uri"].as_str().unwrap().to_owned();
        let back = location(&browse(&request_url(&server, "app", &uri)).await);
        assert!(back.contains("state=s"), "{back}");
        let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
        let exchange = format!(
            "grant_type=authorization_code&client_id=app&code={code}&code_verifier={VERIFIER}&redirect_uri={CALLBACK}"
        );
        let (status, body) = post(&server, "/token", &exchange, by(proven, "/token")).await;
        assert_eq!(status == 200, accepted, "AS-08 {row}: {body}");
    }
}

/// AS-32: after 60 s; parameters beside it count for nothing.
#[tokio::test]
async fn a_request_uri_belongs_to_its_client_works_once_and_expires() {
    let clock = Arc::new(ManualClock::at(SystemClock::default().now()));
    let builder = TestAuthServer::defaults()
        .client(Client::public("other").redirect_uri(CALLBACK))
        .clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let server = TestAuthServer::start_with(builder).await;
    let push = async || post(&server, "/par", &form(""), None).await.1["request_uri"].as_str().unwrap().to_owned();
    let status = async |client: &str, uri: &str| browse(&request_url(&server, client, uri)).await.status().as_u16();

    let uri = push().await;
    assert_eq!(status("other", &uri).await, 400, "AS-32 another client");
    let overridden = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", request_url(&server, "app", &uri));
    let back = location(&browse(&overridden).await);
    assert!(back.starts_with(CALLBACK), "AS-32 only what was pushed counts: {back}");
    assert_eq!(status("app", &uri).await, 400, "AS-32 once");
    let uri = push().await;
    clock.advance(59);
    assert_eq!(status("app", &uri).await, 302, "the twin");
    let uri = push().await;
    clock.advance(60);
    assert_eq!(status("app", &uri).await, 400, "AS-32 expired");
    assert_eq!(status("app", "urn:ietf:params:oauth:request_uri:guess").await, 400, "AS-32 unknown");
}

/// AS-12, AS-32, CLI-15: the certificate authenticates the client.
#[tokio::test]
async fn requests_can_be_pushed_over_mutual_tls() {
    let own = TestCertificate::self_signed("own");
    let known = Client::self_signed_tls("known", own.der()).certificate_bound_access_tokens().redirect_uri(CALLBACK);
    let server = TestAuthServer::start_with(TestAuthServer::defaults().mutual_tls().client(known)).await;
    let certificate = |shown: &TestCertificate| {
        let certificate = ClientCertificate::from_pem(&shown.pem(), &shown.key_pem()).unwrap();
        certificate.trust(server.tls_certificate_pem().unwrap()).unwrap()
    };
    let builder = TokenClient::builder(server.issuer(), "known").authentication(ClientAuthentication::TlsCertificate);
    let with_own = builder.clone().certificate(certificate(&own));
    let client = with_own.clone().build_certificate_bound().await.unwrap();
    let pushed = client.push(client.authorize(CALLBACK, None, None).unwrap()).await.unwrap();
    let back = location(&browse(pushed.url.as_str()).await);
    client.exchange(&pushed, &back).await.unwrap();
    let client = with_own.build(key()).await.unwrap();
    let pushed = client.push(client.authorize(CALLBACK, None, None).unwrap()).await.unwrap();
    let back = location(&browse(pushed.url.as_str()).await);
    client.exchange(&pushed, &back).await.unwrap();
    let other = builder.clone().certificate(certificate(&TestCertificate::self_signed("other")));
    let client = other.build_certificate_bound().await.unwrap();
    let rejected = client.push(client.authorize(CALLBACK, None, None).unwrap()).await;
    assert!(matches!(rejected, Err(ClientError::OAuth { code, .. }) if code == "invalid_client"), "AS-12");
    assert!(matches!(builder.build_certificate_bound().await, Err(ClientError::Options(_))), "CLI-15 no certificate");
}

/// AS-02, AS-32, AS-33: also its alias for mutual TLS.
#[tokio::test]
async fn metadata_names_the_endpoint_for_pushed_requests() {
    let server = TestAuthServer::start_with(TestAuthServer::defaults().mutual_tls()).await;
    let url = format!("{}/.well-known/oauth-authorization-server", server.issuer());
    let document: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let name = "pushed_authorization_request_endpoint";
    assert_eq!(document[name], format!("{}/par", server.issuer()), "AS-32");
    let alias = document["mtls_endpoint_aliases"][name].as_str().unwrap();
    assert!(alias.starts_with("https://") && alias.ends_with("/par"), "AS-32 {alias}");
    assert!(document["token_endpoint_auth_methods_supported"].to_string().contains("client_secret_post"), "AS-33");
}

/// AS-33: but not both at once.
#[tokio::test]
async fn a_secret_in_the_form_authenticates_like_one_in_the_header() {
    let builder = TestAuthServer::defaults().client(Client::confidential("secretive", "s3cret"));
    let server = TestAuthServer::start_with(builder).await;
    for (row, credentials, expected) in [
        ("the twin", "client_id=secretive&client_secret=s3cret", 200),
        ("a wrong secret", "client_id=secretive&client_secret=wrong", 401),
        ("no secret", "client_id=secretive", 401),
        ("no client", "client_secret=s3cret", 401),
        ("a public client's", "client_id=app&client_secret=s3cret", 401),
        ("two methods", "client_id=secretive&client_secret=s3cret&client_assertion=x", 400),
    ] {
        let (status, body) =
            post(&server, "/token", &format!("grant_type=client_credentials&{credentials}"), None).await;
        assert_eq!(status, expected, "AS-33 {row}: {body}");
    }
}
