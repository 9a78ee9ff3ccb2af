//! Which tokens are introspected, and what the request for it holds.

use std::sync::Arc;

use http::Request;
use http::header::AUTHORIZATION;
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, TokenMint, proof};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower_pop::{ConfigError, Introspection, IssuerConfig, PopConfig, ProofKind};

use super::{ENDPOINT, Server, TOKEN, introspection, run_background_tasks, scene, scene_with};
use crate::support::{AUDIENCE, Expected, ISSUER, NOW, URL, api_for, issuer, request};

/// INTRO-01, INTRO-04, ERR-11: `cnf` of the response is enforced, and `Debug` output of the request has no secret.
#[tokio::test]
async fn sends_one_authenticated_request_and_reads_the_token_from_the_response() {
    let scene = scene();
    let answer = scene.send(TOKEN).await.is(Expected::Ok, "INTRO-01");
    let token = answer.token.unwrap();
    assert_eq!(token.proof().kind(), ProofKind::Dpop);
    assert_eq!((token.issuer(), token.subject(), token.client_id()), (ISSUER, Some("alice"), Some("app")));
    assert!(token.has_scope("notes:read") && token.access_token().is_introspected());
    assert_eq!(token.claims::<Value>().unwrap()["active"], true);
    let requests = scene.server.seen.lock().unwrap();
    let [request] = &requests[..] else { panic!("one request") };
    assert_eq!(request.url, ENDPOINT);
    assert_eq!(request.form.as_deref(), Some(&*format!("token={TOKEN}&token_type_hint=access_token")));
    let authorization = request.authorization.as_ref().unwrap();
    assert_eq!(authorization, "Basic YXBpOnNlY3JldA==", "INTRO-01 the resource server authenticates");
    assert!(authorization.is_sensitive());
    let debug = format!("{request:?}");
    assert!(!debug.contains(TOKEN) && !debug.contains("YXBp"), "ERR-11 {debug}");
}

/// INTRO-08, X-63: proof and scheme are checked first, so that random tokens cause no requests.
#[tokio::test]
async fn a_request_that_is_wrong_anyway_is_not_introspected() {
    let scene = scene();
    let wrong_key = DpopKey::generate(Algorithm::ES256).unwrap();
    let good = || proof(&scene.api.key).url(URL).for_token(TOKEN).issued_at(NOW);
    for (row, proof, expected) in [
        ("no proof", None, Expected::Proof),
        ("garbage", Some("garbage".to_owned()), Expected::Proof),
        ("another method", Some(good().method("PUT").mint()), Expected::Proof),
        ("another URL", Some(good().url("https://api.example/other").mint()), Expected::Proof),
        ("another token", Some(good().for_token("x").mint()), Expected::Proof),
        ("a forged signature", Some(good().tampered_signature().mint()), Expected::Proof),
        ("too old", Some(good().issued_at(NOW - 120).mint()), Expected::Proof),
    ] {
        let mut request = request(TOKEN, proof.as_deref().unwrap_or_default());
        if proof.is_none() {
            request.headers_mut().remove("dpop");
        }
        scene.api.send(request).await.is(expected, &format!("INTRO-08 {row}"));
    }
    for number in 0..1_000 {
        let request = Request::get("/notes").header(AUTHORIZATION, format!("DPoP random-{number}")).body(()).unwrap();
        scene.api.send(request).await.is(Expected::Proof, "INTRO-08 random tokens");
    }
    let bearer = Request::get("/notes").header(AUTHORIZATION, format!("Bearer {TOKEN}")).body(()).unwrap();
    scene.api.send(bearer).await.is(Expected::Token, "INTRO-08 Bearer is not enabled");
    assert_eq!(scene.server.requests(), 0, "INTRO-08");
    let stolen = proof(&wrong_key).url(URL).for_token(TOKEN).issued_at(NOW).mint();
    scene.api.with(TOKEN, &stolen).await.is(Expected::Token, "another key: only the server knows the key of the token");
    assert_eq!(scene.server.requests(), 1);
    scene.send(TOKEN).await.is(Expected::Ok, "the twin");
}

/// INTRO-08: concurrent requests with one token share one introspection request.
#[tokio::test]
async fn sends_one_request_per_token_and_limits_their_number() {
    let scene = Arc::new(scene_with(|i| i.max_concurrent(3), |builder| builder));
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let send = |token: String| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { scene.send(&token).await.status })
    };
    let same: Vec<_> = (0..50).map(|_| send(TOKEN.to_owned())).collect();
    let others: Vec<_> = (0..10).map(|number| send(format!("other-{number}"))).collect();
    run_background_tasks().await;
    assert_eq!(scene.server.requests(), 3, "INTRO-08 no more than three at a time");
    scene.server.gate.add_permits(1_000);
    for answer in same.into_iter().chain(others) {
        assert_eq!(answer.await.unwrap(), 200);
    }
    assert_eq!(scene.server.requests(), 11, "INTRO-08 one request per token");
}

