//! The development authorization server over real sockets.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use pop_authserver::{Algorithm, AuthServer, Client, DpopKey, StartError, TestAuthServer, proof};
use pop_client::{ClientAuthentication, ClientError, TokenClient};
use pop_core::jose::CompactJws;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tower_pop::clock::{Clock, SystemClock};

const CALLBACK: &str = "http://127.0.0.1/callback";

fn key() -> DpopKey {
    DpopKey::generate(Algorithm::ES256).unwrap()
}

fn claims(jwt: &str) -> Value {
    serde_json::from_slice(CompactJws::split(jwt, 16384).unwrap().decode().unwrap().payload()).unwrap()
}

fn header(jwt: &str) -> Value {
    serde_json::from_slice(CompactJws::split(jwt, 16384).unwrap().decode().unwrap().header()).unwrap()
}

async fn post(server: &TestAuthServer, form: &str, proofs: &[String]) -> Response {
    let mut request = reqwest::Client::new()
        .post(format!("{}/token", server.issuer()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned());
    for proof in proofs {
        request = request.header("dpop", proof);
    }
    request.send().await.unwrap()
}

const CLIENT_CREDENTIALS: &str = "grant_type=client_credentials&client_id=app";

async fn error(response: Response) -> (StatusCode, String) {
    let status = response.status();
    assert_eq!(response.headers()["cache-control"], "no-store", "AS-11");
    let body: Value = response.json().await.unwrap();
    (status, body["error"].as_str().unwrap_or_default().to_owned())
}

/// AS-02: and the key set has no private members.
#[tokio::test]
async fn metadata_names_its_issuer_and_asymmetric_algorithms_only() {
    let server = TestAuthServer::start().await;
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let document: Value = reqwest::get(format!("{}{path}", server.issuer())).await.unwrap().json().await.unwrap();
        assert_eq!(document["issuer"], server.issuer(), "AS-02");
        let algorithms = document["dpop_signing_alg_values_supported"].to_string();
        assert!(
            algorithms.contains("ES256") && !algorithms.contains("none") && !algorithms.contains("HS"),
            "{algorithms}"
        );
    }
    let jwks: Value = reqwest::get(format!("{}/jwks", server.issuer())).await.unwrap().json().await.unwrap();
    assert!(jwks["keys"][0].get("d").is_none() && jwks["keys"][0]["use"] == "sig");
}

/// AS-03, AS-28: with `invalid_dpop_proof`. A proof a little ahead of time is accepted.
#[tokio::test]
async fn rejects_every_defective_proof() {
    let server = TestAuthServer::start().await;
    let url = format!("{}/token", server.issuer());
    let key = key();
    let good = || proof(&key).method("POST").url(&url);
    assert_eq!(post(&server, CLIENT_CREDENTIALS, &[good().mint()]).await.status(), 200, "the twin");
    let now = SystemClock::default().now();
    let mut private = key.public_jwk();
    private["d"] = "AA".into();
    let used = good().mint();
    assert_eq!(post(&server, CLIENT_CREDENTIALS, std::slice::from_ref(&used)).await.status(), 200);
    for (row, proofs) in [
        ("garbage", vec!["garbage".to_owned()]),
        ("two", vec![good().mint(), good().mint()]),
        ("replayed", vec![used]),
        ("htm", vec![good().method("GET").mint()]),
        ("htu", vec![good().url("http://127.0.0.1/token").mint()]),
        ("typ", vec![good().header("typ", "JWT").mint()]),
        ("alg none", vec![good().alg_none().mint()]),
        ("private key", vec![good().header("jwk", private).mint()]),
        ("signature", vec![good().tampered_signature().mint()]),
        ("no jti", vec![good().without("jti").mint()]),
        ("AS-28 too old", vec![good().issued_at(now - 3600).mint()]),
        ("AS-28 61 s ahead", vec![good().issued_at(now + 62).mint()]),
    ] {
        let answer = error(post(&server, CLIENT_CREDENTIALS, &proofs).await).await;
        assert_eq!(answer, (StatusCode::BAD_REQUEST, "invalid_dpop_proof".to_owned()), "AS-03 {row}");
    }
    for ahead in [0, 8] {
        let early = good().issued_at(now + ahead).mint();
        assert_eq!(post(&server, CLIENT_CREDENTIALS, &[early]).await.status(), 200, "AS-28 {ahead} s ahead");
    }
}

