//! Certificate-bound and opaque tokens, introspection and revocation over real sockets.
#![allow(clippy::unwrap_used, missing_docs)]

use pop_authserver::{Algorithm, Client, DpopKey, TestAuthServer, TestCertificate};
use pop_client::{ClientAuthentication, ClientCertificate, ClientError, MtlsTokenClient, TokenClient};
use pop_core::jose::{CertThumbprint, CompactJws};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

const API: &str = "https://api.example";
const OTHER: &str = "https://other.example";

async fn server() -> TestAuthServer {
    let builder = TestAuthServer::defaults()
        .audience(OTHER)
        .client(Client::public("opaque").scopes("notes:read").opaque_access_tokens())
        .client(Client::confidential("api", "secret").introspects(API))
        .client(Client::confidential("other", "secret").introspects(OTHER))
        .client(Client::confidential("unrelated", "secret"))
        .client(Client::public("public").introspects(API));
    TestAuthServer::start_with(builder).await
}

async fn ask(server: &TestAuthServer, id: &str, secret: &str, token: &str, accept: &str) -> Response {
    let request = reqwest::Client::new().post(server.introspection_endpoint()).header("accept", accept);
    request.basic_auth(id, Some(secret)).form(&[("token", token)]).send().await.unwrap()
}

async fn answer(server: &TestAuthServer, token: &str) -> Value {
    let response = ask(server, "api", "secret", token, "application/json").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    response.json().await.unwrap()
}

async fn token(server: &TestAuthServer, client: &str, resource: &str) -> (String, DpopKey) {
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let client = TokenClient::discover(server.issuer(), client, ClientAuthentication::None, key.clone()).await.unwrap();
    (client.client_credentials(Some("notes:read"), Some(resource)).await.unwrap().access_token, key)
}

/// AS-13, AS-27: an unknown, expired or foreign token is `active: false` and nothing else.
#[tokio::test]
async fn introspection_describes_active_tokens_of_the_caller_only() {
    let server = server().await;
    let (opaque, key) = token(&server, "opaque", API).await;
    assert!(opaque.len() >= 43 && !opaque.contains('.'), "AS-27 {} characters", opaque.len());
    let said = answer(&server, &opaque).await;
    assert_eq!(said["active"], true);
    assert_eq!(said["cnf"], json!({ "jkt": key.thumbprint().to_string() }), "AS-13");
    assert_eq!((&said["token_type"], &said["aud"]), (&json!("DPoP"), &json!(API)), "AS-13");
    assert_eq!((&said["client_id"], &said["scope"]), (&json!("opaque"), &json!("notes:read")));
    assert_eq!(said["iss"], server.issuer());
    let (jwt, _) = token(&server, "app", API).await;
    assert_eq!(answer(&server, &jwt).await["active"], true, "JWTs too");
    for unknown in ["nonsense", "a.b.c", &format!("{opaque}x"), &jwt.replace('.', "")] {
        assert_eq!(answer(&server, unknown).await, json!({ "active": false }), "AS-13 and nothing else");
    }
    let (foreign, _) = token(&server, "opaque", OTHER).await;
    assert_eq!(answer(&server, &foreign).await, json!({ "active": false }), "AS-13 a token for another resource");
    let other = ask(&server, "other", "secret", &foreign, "application/json").await;
    assert_eq!(other.json::<Value>().await.unwrap()["active"], true, "the twin");
    let expired = server.store(server.token().audience(API).expires_in(-1));
    assert_eq!(answer(&server, &expired).await, json!({ "active": false }));
}

/// AS-13: a `client_id` alone is no authentication.
#[tokio::test]
async fn introspection_requires_an_authenticated_resource_server() {
    let server = server().await;
    let (opaque, _) = token(&server, "opaque", API).await;
    for (id, secret) in [("api", "wrong"), ("unrelated", "secret"), ("unknown", "secret"), ("opaque", "")] {
        let plain = ask(&server, id, secret, &opaque, "application/json").await;
        assert_eq!(plain.status(), StatusCode::UNAUTHORIZED, "AS-13 {id}");
        let signed = ask(&server, id, secret, &opaque, "application/token-introspection+jwt").await;
        assert_eq!(signed.status(), StatusCode::BAD_REQUEST, "AS-13 RFC 9701 §5 {id}");
    }
    let form = [("token", opaque.as_str()), ("client_id", "public")];
    let public = reqwest::Client::new().post(server.introspection_endpoint()).form(&form).send().await.unwrap();
    assert_eq!(public.status(), 401, "AS-13 an identifier is no authentication");
    assert_eq!(server.introspections(), 0);
    assert_eq!(answer(&server, &opaque).await["active"], true, "the twin");
    assert_eq!(server.introspections(), 1);
}