/// INTRO-08: other requests may wait for the same response.
#[tokio::test]
async fn a_cancelled_request_does_not_cancel_the_introspection() {
    let scene = Arc::new(scene());
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let first = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { scene.send(TOKEN).await.status }
    });
    run_background_tasks().await;
    first.abort();
    assert!(first.await.is_err());
    scene.server.gate.add_permits(1_000);
    run_background_tasks().await;
    scene.send(TOKEN).await.is(Expected::Ok, "the response came");
    assert_eq!(scene.server.requests(), 1);
}

/// INTRO-07: after the timeout.
#[tokio::test(start_paused = true)]
async fn gives_up_on_a_server_that_does_not_respond() {
    let scene = scene();
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    scene.send(TOKEN).await.is(Expected::Down, "INTRO-07 after 5 s of virtual time");
    scene.server.gate.add_permits(1_000);
    scene.send(TOKEN).await.is(Expected::Ok, "the twin");
}

/// INTRO-09, X-62: a token goes to one issuer only, and a configuration has one that introspects.
#[tokio::test]
async fn jwts_of_other_issuers_are_not_introspected() {
    let server = Server::new();
    let (asked, local) =
        (TestAuthServer::offline_at(ISSUER, NOW), TestAuthServer::offline_at("https://b.example", NOW));
    let api = api_for(asked, issuer(&local), |builder| {
        builder.issuer(IssuerConfig::new(ISSUER).static_jwks(local.jwks_json()).introspection(introspection(&server)))
    });
    let local_token = local.token().audience(AUDIENCE).bound_to(&api.key).mint();
    api.with_token(&local_token).await.is(Expected::Ok, "verified here");
    let spoiled = local.token().audience(AUDIENCE).bound_to(&api.key).tampered_signature().mint();
    api.with_token(&spoiled).await.is(Expected::Token, "INTRO-09 not retried at the other server");
    type Change = fn(TokenMint) -> TokenMint;
    let odd: [(&str, Change); 3] = [
        ("an algorithm that is not accepted", |t| t.header("alg", "HS256")),
        ("crit", |t| t.header("crit", json!(["x"]))),
        ("claims that cannot be read", |t| t.raw_payload(r#"{"iss":"a","iss":"b"}"#)),
    ];
    for (row, change) in odd {
        let token = change(local.token().audience(AUDIENCE).bound_to(&api.key)).mint();
        api.with_token(&token).await.is(Expected::Token, &format!("INTRO-09 {row}"));
    }
    for spoiled in [format!("{local_token}="), format!("{local_token}A")] {
        api.with_token(&spoiled).await.is(Expected::Token, "INTRO-09 X-62 a local JWT with more characters");
    }
    assert_eq!(server.requests(), 0, "INTRO-09");
    server.says(
        json!({
            "active": true, "aud": AUDIENCE, "exp": NOW + 60, "cnf": { "jkt": api.key.thumbprint().to_string() },
        })
        .to_string(),
    );
    api.with_token(TOKEN).await.is(Expected::Ok, "an opaque token goes to the one issuer that introspects");
    let jwt_of_asked = api.token().mint();
    api.with_token(&jwt_of_asked).await.is(Expected::Ok, "and so does a JWT of that issuer");
    assert_eq!(server.requests(), 2);

    let twice = PopConfig::builder(IssuerConfig::new(ISSUER).introspection(introspection(&server)), AUDIENCE)
        .issuer(IssuerConfig::new("https://b.example").introspection(introspection(&server)))
        .build()
        .map(drop);
    assert_eq!(twice, Err(ConfigError::SecondIntrospection("https://b.example".to_owned())), "INTRO-09");
}

/// INTRO-09, INTRO-13: a JWT that fails is not retried at the server. An introspection response is no access token.
#[tokio::test]
async fn jwt_first_verifies_jwts_locally_and_never_introspects_them() {
    let scene = scene_with(Introspection::jwt_first, |builder| builder);
    scene.send(&scene.api.token().mint()).await.is(Expected::Ok, "a JWT");
    for (row, token) in [
        ("a flipped bit", scene.api.token().tampered_signature().mint()),
        ("expired", scene.api.token().expires_in(-600).mint()),
        ("alg none", scene.api.token().alg_none().mint() + "AA"),
        ("another issuer", scene.api.token().claim("iss", "https://evil.example").mint()),
        ("duplicate members", scene.api.token().raw_header(r#"{"alg":"ES256","alg":"ES256"}"#).mint()),
        ("INTRO-13 an introspection response", scene.api.token().header("typ", "token-introspection+jwt").mint()),
    ] {
        scene.send(&token).await.is(Expected::Token, row);
    }
    assert_eq!(scene.server.requests(), 0, "a failed JWT is not retried at the server");
    scene.send(TOKEN).await.is(Expected::Ok, "an opaque token");
    scene.send("a.b.c").await.is(Expected::Ok, "three segments that are no JWS");
    assert_eq!(scene.server.requests(), 2);

    let every = self::scene();
    every.send(&every.api.token().mint()).await.is(Expected::Ok, "introspected, although it is a JWT");
    assert_eq!(every.server.requests(), 1);
    every.says(|a| *a = json!({ "active": false }));
    every.send(&every.api.token().claim("jti", "another").mint()).await.is(Expected::Token, "and the response counts");
}

/// INTRO-01: neither sends `Authorization`.
#[tokio::test]
async fn the_resource_server_can_authenticate_by_assertion_or_certificate() {
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let by_key = scene_with(|i| i.private_key_jwt("api", key.clone()), |builder| builder);
    by_key.send(TOKEN).await.is(Expected::Ok, "private_key_jwt");
    let form = by_key.server.seen.lock().unwrap()[0].form.clone().unwrap();
    let parameter = |name: &str| form.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
    assert_eq!(parameter("client_id"), "api");
    let assertion = parameter("client_assertion");
    let jws = pop_core::jose::DecodedJws::parse(assertion, 4096).unwrap();
    let claims: Value = serde_json::from_slice(jws.payload()).unwrap();
    assert_eq!((&claims["aud"], &claims["sub"], &claims["exp"]), (&json!(ISSUER), &json!("api"), &json!(NOW + 60)));
    assert!(by_key.server.seen.lock().unwrap()[0].authorization.is_none());

    let by_certificate = scene_with(|i| i.mutual_tls("api"), |builder| builder);
    by_certificate.send(TOKEN).await.is(Expected::Ok, "mutual TLS");
    let request = by_certificate.server.seen.lock().unwrap()[0].clone();
    assert!(request.form.unwrap().ends_with("&client_id=api") && request.authorization.is_none());
}

/// INTRO-09: the server must not see the tokens of other issuers.
#[tokio::test]
async fn a_jwt_that_names_another_issuer_is_rejected_without_a_request() {
    let server = Server::new();
    let (local, foreign) =
        (TestAuthServer::offline_at(ISSUER, NOW), TestAuthServer::offline_at("https://evil.example", NOW));
    let introspection = || Introspection::at(ENDPOINT).client_secret_basic("api", "secret").http_fetch(server.clone());
    let own = IssuerConfig::new(ISSUER).static_jwks(local.jwks_json()).introspection(introspection());
    let api = api_for(local, own, |builder| builder);
    let active = json!({
        "active": true, "aud": "https://api.example", "exp": NOW + 60,
        "cnf": { "jkt": api.key.thumbprint().to_string() },
    });
    server.says(active.to_string());
    let other = api.token().claim("iss", "https://other.example").mint();
    let spaced = {
        let mint = api.token().claim("iss", "https://other.example");
        let header = format!(" {}", mint.header_text());
        mint.raw_header(header).mint()
    };
    for (row, token) in [
        ("another issuer", foreign.token().audience("https://api.example").bound_to(&api.key).mint()),
        ("a slash more", api.token().claim("iss", "https://as.example/").mint()),
        (
            "of an algorithm that is not accepted",
            api.token().header("alg", "HS256").claim("iss", "https://x.example").mint(),
        ),
        ("of another typ", api.token().header("typ", "JWT").claim("iss", "https://x.example").mint()),
        ("with a header that is rejected", api.token().header("crit", json!(["x"])).claim("iss", "https://x").mint()),
        ("with a space before its header", spaced),
        ("with a signature that is not canonical", format!("{}B", &other[..other.rfind('.').unwrap() + 3])),
        ("with padding behind its signature", format!("{other}=")),
        ("without a signature", api.token().claim("iss", "https://x.example").alg_none().mint()),
    ] {
        let answer = api.with_token(&token).await;
        answer.is(Expected::Token, &format!("INTRO-09 {row}")).coded("token.issuer", row);
    }
    assert_eq!(server.requests(), 0, "INTRO-09");
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "the twin: its own issuer");
    api.with_token(&api.token().without("iss").mint()).await.is(Expected::Ok, "a JWT that names no issuer");
    api.with_token(TOKEN).await.is(Expected::Ok, "an opaque token");
    assert_eq!(server.requests(), 3);
}