/// AS-04, AS-09, AS-10, AS-26, AS-27: without a proof, the token is a Bearer token.
#[tokio::test]
async fn issues_bound_rfc_9068_tokens() {
    let server = TestAuthServer::start_with(TestAuthServer::defaults().audience("https://second.example")).await;
    let key = key();
    let client = TokenClient::discover(server.issuer(), "app", ClientAuthentication::None, key.clone()).await.unwrap();
    let token = client.client_credentials(Some("a b"), None).await.unwrap().access_token;
    let claims_of = claims(&token);
    assert_eq!(claims_of["cnf"], json!({ "jkt": key.thumbprint().to_string() }), "AS-04");
    assert_eq!(header(&token)["typ"], "at+jwt", "AS-09");
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"] {
        assert!(claims_of.get(name).is_some(), "AS-09 {name}");
    }
    assert_eq!(claims_of["aud"], "https://api.example", "AS-10 the default");
    assert!(claims_of["exp"].as_u64().unwrap() - claims_of["iat"].as_u64().unwrap() <= 600, "AS-26");
    assert!(claims_of["jti"].as_str().unwrap().len() >= 22, "AS-27");
    let second = client.client_credentials(None, Some("https://second.example")).await.unwrap().access_token;
    assert_eq!(claims(&second)["aud"], "https://second.example", "AS-10");
    let unknown = client.client_credentials(None, Some("https://unknown.example")).await;
    let Err(ClientError::OAuth { code, description, .. }) = unknown else { panic!("{unknown:?}") };
    assert_eq!(code, "invalid_target", "AS-10");
    let known = "This server has tokens for: https://api.example https://second.example";
    assert!(description.unwrap().ends_with(known), "what is configured");
    let two = format!("{CLIENT_CREDENTIALS}&resource=https%3A%2F%2Fapi.example&resource=https%3A%2F%2Fsecond.example");
    assert_eq!(error(post(&server, &two, &[]).await).await.1, "invalid_target", "AS-10 two resources");
    let bearer: Value = post(&server, CLIENT_CREDENTIALS, &[]).await.json().await.unwrap();
    assert_eq!(bearer["token_type"], "Bearer");
    assert!(claims(bearer["access_token"].as_str().unwrap()).get("cnf").is_none());
}

/// AS-05: also in the response with the token.
#[tokio::test]
async fn asks_for_nonces_and_hands_them_out() {
    let server = TestAuthServer::start_with(TestAuthServer::defaults().require_nonce()).await;
    let key = key();
    let url = format!("{}/token", server.issuer());
    let good = proof(&key).method("POST").url(&url);
    let asked = post(&server, CLIENT_CREDENTIALS, &[good.clone().mint()]).await;
    assert_eq!(asked.headers().get_all("dpop-nonce").iter().count(), 1, "AS-05");
    let nonce = asked.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    assert_eq!(error(asked).await, (StatusCode::BAD_REQUEST, "use_dpop_nonce".to_owned()), "AS-05");
    let answer = post(&server, CLIENT_CREDENTIALS, &[good.clone().nonce(&nonce).mint()]).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("dpop-nonce"), "AS-05 also with a token");
    assert_eq!(
        error(post(&server, CLIENT_CREDENTIALS, &[good.nonce("another").mint()]).await).await.1,
        "use_dpop_nonce"
    );
    let client = TokenClient::discover(server.issuer(), "app", ClientAuthentication::None, key).await.unwrap();
    client.client_credentials(None, None).await.unwrap();
}

/// AS-06: `dpop_bound_access_tokens`.
#[tokio::test]
async fn a_client_can_be_registered_for_dpop_only() {
    let builder = TestAuthServer::defaults().client(Client::public("strict").dpop_bound_access_tokens());
    let server = TestAuthServer::start_with(builder).await;
    let form = "grant_type=client_credentials&client_id=strict";
    assert_eq!(error(post(&server, form, &[]).await).await.1, "invalid_dpop_proof", "AS-06");
    let good = proof(&key()).method("POST").url(&format!("{}/token", server.issuer())).mint();
    assert_eq!(post(&server, form, &[good]).await.status(), 200, "the twin");
}

/// Follows the authorization request and returns where the browser is sent.
async fn authorize(url: &str) -> Response {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    http.get(url).send().await.unwrap()
}

fn location(response: &Response) -> String {
    assert_eq!(response.status(), 302);
    response.headers()["location"].to_str().unwrap().to_owned()
}

