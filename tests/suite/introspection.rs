//! INTRO: opaque tokens (RFC 7662, RFC 9701), with a manual clock and a scripted authorization server; nothing sleeps.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use http::header::AUTHORIZATION;
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, TestCertificate, TokenMint, proof};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::pop_core::jose::CertThumbprint;
use tower_pop::{
    ClientCertificates, ConfigError, Introspection, IssuerConfig, Mode, PeerCertificate, PopConfig, PopConfigBuilder,
    ProofKind,
};

use crate::support::{AUDIENCE, Answer, Api, Expected, ISSUER, NOW, URL, api_for, issuer, request};

pub(crate) const ENDPOINT: &str = "https://as.example/introspect";
pub(crate) const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

type Reply = Result<FetchResponse, FetchError>;

/// Answers every question alike until told otherwise, records them, and can be made to wait.
#[derive(Clone)]
pub(crate) struct Server {
    reply: Arc<Mutex<Reply>>,
    pub(crate) questions: Arc<Mutex<Vec<FetchRequest>>>,
    pub(crate) gate: Arc<Semaphore>,
}

impl HttpFetch for Server {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        self.questions.lock().unwrap().push(request);
        let server = self.clone();
        Box::pin(async move {
            let _open = server.gate.acquire().await;
            server.reply.lock().unwrap().clone()
        })
    }
}

impl Server {
    pub(crate) fn new() -> Self {
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { reply: Arc::new(Mutex::new(Err(FetchError::Status(500)))), questions: Arc::default(), gate }
    }

    pub(crate) fn replies(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    pub(crate) fn says(&self, body: impl Into<String>) {
        self.replies(Ok(FetchResponse::new(body.into()).content_type("application/json")));
    }

    pub(crate) fn asked(&self) -> usize {
        self.questions.lock().unwrap().len()
    }
}

/// An API whose issuer is asked about tokens.
pub(crate) struct Scene {
    pub(crate) api: Api,
    pub(crate) server: Server,
}

fn introspection(server: &Server) -> Introspection {
    Introspection::at(ENDPOINT).client_secret_basic("api", "secret").http_fetch(server.clone())
}

pub(crate) fn scene_with(
    change: impl FnOnce(Introspection) -> Introspection,
    configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder,
) -> Scene {
    let server = Server::new();
    let authorization_server = TestAuthServer::offline_at(ISSUER, NOW);
    let issuer = issuer(&authorization_server).introspection(change(introspection(&server)));
    let api = api_for(authorization_server, issuer, configure);
    let scene = Scene { api, server };
    scene.server.says(scene.active().to_string());
    scene
}

pub(crate) fn scene() -> Scene {
    scene_with(|introspection| introspection, |builder| builder)
}

impl Scene {
    /// An answer that is right in everything.
    pub(crate) fn active(&self) -> Value {
        json!({
            "active": true, "iss": ISSUER, "sub": "alice", "client_id": "app", "aud": AUDIENCE, "scope": "notes:read",
            "exp": NOW + 300, "token_type": "DPoP", "cnf": { "jkt": self.api.key.thumbprint().to_string() },
        })
    }

    pub(crate) fn says(&self, change: impl FnOnce(&mut Value)) {
        let mut answer = self.active();
        change(&mut answer);
        self.server.says(answer.to_string());
    }

    pub(crate) async fn send(&self, token: &str) -> Answer {
        self.api.with_token(token).await
    }
}

pub(crate) fn without(answer: &mut Value, name: &str) {
    answer.as_object_mut().unwrap().remove(name);
}

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
    let questions = scene.server.questions.lock().unwrap();
    let [question] = &questions[..] else { panic!("one question") };
    assert_eq!(question.url, ENDPOINT);
    assert_eq!(question.form.as_deref(), Some(&*format!("token={TOKEN}&token_type_hint=access_token")));
    let authorization = question.authorization.as_ref().unwrap();
    assert_eq!(authorization, "Basic YXBpOnNlY3JldA==", "INTRO-01 the resource server authenticates");
    assert!(authorization.is_sensitive());
    let debug = format!("{question:?}");
    assert!(!debug.contains(TOKEN) && !debug.contains("YXBp"), "ERR-11 {debug}");
}