/// AS-14: RFC 9701, without claims of an access token outside `token_introspection`.
#[tokio::test]
async fn signs_introspection_responses_on_request() {
    let server = server().await;
    let (opaque, _) = token(&server, "opaque", API).await;
    let response = ask(&server, "api", "secret", &opaque, "application/token-introspection+jwt").await;
    assert_eq!(response.headers()["content-type"], "application/token-introspection+jwt");
    let jwt = response.text().await.unwrap();
    let jws = CompactJws::split(&jwt, 16_384).unwrap().decode().unwrap();
    let (header, claims): (Value, Value) =
        (serde_json::from_slice(jws.header()).unwrap(), serde_json::from_slice(jws.payload()).unwrap());
    assert_eq!(header["typ"], "token-introspection+jwt", "AS-14");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer()), &json!("api")), "AS-14");
    assert!(claims["iat"].is_u64() && claims.get("sub").is_none() && claims.get("exp").is_none(), "AS-14");
    assert_eq!(claims["token_introspection"]["active"], true, "AS-14");
}

#[tokio::test]
async fn revoked_tokens_are_inactive() {
    let server = server().await;
    let revoke = |id: &'static str, token: String| {
        let url = format!("{}/revoke", server.issuer());
        async move {
            let form = [("token", token.as_str()), ("client_id", id)];
            reqwest::Client::new().post(url).form(&form).send().await.unwrap().status()
        }
    };
    for client in ["opaque", "app"] {
        let (token, _) = token(&server, client, API).await;
        assert_eq!(
            revoke("public", token.clone()).await,
            200,
            "RFC 7009 §2.2: the response does not depend on the token"
        );
        assert_eq!(answer(&server, &token).await["active"], true, "and tokens of other clients stay active");
        assert_eq!(revoke(client, token.clone()).await, 200);
        assert_eq!(answer(&server, &token).await, json!({ "active": false }), "{client}");
    }
    assert_eq!(revoke("app", "unknown".to_owned()).await, 200);
    let (token, _) = token(&server, "opaque", API).await;
    server.revoke(&token);
    assert_eq!(answer(&server, &token).await, json!({ "active": false }), "by the kit");
}

/// AS-12, AS-13: over TLS, for clients that are registered for it. Metadata names the endpoints.
#[tokio::test]
async fn binds_tokens_to_the_certificate_of_the_client() {
    let own = TestCertificate::self_signed("own");
    let other = TestCertificate::self_signed("other");
    let builder = TestAuthServer::defaults()
        .mutual_tls()
        .client(Client::public("mtls").certificate_bound_access_tokens().redirect_uri("http://127.0.0.1/callback"))
        .client(Client::confidential("api", "secret").introspects(API));
    let server = TestAuthServer::start_with(builder).await;
    let metadata = format!("{}/.well-known/oauth-authorization-server", server.issuer());
    let metadata: Value = reqwest::get(metadata).await.unwrap().json().await.unwrap();
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true, "AS-12");
    let alias = metadata["mtls_endpoint_aliases"]["token_endpoint"].as_str().unwrap();
    assert!(alias.starts_with("https://127.0.0.1:") && alias.ends_with("/token"), "AS-12 {alias}");

    let with = |certificate: &TestCertificate| {
        let certificate = ClientCertificate::from_pem(&certificate.pem(), &certificate.key_pem()).unwrap();
        certificate.trust(server.tls_certificate_pem().unwrap()).unwrap()
    };
    let issuer = server.issuer();
    let client = MtlsTokenClient::discover(issuer, "mtls", ClientAuthentication::None, with(&own)).await.unwrap();
    let token = client.client_credentials(None, None).await.unwrap().access_token;
    let x5t = CertThumbprint::of_der(own.der()).to_string();
    let said = answer(&server, &token).await;
    assert_eq!((&said["cnf"], &said["token_type"]), (&json!({ "x5t#S256": x5t }), &json!("Bearer")), "AS-12 AS-13");

    let form = [("grant_type", "client_credentials"), ("client_id", "mtls")];
    let plain = reqwest::Client::new().post(format!("{issuer}/token")).form(&form).send().await.unwrap();
    assert_eq!(plain.status(), 400, "AS-12 this client must present a certificate");
    let app = MtlsTokenClient::discover(issuer, "app", ClientAuthentication::None, with(&other)).await.unwrap();
    let unbound = app.client_credentials(None, None).await.unwrap().access_token;
    assert!(
        answer(&server, &unbound).await.get("cnf").is_none(),
        "only tokens of clients that are registered for it are bound"
    );

    let without = TestAuthServer::start().await;
    let rejected =
        MtlsTokenClient::discover(without.issuer(), "app", ClientAuthentication::None, with(&own)).await.map(drop);
    assert!(matches!(rejected, Err(ClientError::Url(_))), "CLI-15 no mutual TLS over http: {rejected:?}");
}