/// AS-07, AS-08, AS-09, AS-25: with PKCE, `dpop_jkt` and `iss`.
#[tokio::test]
async fn authorization_codes_and_refresh_tokens_are_bound_and_work_once() {
    let server = TestAuthServer::start().await;
    let key = key();
    let client = TokenClient::discover(server.issuer(), "app", ClientAuthentication::None, key).await.unwrap();
    let request = client.authorize(CALLBACK, Some("notes:read"), None).unwrap();
    let back = location(&authorize(request.url.as_str()).await);
    assert!(back.contains("iss="), "AS-25 RFC 9207 {back}");
    let token = client.exchange(&request, &back).await.unwrap();
    assert_eq!(claims(&token.access_token)["sub"], "alice");
    assert!(claims(&token.access_token)["auth_time"].is_u64(), "AS-09");
    let again = client.exchange(&request, &back).await;
    assert!(
        matches!(again, Err(ClientError::OAuth { code, .. }) if code == "invalid_grant"),
        "AS-25 a code works once"
    );

    let refresh = token.refresh_token.unwrap();
    let thief = TokenClient::discover(server.issuer(), "app", ClientAuthentication::None, self::key()).await.unwrap();
    let stolen = thief.refresh(&refresh).await;
    assert!(matches!(stolen, Err(ClientError::OAuth { code, .. }) if code == "invalid_grant"), "AS-07 another key");
    let renewed = client.refresh(&refresh).await.unwrap();
    assert_ne!(renewed.refresh_token.as_deref(), Some(&*refresh), "rotated");
    assert!(client.refresh(&refresh).await.is_err(), "the old one no longer works");

    let request = client.authorize(CALLBACK, None, None).unwrap();
    let code = location(&authorize(request.url.as_str()).await);
    let code = code.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let form =
        format!("grant_type=authorization_code&client_id=app&code={code}&code_verifier=x&redirect_uri={CALLBACK}");
    assert_eq!(error(post(&server, &form, &[]).await).await.1, "invalid_grant", "AS-25 PKCE");

    let request = client.authorize(CALLBACK, None, None).unwrap();
    let back = location(&authorize(request.url.as_str()).await);
    assert!(thief.exchange(&request, &back).await.is_err(), "AS-08 dpop_jkt is another key");
}

/// AS-25, AS-31: without a redirect when `redirect_uri` is not registered.
#[tokio::test]
async fn rejects_defective_authorization_requests() {
    let server = TestAuthServer::start().await;
    let client = TokenClient::discover(server.issuer(), "app", ClientAuthentication::None, key()).await.unwrap();
    let url = client.authorize(CALLBACK, None, None).unwrap().url.to_string();
    assert!(location(&authorize(&url).await).contains("code="), "the twin");
    let elsewhere = url.replace("127.0.0.1%2Fcallback", "127.0.0.1%2Fcallback%2Fx");
    assert_eq!(authorize(&elsewhere).await.status(), 400, "AS-25 no redirect to a URI that is not registered");
    for (row, url) in [
        ("plain PKCE", url.replace("S256", "plain")),
        ("no PKCE", url.replace("code_challenge=", "x=")),
        ("implicit", url.replace("response_type=code", "response_type=token")),
        ("bad dpop_jkt", url.replace("dpop_jkt=", "dpop_jkt=x")),
    ] {
        let back = location(&authorize(&url).await);
        assert!(back.contains("error=invalid_request") && back.contains("iss="), "AS-25 {row} {back}");
    }
    assert_eq!(authorize(&format!("{url}&state=twice")).await.status(), 400, "AS-31");
}

/// AS-11: errors included.
#[tokio::test]
async fn responses_of_the_token_endpoint_are_not_cached() {
    let server = TestAuthServer::start().await;
    for (form, status) in [(CLIENT_CREDENTIALS, 200), ("grant_type=client_credentials&client_id=unregistered", 401)] {
        let response = post(&server, form, &[]).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["cache-control"]),
            (status, &"no-store".parse().unwrap())
        );
    }
}