/// INTRO-02: a response that cannot be read is 503 and not 401.
#[tokio::test]
async fn only_the_boolean_true_is_active() {
    let scene = scene();
    for (row, body, expected) in [
        ("false", r#"{"active":false}"#, Expected::Token),
        ("missing", "{}", Expected::Down),
        ("a string", r#"{"active":"true"}"#, Expected::Down),
        ("a number", r#"{"active":1}"#, Expected::Down),
        ("null", r#"{"active":null}"#, Expected::Down),
        ("an array", r#"[{"active":true}]"#, Expected::Down),
        ("HTML", "<html>active: true</html>", Expected::Down),
        ("truncated", r#"{"active":true,"sub":"al"#, Expected::Down),
        ("empty", "", Expected::Down),
    ] {
        scene.server.says(body);
        let token = format!("token-{}", row.replace(' ', "-"));
        scene.send(&token).await.is(expected, &format!("INTRO-02 {row}"));
        // What became of a token is remembered for two seconds, and then asked again.
        scene.server.says(scene.active().to_string());
        scene.send(&token).await.is(expected, &format!("INTRO-02 after {row}"));
        scene.api.clock.advance(2);
        scene.send(&token).await.is(Expected::Ok, &format!("INTRO-02 later than {row}"));
    }
}

/// INTRO-03, INTRO-05: the claims of a response are verified like those of a JWT, without leeway for `exp`.
#[tokio::test]
async fn rejects_a_response_when_it_does_not_fit_this_resource() {
    let scene = scene();
    type Change<'c> = &'c dyn Fn(&mut Value);
    let rows: [(&str, &str, Change<'_>); 20] = [
        ("expired", "token.expired", &|a| a["exp"] = (NOW - 1).into()),
        ("expires now: no leeway", "token.expired", &|a| a["exp"] = NOW.into()),
        ("exp is text", "token.invalid_claim", &|a| a["exp"] = "soon".into()),
        ("not yet", "token.not_yet_valid", &|a| a["nbf"] = (NOW + 60).into()),
        ("issued in the future", "token.issued_in_future", &|a| a["iat"] = (NOW + 60).into()),
        ("another aud", "token.audience", &|a| a["aud"] = "https://other.example".into()),
        ("aud is a number", "token.audience", &|a| a["aud"] = 1.into()),
        ("no aud", "token.audience", &|a| without(a, "aud")),
        ("another iss", "token.issuer", &|a| a["iss"] = "https://evil.example".into()),
        ("iss is a number", "token.invalid_claim", &|a| a["iss"] = 1.into()),
        ("scope is a list", "token.invalid_claim", &|a| a["scope"] = json!(["notes:read"])),
        ("another jkt", "binding.key_mismatch", &|a| {
            a["cnf"]["jkt"] = DpopKey::generate(Algorithm::ES256).unwrap().thumbprint().to_string().into();
        }),
        ("cnf is text", "confirmation.not_object", &|a| a["cnf"] = "x".into()),
        ("cnf is empty", "confirmation.no_known_method", &|a| a["cnf"] = json!({})),
        ("no cnf", "confirmation.missing", &|a| {
            without(a, "cnf");
            without(a, "token_type");
        }),
        ("INTRO-05 a jkt and Bearer", "token.token_type", &|a| a["token_type"] = "Bearer".into()),
        ("INTRO-05 a jkt and another type", "token.token_type", &|a| a["token_type"] = "N_A".into()),
        ("INTRO-05 DPoP and no cnf", "token.token_type", &|a| without(a, "cnf")),
        ("INTRO-05 a number", "token.invalid_claim", &|a| a["token_type"] = 1.into()),
        ("authorization_details", "token.invalid_claim", &|a| a["authorization_details"] = json!([1])),
    ];
    for (number, (row, code, change)) in rows.into_iter().enumerate() {
        scene.says(change);
        scene.send(&format!("bad-{number}")).await.is(Expected::Token, &format!("INTRO-03 {row}")).coded(code, row);
    }
    let twins: [(&str, Change<'_>); 8] = [
        ("as it is", &|_| {}),
        ("aud is a list", &|a| a["aud"] = json!(["https://other.example", AUDIENCE])),
        ("no iss", &|a| without(a, "iss")),
        ("no sub", &|a| without(a, "sub")),
        ("no client_id", &|a| without(a, "client_id")),
        ("no token_type", &|a| without(a, "token_type")),
        ("token_type in another case", &|a| a["token_type"] = "dpop".into()),
        ("no exp", &|a| without(a, "exp")),
    ];
    for (number, (row, change)) in twins.into_iter().enumerate() {
        scene.says(change);
        scene.send(&format!("good-{number}")).await.is(Expected::Ok, &format!("INTRO-03 {row}"));
    }
    let lenient = scene_with(Introspection::allow_missing_aud, |builder| builder);
    lenient.says(|a| without(a, "aud"));
    lenient.send(TOKEN).await.is(Expected::Ok, "INTRO-03 no aud, allowed");
    lenient.says(|a| a["aud"] = "https://other.example".into());
    lenient.send("another").await.is(Expected::Token, "INTRO-03 another aud is never allowed");
}

/// INTRO-06, X-62: a revoked token is accepted for that time at most.
#[tokio::test]
async fn caches_responses_for_the_configured_time_and_never_past_exp() {
    let scene = scene();
    scene.send(TOKEN).await.is(Expected::Ok, "asked");
    scene.says(|a| *a = json!({ "active": false }));
    scene.api.clock.advance(9);
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-06 within 10 s");
    assert_eq!(scene.server.asked(), 1);
    scene.api.clock.advance(1);
    scene.send(TOKEN).await.is(Expected::Token, "INTRO-06 X-62 a revoked token, after 10 s");
    assert_eq!(scene.server.asked(), 2);

    // Inactive for two seconds, then asked again.
    scene.says(|_| {});
    scene.api.clock.advance(1);
    scene.send(TOKEN).await.is(Expected::Token, "INTRO-06 negative cache").coded("token.inactive", "INTRO-06");
    assert_eq!(scene.server.asked(), 2);
    scene.api.clock.advance(1);
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-06 after 2 s");
    assert_eq!(scene.server.asked(), 3);

    let long = scene_with(|i| i.cache_for(Duration::from_secs(60)), |builder| builder);
    for (token, exp) in [("with-exp", Some(NOW + 2)), ("without-exp", None)] {
        long.api.clock.set_wall_clock(NOW);
        long.says(|a| match exp {
            Some(exp) => a["exp"] = exp.into(),
            None => without(a, "exp"),
        });
        long.send(token).await.is(Expected::Ok, token);
        long.api.clock.advance(1);
        long.send(token).await.is(Expected::Ok, token);
        long.api.clock.advance(1);
        let expected = if exp.is_some() { Expected::Token } else { Expected::Ok };
        long.send(token).await.is(expected, &format!("INTRO-06 {token}: exp in 2 s, cached for 60 s"));
    }

    let never = scene_with(|i| i.cache_for(Duration::ZERO), |builder| builder);
    for asked in 1..=3 {
        never.send(TOKEN).await.is(Expected::Ok, "not cached");
        assert_eq!(never.server.asked(), asked, "INTRO-06 cache_for(0) asks every time");
    }
}

/// INTRO-07, X-69: an outage of the server never lets a token pass.
#[tokio::test]
async fn a_missing_response_is_503_and_opens_the_circuit() {
    for (row, wait, reply) in [
        ("connection", 0, Err(FetchError::Connection)),
        ("timeout", 0, Err(FetchError::Timeout)),
        ("500", 0, Err(FetchError::Status(500))),
        ("429", 0, Err(FetchError::Status(429))),
        ("our credentials are rejected", 0, Err(FetchError::ClientRefused(401))),
        ("INTRO-01 302", 2, Err(FetchError::Status(302))),
        ("401 of the server is not the client's", 2, Err(FetchError::Status(401))),
        ("too long", 2, Err(FetchError::TooLong)),
        ("HTML", 2, Ok(FetchResponse::new("<html>").content_type("text/html"))),
        ("JSON of another type", 2, Ok(FetchResponse::new(r#"{"active":true}"#).content_type("text/plain"))),
        ("no type", 2, Ok(FetchResponse::new(r#"{"active":true}"#))),
    ] {
        let scene = scene();
        scene.server.replies(reply);
        scene.send(TOKEN).await.is(Expected::Down, &format!("INTRO-07 {row}"));
        scene.says(|_| {});
        scene.api.clock.advance(wait);
        scene.send(TOKEN).await.is(Expected::Ok, &format!("INTRO-07 the twin of {row}, {wait} s later"));
    }
    let scene = scene();
    scene.server.replies(Err(FetchError::Status(500)));
    for _ in 0..10 {
        scene.send(TOKEN).await.is(Expected::Down, "INTRO-07");
    }
    assert_eq!(scene.server.asked(), 10);
    scene.says(|_| {});
    scene.send(TOKEN).await.is(Expected::Down, "INTRO-07 the circuit is open");
    assert_eq!(scene.server.asked(), 10, "INTRO-07 nobody is asked");
    scene.api.clock.advance(5);
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-07 one probes, and the circuit closes");
    scene.send("another").await.is(Expected::Ok, "closed");
}

/// INTRO-07: until their time is over.
#[tokio::test]
async fn an_outage_does_not_affect_cached_tokens() {
    let scene = scene();
    scene.send(TOKEN).await.is(Expected::Ok, "asked");
    scene.server.replies(Err(FetchError::Connection));
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-07 still within its time");
    scene.api.clock.advance(10);
    scene.send(TOKEN).await.is(Expected::Down, "INTRO-07 fail closed");
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
    scene.api.send(bearer).await.is(Expected::Token, "INTRO-08 Bearer is no scheme here");
    assert_eq!(scene.server.asked(), 0, "INTRO-08");
    let stolen = proof(&wrong_key).url(URL).for_token(TOKEN).issued_at(NOW).mint();
    scene.api.with(TOKEN, &stolen).await.is(Expected::Token, "another key: only the server knows whose the token is");
    assert_eq!(scene.server.asked(), 1);
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
    settle().await;
    assert_eq!(scene.server.asked(), 3, "INTRO-08 no more than three at a time");
    scene.server.gate.add_permits(1_000);
    for answer in same.into_iter().chain(others) {
        assert_eq!(answer.await.unwrap(), 200);
    }
    assert_eq!(scene.server.asked(), 11, "INTRO-08 one question per token");
}

/// INTRO-07, INTRO-08, X-63: waiting in the queue is no failure of the server.
#[tokio::test(start_paused = true)]
async fn a_flood_of_tokens_waits_in_a_short_queue_and_opens_no_circuit() {
    let scene = Arc::new(scene_with(|i| i.max_concurrent(2), |builder| builder));
    scene.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    let flood: Vec<_> = (0..100)
        .map(|number| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.send(&format!("random-{number}")).await.status.as_u16() })
        })
        .collect();
    settle().await;
    assert_eq!(scene.server.asked(), 2, "INTRO-08 two at a time");
    assert_eq!(
        flood.iter().filter(|request| request.is_finished()).count(),
        90,
        "INTRO-08 eight wait, the rest does not"
    );
    // The server answers each question just in time, so that others give up waiting.
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_secs(4)).await;
        scene.server.gate.add_permits(1);
        settle().await;
        scene.server.gate.forget_permits(1);
    }
    scene.server.gate.add_permits(1_000);
    let mut statuses = Vec::new();
    for request in flood {
        statuses.push(request.await.unwrap());
    }
    assert!(statuses.contains(&200) && statuses.iter().filter(|status| **status == 503).count() >= 90, "{statuses:?}");
    scene.send(TOKEN).await.is(Expected::Ok, "INTRO-07 waiting in line is not the server's failure");
}

/// INTRO-07, X-63: 400, 413 and an oversized response.
#[tokio::test]
async fn a_status_about_one_token_does_not_open_the_circuit() {
    for (row, error) in [
        ("400", FetchError::Status(400)),
        ("413", FetchError::Status(413)),
        ("an answer about it is too long", FetchError::TooLong),
    ] {
        let scene = scene();
        scene.server.replies(Err(error));
        for number in 0..20 {
            scene.send(&format!("odd-{number}")).await.is(Expected::Down, &format!("INTRO-07 {row}"));
        }
        scene.says(|_| {});
        scene.send(TOKEN).await.is(Expected::Ok, &format!("INTRO-07 {row}: the server is there"));
    }
}

/// INTRO-05, INTRO-07: the next response counts.
#[tokio::test]
async fn a_response_that_fails_a_check_is_not_remembered() {
    let scene = scene();
    type Change = fn(&mut Value);
    let rows: [(&str, Change); 5] = [
        ("exp is text", |a| a["exp"] = "soon".into()),
        ("expired", |a| a["exp"] = 1.into()),
        ("another resource", |a| a["aud"] = "https://other.example".into()),
        ("INTRO-05 a contradiction", |a| a["token_type"] = "Bearer".into()),
        ("cnf is text", |a| a["cnf"] = "x".into()),
    ];
    for (row, change) in rows {
        scene.says(change);
        scene.send(row.split(' ').next().unwrap()).await.is(Expected::Token, row);
        scene.says(|_| {});
        scene.send(row.split(' ').next().unwrap()).await.is(Expected::Ok, &format!("{row}: the next answer counts"));
    }
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
    settle().await;
    first.abort();
    assert!(first.await.is_err());
    scene.server.gate.add_permits(1_000);
    settle().await;
    scene.send(TOKEN).await.is(Expected::Ok, "the answer came all the same");
    assert_eq!(scene.server.asked(), 1);
}

pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
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
        ("an algorithm that is not taken", |t| t.header("alg", "HS256")),
        ("crit", |t| t.header("crit", json!(["x"]))),
        ("claims that cannot be read", |t| t.raw_payload(r#"{"iss":"a","iss":"b"}"#)),
    ];
    for (row, change) in odd {
        let token = change(local.token().audience(AUDIENCE).bound_to(&api.key)).mint();
        api.with_token(&token).await.is(Expected::Token, &format!("INTRO-09 {row}"));
    }
    for spoiled in [format!("{local_token}="), format!("{local_token}A")] {
        api.with_token(&spoiled).await.is(Expected::Token, "INTRO-09 X-62 a local JWT with something behind it");
    }
    assert_eq!(server.asked(), 0, "INTRO-09");
    server.says(
        json!({
            "active": true, "aud": AUDIENCE, "exp": NOW + 60, "cnf": { "jkt": api.key.thumbprint().to_string() },
        })
        .to_string(),
    );
    api.with_token(TOKEN).await.is(Expected::Ok, "an opaque token goes to the one issuer that is asked");
    let jwt_of_asked = api.token().mint();
    api.with_token(&jwt_of_asked).await.is(Expected::Ok, "and so does a JWT of that issuer");
    assert_eq!(server.asked(), 2);

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
    assert_eq!(scene.server.asked(), 0, "a failed JWT is not retried at the server");
    scene.send(TOKEN).await.is(Expected::Ok, "an opaque token");
    scene.send("a.b.c").await.is(Expected::Ok, "three segments that are no JWS");
    assert_eq!(scene.server.asked(), 2);

    let every = self::scene();
    every.send(&every.api.token().mint()).await.is(Expected::Ok, "asked about, although it is a JWT");
    assert_eq!(every.server.asked(), 1);
    every.says(|a| *a = json!({ "active": false }));
    every.send(&every.api.token().claim("jti", "another").mint()).await.is(Expected::Token, "and the answer counts");
}

/// INTRO-10, INTRO-11, INTRO-12, X-62: with `require_signed`, plain JSON is rejected.
#[tokio::test]
async fn accepts_only_fresh_responses_that_the_issuer_signed_for_us() {
    let scene = scene_with(Introspection::require_signed, |builder| builder);
    let jwt = |change: &dyn Fn(TokenMint) -> TokenMint| {
        let mint = scene.api.server.token().header("typ", "token-introspection+jwt").without("sub").without("exp");
        change(mint.claim("aud", "api").claim("token_introspection", scene.active())).mint()
    };
    let reply = |body: String| Ok(FetchResponse::new(body).content_type("application/token-introspection+jwt"));
    for (row, audience) in [("our client_id", json!("api")), ("our audience", json!(["x", AUDIENCE]))] {
        scene.server.replies(reply(jwt(&|m| m.claim("aud", audience.clone()))));
        scene.send(&format!("good-{}", row.len())).await.is(Expected::Ok, &format!("INTRO-11 {row}"));
    }
    assert_eq!(scene.server.questions.lock().unwrap()[0].accept, "application/token-introspection+jwt", "INTRO-10");
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    type Change<'c> = &'c dyn Fn(TokenMint) -> TokenMint;
    let rows: [(&str, Change<'_>); 15] = [
        ("typ JWT", &|m| m.header("typ", "JWT")),
        ("typ at+jwt", &|m| m.header("typ", "at+jwt")),
        ("no typ", &|m| m.without_header("typ")),
        ("alg none", &|m| m.alg_none()),
        ("a flipped bit", &|m| m.tampered_signature()),
        ("signed by somebody", &|m| m.signed_by(&other)),
        ("another iss", &|m| m.claim("iss", "https://evil.example")),
        ("no iss", &|m| m.without("iss")),
        ("another aud", &|m| m.claim("aud", "other")),
        ("no aud", &|m| m.without("aud")),
        ("old", &|m| m.claim("iat", NOW - 120)),
        ("from the future", &|m| m.claim("iat", NOW + 120)),
        ("no iat", &|m| m.without("iat")),
        ("no token_introspection", &|m| m.without("token_introspection")),
        ("token_introspection is text", &|m| m.claim("token_introspection", "active")),
    ];
    for (number, (row, change)) in rows.into_iter().enumerate() {
        scene.server.replies(reply(jwt(change)));
        scene.send(&format!("bad-{number}")).await.is(Expected::Down, &format!("INTRO-11 {row}"));
        scene.server.replies(reply(jwt(&|m| m)));
        scene.send(&format!("reset-{number}")).await.is(Expected::Ok, "keeps the circuit closed");
    }
    scene.server.says(scene.active().to_string());
    scene.send("plain").await.is(Expected::Down, "INTRO-12 X-62 plain JSON where a signature is required");
    scene.server.replies(Ok(FetchResponse::new(jwt(&|m| m)).content_type("application/jwt")));
    scene.send("type").await.is(Expected::Down, "INTRO-11 another content type");
    scene.server.replies(reply(jwt(&|m| m.claim("token_introspection", json!({ "active": false })))));
    scene.send("inactive").await.is(Expected::Token, "INTRO-11 signed and inactive");
}

/// INTRO-15: a second parser could read a duplicate otherwise.
#[tokio::test]
async fn rejects_responses_with_duplicate_members_or_beyond_the_limits() {
    let scene = scene();
    let jkt = scene.api.key.thumbprint();
    let base = format!(r#""aud":"{AUDIENCE}","exp":{},"cnf":{{"jkt":"{jkt}"}}"#, NOW + 60);
    for (row, body) in [
        ("active twice", format!(r#"{{"active":true,"active":true,{base}}}"#)),
        ("cnf.jkt twice", format!(r#"{{"active":true,"aud":"{AUDIENCE}","cnf":{{"jkt":"{jkt}","jkt":"{jkt}"}}}}"#)),
        ("enormous", format!(r#"{{"active":true,"pad":"{}",{base}}}"#, "x".repeat(70_000))),
        ("deep", format!(r#"{{"active":true,"pad":{}1{},{base}}}"#, "[".repeat(50), "]".repeat(50))),
        ("trailing data", format!(r#"{{"active":true,{base}}} x"#)),
    ] {
        scene.server.says(body);
        scene.send(TOKEN).await.is(Expected::Down, &format!("INTRO-15 {row}"));
        scene.api.clock.advance(2);
    }
    scene.server.says(format!(r#"{{"active":true,{base}}}"#));
    scene.send(TOKEN).await.is(Expected::Ok, "the twin");
}

/// INTRO-14: as they do in a JWT.
#[tokio::test]
async fn acr_and_auth_time_of_a_response_satisfy_step_up() {
    let scene = scene();
    scene.says(|a| {
        a["acr"] = "mfa".into();
        a["auth_time"] = NOW.into();
    });
    let token = scene.send(TOKEN).await.is(Expected::Ok, "INTRO-14").token.unwrap();
    let strong = || tower_pop::RequireAcr::any(["mfa"]).and(tower_pop::RequireMaxAge::new(Duration::from_secs(60)));
    assert!(token.require(strong()).is_ok(), "INTRO-14");
    scene.says(|a| a["acr"] = "pwd".into());
    let weak = scene.send("weak").await.is(Expected::Ok, "INTRO-14").token.unwrap();
    assert_eq!(weak.require(strong()).unwrap_err().error().code(), "step_up.acr", "INTRO-14");
}

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
    send(TOKEN, None).await.is(Expected::Token, "without a certificate nobody is asked");
    assert_eq!(scene.server.asked(), 0, "INTRO-08");
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
    let answer = report.api.with(TOKEN, "garbage").await.is(Expected::Ok, "ReportOnly asks even with a bad proof");
    assert_eq!(answer.token.unwrap().proof().kind(), ProofKind::Unproven);
}

/// INTRO-01: neither sends `Authorization`.
#[tokio::test]
async fn the_resource_server_can_authenticate_by_assertion_or_certificate() {
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    let by_key = scene_with(|i| i.private_key_jwt("api", key.clone()), |builder| builder);
    by_key.send(TOKEN).await.is(Expected::Ok, "private_key_jwt");
    let form = by_key.server.questions.lock().unwrap()[0].form.clone().unwrap();
    let parameter = |name: &str| form.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
    assert_eq!(parameter("client_id"), "api");
    let assertion = parameter("client_assertion");
    let jws = tower_pop::pop_core::jose::DecodedJws::parse(assertion, 4096).unwrap();
    let claims: Value = serde_json::from_slice(jws.payload()).unwrap();
    assert_eq!((&claims["aud"], &claims["sub"], &claims["exp"]), (&json!(ISSUER), &json!("api"), &json!(NOW + 60)));
    assert!(by_key.server.questions.lock().unwrap()[0].authorization.is_none());

    let by_certificate = scene_with(|i| i.mutual_tls("api"), |builder| builder);
    by_certificate.send(TOKEN).await.is(Expected::Ok, "mutual TLS");
    let question = by_certificate.server.questions.lock().unwrap()[0].clone();
    assert!(question.form.unwrap().ends_with("&client_id=api") && question.authorization.is_none());
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
        let refused = build(at(url));
        assert!(matches!(&refused, Err(ConfigError::IntrospectionEndpoint { endpoint, .. }) if endpoint == url));
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