/// CLI-15, MTLS-08: with tokens that are bound to the certificate, or to key and certificate.
#[tokio::test]
async fn every_grant_works_over_mutual_tls() {
    let own = TestCertificate::self_signed("own");
    let builder = TestAuthServer::defaults()
        .mutual_tls()
        .client(Client::public("mtls").certificate_bound_access_tokens().redirect_uri("http://127.0.0.1/callback"))
        .client(Client::confidential("api", "secret").introspects(API));
    let server = TestAuthServer::start_with(builder).await;
    let x5t = CertThumbprint::of_der(own.der()).to_string();
    let certificate = || {
        let certificate = ClientCertificate::from_pem(&own.pem(), &own.key_pem()).unwrap();
        certificate.trust(server.tls_certificate_pem().unwrap()).unwrap()
    };
    let (issuer, callback, none) = (server.issuer(), "http://127.0.0.1/callback", ClientAuthentication::None);
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let back = async |url: reqwest::Url| {
        let answer = browser.get(url).send().await.unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    };

    let client = MtlsTokenClient::discover(issuer, "mtls", none.clone(), certificate()).await.unwrap();
    let request = client.authorize(callback, None, None).unwrap();
    let redirected = back(request.url.clone()).await;
    let forged = redirected.replace("state=", "state=x");
    assert!(matches!(client.exchange(&request, &forged).await, Err(ClientError::AuthorizationResponse(_))));
    let granted = client.exchange(&request, &redirected).await.unwrap();
    let renewed = client.refresh(granted.refresh_token.as_deref().unwrap()).await.unwrap();
    for token in [&granted.access_token, &renewed.access_token] {
        assert_eq!(answer(&server, token).await["cnf"], json!({ "x5t#S256": x5t }), "CLI-15");
    }

    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let both = TokenClient::discover_mtls(issuer, "mtls", none, key.clone(), certificate()).await.unwrap();
    let request = both.authorize(callback, None, None).unwrap();
    let granted = both.exchange(&request, &back(request.url.clone()).await).await.unwrap();
    let said = answer(&server, &granted.access_token).await;
    let expected = json!({ "jkt": key.thumbprint().to_string(), "x5t#S256": x5t });
    assert_eq!((&said["cnf"], &said["token_type"]), (&expected, &json!("DPoP")), "MTLS-08");
}

/// AS-12, AS-09: RFC 8705 §4. The access token has the `acr` that was asked for (RFC 9470 §4).
#[tokio::test]
async fn refresh_tokens_of_public_clients_are_bound_to_the_certificate() {
    let (own, other) = (TestCertificate::self_signed("own"), TestCertificate::self_signed("other"));
    let builder = TestAuthServer::defaults()
        .mutual_tls()
        .client(Client::public("mtls").certificate_bound_access_tokens().redirect_uri("http://127.0.0.1/callback"));
    let server = TestAuthServer::start_with(builder).await;
    let tls = |certificate: &TestCertificate| {
        let identity = format!("{}\n{}", certificate.key_pem(), certificate.pem());
        let trusted = reqwest::Certificate::from_pem(server.tls_certificate_pem().unwrap().as_bytes()).unwrap();
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let identity = reqwest::Identity::from_pem(identity.as_bytes()).unwrap();
        builder.identity(identity).tls_certs_merge([trusted]).build().unwrap()
    };
    // RFC 7636 appendix B
    let authorize = format!(
        "{}/authorize?response_type=code&client_id=mtls&redirect_uri=http://127.0.0.1/callback\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&acr_values=mfa+pwd",
        server.issuer()
    );
    let back = tls(&own).get(authorize).send().await.unwrap();
    let back = back.headers()["location"].to_str().unwrap().to_owned();
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let metadata = format!("{}/.well-known/oauth-authorization-server", server.issuer());
    let metadata: Value = reqwest::get(metadata).await.unwrap().json().await.unwrap();
    let url = metadata["mtls_endpoint_aliases"]["token_endpoint"].as_str().unwrap();
    let post = |certificate: &TestCertificate, form: Vec<(&'static str, String)>| {
        let request = tls(certificate).post(url).form(&form);
        async move { request.send().await.unwrap() }
    };
    let form = vec![
        ("grant_type", "authorization_code".to_owned()),
        ("client_id", "mtls".to_owned()),
        ("code", code.to_owned()),
        ("redirect_uri", "http://127.0.0.1/callback".to_owned()),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned()),
    ];
    let granted: Value = post(&own, form).await.json().await.unwrap();
    let jwt = granted["access_token"].as_str().unwrap();
    let claims = CompactJws::split(jwt, 16_384).unwrap().decode().unwrap();
    let claims: Value = serde_json::from_slice(claims.payload()).unwrap();
    assert_eq!(claims["acr"], "mfa", "AS-09 RFC 9470 §4");
    let refresh = |token: &Value| {
        vec![
            ("grant_type", "refresh_token".to_owned()),
            ("client_id", "mtls".to_owned()),
            ("refresh_token", token["refresh_token"].as_str().unwrap().to_owned()),
        ]
    };
    let stolen = post(&other, refresh(&granted)).await;
    assert_eq!(stolen.json::<Value>().await.unwrap()["error"], "invalid_grant", "RFC 8705 §4");
    assert_eq!(post(&own, refresh(&granted)).await.status(), 200, "the twin");
}