/// AS-24, AS-28: an assertion names the issuer as its only audience and works once, at whatever endpoint.
#[tokio::test]
async fn authenticates_clients() {
    let signer = key();
    let by_key = Client::private_key_jwt("signer", &signer.public_jwk(), Algorithm::ES256).unwrap();
    let builder = TestAuthServer::defaults().client(Client::confidential("secretive", "s3cret/+ ")).client(by_key);
    let server = TestAuthServer::start_with(builder).await;
    let with = |id: &'static str, authentication: ClientAuthentication| {
        let issuer = server.issuer().to_owned();
        async move {
            let client = TokenClient::discover(&issuer, id, authentication, key()).await.unwrap();
            client.client_credentials(None, None).await.map(drop).map_err(|error| match error {
                ClientError::OAuth { code, .. } => code,
                other => other.to_string(),
            })
        }
    };
    let rejected = Err("invalid_client".to_owned());
    assert_eq!(with("secretive", ClientAuthentication::SecretBasic("s3cret/+ ".into())).await, Ok(()));
    assert_eq!(with("secretive", ClientAuthentication::SecretBasic("wrong".into())).await, rejected);
    assert_eq!(
        with("secretive", ClientAuthentication::None).await,
        rejected,
        "a confidential client must authenticate"
    );
    assert_eq!(with("unregistered", ClientAuthentication::None).await, rejected);
    assert_eq!(with("signer", ClientAuthentication::PrivateKeyJwt(signer.clone())).await, Ok(()));
    assert_eq!(with("signer", ClientAuthentication::PrivateKeyJwt(key())).await, rejected);

    let now = SystemClock::default().now();
    let assertion = |aud: Value, jti: &str, exp: u64| {
        let claims = json!({ "iss": "signer", "sub": "signer", "aud": aud, "jti": jti, "exp": exp });
        signer.sign_jws(&json!({ "alg": "ES256" }).to_string(), &claims.to_string()).unwrap()
    };
    let send = |assertion: String| {
        let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let form = format!("grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}");
        let server = &server;
        async move { post(server, &form, &[]).await.status().as_u16() }
    };
    let issuer = json!(server.issuer());
    assert_eq!(send(assertion(issuer.clone(), "once", now + 60)).await, 200, "AS-24");
    assert_eq!(send(assertion(issuer.clone(), "once", now + 60)).await, 401, "AS-24 replayed");
    let revoke = |jti: &str| {
        let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let assertion = assertion(issuer.clone(), jti, now + 60);
        let form = format!("token=x&client_assertion_type={kind}&client_assertion={assertion}");
        let request = reqwest::Client::new().post(format!("{}/revoke", server.issuer()));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(revoke("once").await, 401, "AS-24 replayed at another endpoint");
    assert_eq!(revoke("elsewhere").await, 200, "the twin");
    assert_eq!(send(assertion(issuer.clone(), "elsewhere", now + 60)).await, 401, "AS-24 used up there");
    assert_eq!(
        send(assertion(json!(format!("{}/token", server.issuer())), "a", now + 60)).await,
        401,
        "AS-24 endpoint"
    );
    assert_eq!(send(assertion(json!([server.issuer()]), "b", now + 60)).await, 401, "AS-24 a list");
    assert_eq!(send(assertion(issuer.clone(), "c", now - 1)).await, 401, "AS-24 expired");
    assert_eq!(send(assertion(issuer.clone(), "d", now + 86_400)).await, 401, "AS-24 too long");

    let dated = |jti: &str, name: &str, date: Value| {
        let mut claims = json!({ "iss": "signer", "sub": "signer", "aud": issuer, "jti": jti, "exp": now + 300 });
        claims[name] = date;
        signer.sign_jws(&json!({ "alg": "ES256" }).to_string(), &claims.to_string()).unwrap()
    };
    for name in ["nbf", "iat"] {
        assert_eq!(send(dated(&format!("{name} 1"), name, json!(now + 8))).await, 200, "AS-28 {name} 8 s ahead");
        assert_eq!(send(dated(&format!("{name} 2"), name, json!(now + 120))).await, 401, "AS-28 {name} 120 s ahead");
        assert_eq!(send(dated(&format!("{name} 3"), name, json!("now"))).await, 401, "AS-24 {name} is no date");
    }
}

/// AS-24: another one is `invalid_client`.
#[tokio::test]
async fn a_client_id_beside_the_credentials_must_be_the_same() {
    let signer = key();
    let by_key = Client::private_key_jwt("signer", &signer.public_jwk(), Algorithm::ES256).unwrap();
    let server = TestAuthServer::start_with(TestAuthServer::defaults().client(by_key)).await;
    let now = SystemClock::default().now();
    for (jti, id, expected) in [("a", "signer", 200), ("b", "app", 401)] {
        let claims = json!({ "iss": "signer", "sub": "signer", "aud": server.issuer(), "jti": jti, "exp": now + 60 });
        let assertion = signer.sign_jws(&json!({ "alg": "ES256" }).to_string(), &claims.to_string()).unwrap();
        let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let form = format!(
            "grant_type=client_credentials&client_id={id}&client_assertion_type={kind}&client_assertion={assertion}"
        );
        assert_eq!(post(&server, &form, &[]).await.status(), expected, "AS-24 client_id={id}");
    }
}

/// An authorization code for `notes:read notes:write` at the default audience, without a key.
async fn code(server: &TestAuthServer) -> String {
    // RFC 7636 appendix B
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let url = format!(
        "{}/authorize?response_type=code&client_id=app&redirect_uri={CALLBACK}&scope=notes:read+notes:write\
         &code_challenge={challenge}&code_challenge_method=S256",
        server.issuer()
    );
    let back = location(&authorize(&url).await);
    back.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

/// AS-10: by `resource` and `scope`.
#[tokio::test]
async fn a_grant_can_be_narrowed_and_never_widened() {
    let server = TestAuthServer::start_with(TestAuthServer::defaults().audience("https://second.example")).await;
    let exchange = |code: String, more: &'static str| {
        let form = format!(
            "grant_type=authorization_code&client_id=app&code={code}&redirect_uri={CALLBACK}{more}\
             &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
        let server = &server;
        async move { post(server, &form, &[]).await }
    };
    let other = exchange(code(&server).await, "&resource=https://second.example").await;
    assert_eq!(error(other).await.1, "invalid_target", "AS-10 RFC 8707 §2.2");
    let same = exchange(code(&server).await, "&resource=https://api.example").await;
    let mut body: Value = same.json().await.unwrap();

    for (row, more, expected) in [
        ("another resource", "&resource=https://second.example", Err("invalid_target")),
        ("another scope", "&scope=notes:read+notes:delete", Err("invalid_scope")),
        ("fewer scopes", "&scope=notes:read", Ok("notes:read")),
        ("all scopes again", "", Ok("notes:read notes:write")),
    ] {
        let refresh = body["refresh_token"].as_str().unwrap();
        let form = format!("grant_type=refresh_token&client_id=app&refresh_token={refresh}{more}");
        let answer = post(&server, &form, &[]).await;
        match expected {
            Err(code) => assert_eq!(error(answer).await.1, code, "AS-10 {row}"),
            Ok(scope) => {
                body = answer.json().await.unwrap();
                assert_eq!(body["scope"], scope, "AS-10 {row}");
                assert_eq!(claims(body["access_token"].as_str().unwrap())["scope"], scope, "AS-10 {row}");
            }
        }
    }
}

/// AS-02: its metadata is where RFC 8414 and OpenID Connect Discovery put it.
#[tokio::test]
async fn an_issuer_may_have_a_path() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let issuer = format!("http://{}/tenant/one", listener.local_addr().unwrap());
    let server = TestAuthServer::defaults().build(&*issuer).unwrap();
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    let client = TokenClient::discover(&issuer, "app", ClientAuthentication::None, key()).await.unwrap();
    let token = client.client_credentials(None, None).await.unwrap().access_token;
    assert_eq!(claims(&token)["iss"], issuer, "AS-02");
    let oidc: Value =
        reqwest::get(format!("{issuer}/.well-known/openid-configuration")).await.unwrap().json().await.unwrap();
    assert_eq!(oidc["issuer"], issuer, "AS-02");
    assert_eq!(reqwest::get(oidc["jwks_uri"].as_str().unwrap()).await.unwrap().status(), 200);
}

/// AS-01: no matter how it was opened.
#[tokio::test]
async fn a_listener_beyond_loopback_is_not_served() {
    let server = TestAuthServer::defaults().build("http://127.0.0.1:1").unwrap();
    let everywhere = tokio::net::TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
    assert!(matches!(server.serve(everywhere).await, Err(pop_authserver::StartError::NotLoopback(_))), "AS-01");
    // The twin is served by every other test here.
}

#[tokio::test]
async fn a_dropped_test_server_closes_its_connections() {
    let server = TestAuthServer::start().await;
    let url = format!("{}/jwks", server.issuer());
    let client = reqwest::Client::new();
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200, "the twin");
    drop(server);
    // The client still has the connection above in its pool.
    assert!(client.get(&url).send().await.is_err());
}

/// AS-29: so that tokens of the old key stay valid.
#[tokio::test]
async fn keys_overlap_at_a_rotation_unless_the_old_one_is_dropped() {
    let server = TestAuthServer::start().await;
    let keys = || serde_json::from_str::<Value>(&server.jwks_json()).unwrap()["keys"].as_array().unwrap().len();
    let old = header(&server.token().mint())["kid"].clone();
    let rotate = |query: &str| reqwest::Client::new().post(format!("{}/rotate{query}", server.issuer())).send();
    assert_eq!(rotate("").await.unwrap().status(), 204);
    assert_eq!(keys(), 2, "AS-29");
    assert_ne!(header(&server.token().mint())["kid"], old);
    assert_eq!(rotate("?drop").await.unwrap().status(), 204);
    assert_eq!(keys(), 1, "AS-29");
}

/// AS-31: no parameter twice, and no other content type.
#[tokio::test]
async fn reads_forms_strictly() {
    let server = TestAuthServer::start().await;
    assert_eq!(
        error(post(&server, &format!("{CLIENT_CREDENTIALS}&client_id=app"), &[]).await).await.1,
        "invalid_request"
    );
    for twice in ["scope=&scope=notes:read", "scope=notes:read&scope="] {
        let form = format!("{CLIENT_CREDENTIALS}&{twice}");
        assert_eq!(error(post(&server, &form, &[]).await).await.1, "invalid_request", "AS-31 {twice}");
    }
    assert_eq!(post(&server, &format!("{CLIENT_CREDENTIALS}&scope="), &[]).await.status(), 200, "as if omitted");
    assert_eq!(error(post(&server, "client_id=app", &[]).await).await.1, "invalid_request");
    assert_eq!(error(post(&server, "grant_type=password&client_id=app", &[]).await).await.1, "unsupported_grant_type");
    let json = reqwest::Client::new().post(format!("{}/token", server.issuer())).json(&json!({})).send().await.unwrap();
    assert_eq!(error(json).await.1, "invalid_request", "AS-31 another content type");
    assert_eq!(post(&server, CLIENT_CREDENTIALS, &[]).await.status(), 200, "the twin");
}

/// AS-01: it approves every user without asking.
#[tokio::test]
async fn listens_on_loopback_only() {
    let rejected = AuthServer::builder().listen(([0, 0, 0, 0], 0).into(), None).await;
    assert!(matches!(rejected, Err(StartError::NotLoopback(_))), "AS-01");
    AuthServer::builder().listen(([127, 0, 0, 1], 0).into(), None).await.unwrap();
}

/// AS-30: tokens and proofs alike.
#[test]
fn the_kit_mints_for_its_first_audience_at_the_time_of_its_clock() {
    let clock = Arc::new(tower_pop::clock::ManualClock::at(1_000));
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let server = TestAuthServer::offline_at("https://as.example", 1_000);
    assert_eq!(claims(&server.token().bound_to(&key).mint())["aud"], json!("https://api.example"), "AS-30");
    assert_eq!(claims(&server.token().audience("https://other.example").mint())["aud"], json!("https://other.example"));
    assert!(claims(&server.token().without("aud").mint()).get("aud").is_none());
    let builder = AuthServer::builder().clock(clock.clone());
    let bare = TestAuthServer::offline_with(builder.clone(), "https://as.example");
    assert!(claims(&bare.token().mint()).get("aud").is_none(), "without an audience, tokens have none");
    let builder = builder.audience("https://first.example").audience("https://second.example");
    let own = TestAuthServer::offline_with(builder, "https://as.example");
    assert_eq!(claims(&own.token().mint())["aud"], json!("https://first.example"));
    let made_at =
        |server: &TestAuthServer| claims(&server.proof(&key).url("https://api.example/").mint())["iat"].clone();
    assert_eq!(made_at(&own), json!(1_000), "AS-30");
    clock.advance(10);
    assert_eq!((made_at(&own), own.clock().now()), (json!(1_010), 1_010), "the clock has moved");
    assert_eq!((made_at(&server), server.clock().now()), (json!(1_000), 1_000));
    let system = claims(&proof(&key).mint())["iat"].as_u64().unwrap();
    assert!(system > 1_700_000_000, "the free function has the system's clock");
}

/// AS-30: with any header and any claims.
#[test]
fn the_kit_mints_defective_tokens() {
    let clock: Arc<dyn Clock> = Arc::new(tower_pop::clock::ManualClock::at(1_000));
    let server = TestAuthServer::offline_with(TestAuthServer::defaults().clock(clock), "https://as.example");
    let token = server.token().claim("aud", json!([1])).without("sub").header("typ", "JWT").expires_in(-10).mint();
    let (header, claims) = (header(&token), claims(&token));
    assert_eq!((&header["typ"], &claims["aud"], &claims["exp"]), (&json!("JWT"), &json!([1]), &json!(990)), "AS-30");
    assert!(claims.get("sub").is_none());
}
