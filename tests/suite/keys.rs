//! The key cache: ATK-24..29, META-17, X-13, with a manual clock and a scripted fetch; nothing sleeps.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use pop_authserver::{DpopKey, TestAuthServer};
use serde_json::json;
use tokio::sync::Semaphore;
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{IatPolicy, IssuerConfig, Mode, NoncePolicy, PopConfigBuilder};

use crate::support::{AUDIENCE, Api, Expected, ISSUER, NOW, api_for, request};

const JWKS: &str = "https://as.example/jwks";
const METADATA: &str = "https://as.example/.well-known/oauth-authorization-server";
const OPENID: &str = "https://as.example/.well-known/openid-configuration";

type Document = Result<(String, Option<String>), FetchError>;

/// Answers from a table, counts, and can be made to wait.
#[derive(Clone)]
struct Script {
    documents: Arc<Mutex<HashMap<String, Document>>>,
    requests: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Script {
    fn new() -> Self {
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { documents: Arc::default(), requests: Arc::default(), gate }
    }

    fn set(&self, url: &str, document: Document) {
        self.documents.lock().unwrap().insert(url.to_owned(), document);
    }

    fn serve(&self, url: &str, body: impl Into<String>) {
        self.set(url, Ok((body.into(), None)));
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl HttpFetch for Script {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let script = self.clone();
        Box::pin(async move {
            let _open = script.gate.acquire().await;
            let document = script.documents.lock().unwrap().get(&request.url).cloned();
            let (body, cache_control) = document.unwrap_or(Err(FetchError::Status(404)))?;
            if body.len() > request.max_len {
                return Err(FetchError::TooLong);
            }
            let response = FetchResponse::new(body);
            Ok(match cache_control {
                Some(value) => response.cache_control(value),
                None => response,
            })
        })
    }
}

fn api(script: &Script, configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> Api {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    script.serve(JWKS, server.jwks_json());
    let issuer = IssuerConfig::new(ISSUER).jwks_uri(JWKS);
    api_for(server, issuer, |builder| configure(builder.http_fetch(script.clone())))
}

async fn fetched(script: &Script) -> Api {
    let api = api(script, |builder| builder);
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "the first request fetches");
    assert_eq!(script.requests(), 1);
    api
}

/// Lets the background task run.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_used_while_fresh() {
    let script = Script::new();
    let api = fetched(&script).await;
    for _ in 0..20 {
        api.with_token(&api.token().mint()).await.is(Expected::Ok, "warm");
    }
    assert_eq!(script.requests(), 1);
}

#[tokio::test]
async fn atk_26_an_unknown_kid_causes_one_fetch_per_cool_down() {
    let script = Script::new();
    let api = fetched(&script).await;
    let unknown = |i: usize| api.token().header("kid", format!("random-{i}")).mint();
    for i in 0..200 {
        api.with_token(&unknown(i)).await.is(Expected::Token, "ATK-26 X-13").coded("token.unknown_key", "ATK-26");
    }
    assert_eq!(script.requests(), 1, "within the cool-down after a good fetch nothing is fetched");
    api.clock.advance(31);
    let token = |i: usize| api.token().claim("iat", NOW).header("kid", format!("later-{i}")).mint();
    for i in 0..200 {
        api.with_token(&token(i)).await.is(Expected::Token, "ATK-26");
    }
    assert_eq!(script.requests(), 2, "one more after the cool-down");
}

#[tokio::test]
async fn atk_26_rotation_is_noticed_after_the_cool_down() {
    let script = Script::new();
    let api = fetched(&script).await;
    api.server.rotate_keys().unwrap();
    script.serve(JWKS, api.server.jwks_json());
    api.with_token(&api.token().mint()).await.is(Expected::Token, "too soon");
    api.clock.advance(31);
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "AS-29 the new key is found");
    assert_eq!(script.requests(), 2);
}

#[tokio::test]
async fn atk_26_an_unknown_kid_is_503_while_the_refresh_fails() {
    let script = Script::new();
    let api = fetched(&script).await;
    let known = api.token().mint();
    api.clock.advance(31);
    script.set(JWKS, Err(FetchError::Timeout));
    let unknown = api.token().header("kid", "rotated").mint();
    for _ in 0..50 {
        let answer = api.with_token(&unknown).await.is(Expected::Down, "ATK-26 ERR-13");
        answer.coded("unavailable.key_refresh", "ATK-26");
    }
    assert_eq!(script.requests(), 2, "a failure is not retried at once");
    api.with_token(&known).await.is(Expected::Ok, "known keys go on");
    api.clock.advance(6);
    api.with_token(&unknown).await.is(Expected::Down, "again");
    assert_eq!(script.requests(), 3);
}

#[tokio::test]
async fn atk_27_stale_keys_serve_until_their_end_and_then_503() {
    let script = Script::new();
    let api = fetched(&script).await;
    script.set(JWKS, Err(FetchError::Connection));
    api.clock.advance(301);
    let token = || api.token().claim("exp", NOW + 100_000).mint();
    api.with_token(&token()).await.is(Expected::Ok, "ATK-27 stale-if-error");
    settle().await;
    assert_eq!(script.requests(), 2, "refreshed in the background");
    api.clock.advance(3590);
    api.with_token(&token()).await.is(Expected::Ok, "ATK-27 just before the end");
    settle().await;
    api.clock.advance(20);
    let answer = api.with_token(&token()).await.is(Expected::Down, "ATK-27 X-69 after the end");
    answer.coded("unavailable.keys", "ATK-27");
    script.serve(JWKS, api.server.jwks_json());
    api.clock.advance(6);
    api.with_token(&token()).await.is(Expected::Ok, "back again");
}

#[tokio::test]
async fn atk_27_atk_29_a_removed_key_stops_working_even_for_cached_tokens() {
    let script = Script::new();
    let api = fetched(&script).await;
    let old = api.token().claim("exp", NOW + 100_000).mint();
    api.with_token(&old).await.is(Expected::Ok, "cached");
    api.server.rotate_keys().unwrap();
    api.server.drop_old_keys();
    script.serve(JWKS, api.server.jwks_json());
    api.clock.advance(301);
    api.with_token(&old).await.is(Expected::Ok, "served while it refreshes");
    settle().await;
    api.with_token(&old).await.is(Expected::Token, "ATK-29 the key is gone").coded("token.unknown_key", "ATK-29");
    let fresh = api.token().claim("exp", NOW + 100_000).mint();
    api.with_token(&fresh).await.is(Expected::Ok, "the new key works");
}

#[tokio::test]
async fn atk_21_cnf_10_x_04_x_35_no_url_in_a_token_or_proof_is_fetched() {
    let script = Script::new();
    let api = fetched(&script).await;
    api.clock.advance(31); // the cool-down is over: an unknown kid would be worth a fetch now
    let evil = "https://evil.example/jwks";
    let jku = |api: &Api| json!({ "jku": "http://169.254.169.254", "jkt": api.key.thumbprint().to_string() });
    for (row, token) in [
        ("ATK-21 jku", api.token().header("jku", evil).signed_by(&api.key)),
        ("ATK-21 x5u", api.token().header("x5u", evil).signed_by(&api.key)),
        ("ATK-21 jwk", api.token().header("jwk", api.key.public_jwk()).signed_by(&api.key)),
        ("ATK-21 x5c", api.token().header("x5c", json!(["AA"])).signed_by(&api.key)),
        ("CNF-10 jku", api.token().claim("cnf", jku(&api))),
    ] {
        api.with_token(&token.mint()).await.is(Expected::Token, row);
    }
    let token = api.token().mint();
    let by_url = api.proof(&token).without_header("jwk").header("jku", evil).mint();
    api.with(&token, &by_url).await.is(Expected::Proof, "DPOP-06 jku");
    settle().await;
    assert_eq!(script.requests(), 1, "ATK-21 CNF-10");
    let harmless = api.token().header("jku", evil).mint();
    api.with_token(&harmless).await.is(Expected::Ok, "the twin: signed by the issuer's key, the URL is not looked at");
    assert_eq!(script.requests(), 1, "ATK-21");
}

#[tokio::test]
async fn atk_24_an_answer_without_a_usable_key_changes_nothing() {
    let script = Script::new();
    let api = fetched(&script).await;
    let token = api.token().claim("exp", NOW + 100_000).mint();
    for (row, body) in [
        ("HTML", "<html>".to_owned()),
        ("empty set", r#"{"keys":[]}"#.to_owned()),
        ("only unusable keys", r#"{"keys":[{"kty":"oct","k":"AA"}]}"#.to_owned()),
        ("65 keys", json!({ "keys": vec![json!({ "kty": "XYZ" }); 65] }).to_string()),
        ("duplicate members", format!("{{\"keys\":[],{}", &api.server.jwks_json()[1..])),
        ("ATK-25 too long", format!("{}{}", api.server.jwks_json(), " ".repeat(600_000))),
    ] {
        script.serve(JWKS, body);
        api.clock.advance(306);
        api.with_token(&token).await.is(Expected::Ok, row);
        settle().await;
        api.with_token(&token).await.is(Expected::Ok, row);
    }
}

#[tokio::test]
async fn a_stampede_of_first_requests_causes_one_fetch() {
    let script = Script::new();
    let gate = Arc::new(Semaphore::new(0));
    let script = Script { gate: Arc::clone(&gate), ..script };
    let api = Arc::new(api(&script, |builder| builder));
    let requests: Vec<_> = (0..1000)
        .map(|_| {
            let api = Arc::clone(&api);
            tokio::spawn(async move {
                let token = api.token().mint();
                api.send_through(&api.cfg, request(&token, &api.proof(&token).mint())).await.status
            })
        })
        .collect();
    settle().await;
    assert_eq!(script.requests(), 1);
    gate.add_permits(1);
    for request in requests {
        assert_eq!(request.await.unwrap(), 200);
    }
    assert_eq!(script.requests(), 1, "single flight");
}

#[tokio::test]
async fn a_cancelled_request_does_not_cancel_the_fetch() {
    let script = Script::new();
    let gate = Arc::new(Semaphore::new(0));
    let script = Script { gate: Arc::clone(&gate), ..script };
    let api = Arc::new(api(&script, |builder| builder));
    let first = tokio::spawn({
        let api = Arc::clone(&api);
        async move { api.with_token(&api.token().mint()).await.status }
    });
    settle().await;
    first.abort();
    assert!(first.await.is_err());
    gate.add_permits(1);
    settle().await;
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "the fetch went on");
    assert_eq!(script.requests(), 1);
}

/// Panics on the first request, then answers.
struct Fragile(Script, AtomicUsize);

impl HttpFetch for Fragile {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let first = self.1.fetch_add(1, Ordering::SeqCst) == 0;
        let answer = self.0.fetch(request);
        Box::pin(async move {
            assert!(!first, "a broken client");
            answer.await
        })
    }
}

#[tokio::test]
async fn a_client_that_panics_does_not_end_fetching() {
    let script = Script::new();
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    script.serve(JWKS, server.jwks_json());
    let fragile = Fragile(script, AtomicUsize::new(0));
    let api = api_for(server, IssuerConfig::new(ISSUER).jwks_uri(JWKS), |builder| builder.http_fetch(fragile));
    api.with_token(&api.token().mint()).await.is(Expected::Down, "the first one panics");
    api.with_token(&api.token().mint()).await.is(Expected::Down, "and counts as a failure");
    api.clock.advance(6);
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "the second one does not");
}

#[tokio::test]
async fn report_only_and_nonce_only_reach_cold_keys_too() {
    let script = Script::new();
    let report = api(&script, |builder| builder.mode(Mode::ReportOnly));
    let token = report.token().mint();
    let wrong = report.proof(&token).url("https://internal.example/notes").mint();
    report
        .with(&token, &wrong)
        .await
        .is(Expected::Ok, "a wrong proof passes as unproven, with cold keys as with warm ones");
    let script = Script::new();
    let nonce_only = api(&script, |builder| {
        builder.nonce(NoncePolicy::Required).nonce_keys([[7; 32]]).iat_policy(IatPolicy::NonceOnly)
    });
    let answer =
        nonce_only.with_proof(|proof| proof.issued_at(1)).await.is(Expected::Nonce, "a bad clock gets its nonce");
    assert_eq!(script.requests(), 0, "and nobody is asked before there is one");
    let nonce = answer.headers["dpop-nonce"].to_str().unwrap().to_owned();
    nonce_only.with_proof(|proof| proof.issued_at(1).nonce(&nonce)).await.is(Expected::Ok, "NONCE-12 with cold keys");
    assert_eq!(script.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn atk_25_a_client_that_hangs_is_given_up() {
    let script = Script { gate: Arc::new(Semaphore::new(0)), ..Script::new() };
    let api = api(&script, |builder| builder);
    api.with_token(&api.token().mint())
        .await
        .is(Expected::Down, "ATK-25 slow loris")
        .coded("unavailable.keys", "ATK-25");
}

#[test]
fn outside_of_a_runtime_requests_are_refused_and_nothing_panics() {
    let script = Script::new();
    let api = api(&script, |builder| builder);
    let token = api.token().mint();
    let (parts, ()) = request(&token, &api.proof(&token).mint()).into_parts();
    let tower_pop::Verification::Later(verdict) = api.cfg.verify(&parts) else { panic!("keys are not in memory") };
    let verdict = futures_util::FutureExt::now_or_never(verdict).unwrap();
    assert_eq!(verdict.unwrap_err().status(), 503);
    assert_eq!(script.requests(), 0);
}

#[tokio::test]
async fn a_request_that_is_wrong_anyway_causes_no_fetch() {
    let script = Script::new();
    let api = api(&script, |builder| builder);
    let token = api.token().mint();
    let other = DpopKey::generate(pop_authserver::Algorithm::ES256).unwrap();
    for (row, token, proof) in [
        ("bad signature", token.clone(), api.proof(&token).tampered_signature().mint()),
        ("htm", token.clone(), api.proof(&token).method("PUT").mint()),
        ("htu", token.clone(), api.proof(&token).url("https://evil.example/").mint()),
        ("iat", token.clone(), api.proof(&token).issued_at(1).mint()),
        ("ath", token.clone(), api.proof("another").mint()),
        ("no proof", token.clone(), "x".to_owned()),
    ] {
        api.with(&token, &proof).await.is(Expected::Proof, row);
    }
    for (row, token) in [
        ("unknown issuer", api.token().claim("iss", "https://evil.example").mint()),
        ("audience", api.token().audience("https://other.example").mint()),
        ("expired", api.token().expires_in(-100).mint()),
        ("unbound", api.token().without("cnf").signed_by(&other).mint()),
    ] {
        let answer = api.with_token(&token).await;
        assert_eq!(answer.status, 401, "{row} {:?}", answer.code);
    }
    assert_eq!(script.requests(), 0, "X-63");
    api.with_token(&token).await.is(Expected::Ok, "the twin");
    assert_eq!(script.requests(), 1);
}

#[tokio::test]
async fn bearer_requests_wait_for_keys_too() {
    let script = Script::new();
    let api = api(&script, |builder| builder.mode(Mode::AllowBearer));
    let token = api.token().without("cnf").mint();
    let mut bearer = request(&token, "x");
    bearer.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    api.send(bearer).await.is(Expected::Ok, "an unbound token in mode AllowBearer");
    assert_eq!(script.requests(), 1);
}

#[tokio::test]
async fn cache_control_is_followed_within_bounds() {
    for (cache_control, fresh_for) in [("max-age=120", 120), ("max-age=1", 60), ("public, Max-Age=\"999999\"", 3600)] {
        let script = Script::new();
        let api = api(&script, |builder| builder);
        script.set(JWKS, Ok((api.server.jwks_json(), Some(cache_control.to_owned()))));
        let token = api.token().claim("exp", NOW + 100_000).mint();
        api.with_token(&token).await.is(Expected::Ok, cache_control);
        api.clock.advance(fresh_for - 1);
        api.with_token(&token).await.is(Expected::Ok, cache_control);
        settle().await;
        assert_eq!(script.requests(), 1, "{cache_control}: still fresh");
        api.clock.advance(1);
        api.with_token(&token).await.is(Expected::Ok, cache_control);
        settle().await;
        assert_eq!(script.requests(), 2, "{cache_control}: refreshed");
    }
}

#[tokio::test]
async fn atk_28_meta_17_discovery_checks_the_issuer() {
    let discover = |script: &Script| {
        let server = TestAuthServer::offline_at(ISSUER, NOW);
        script.serve(JWKS, server.jwks_json());
        api_for(server, IssuerConfig::new(ISSUER), |builder| builder.http_fetch(script.clone()))
    };
    let metadata = |issuer: &str, jwks_uri: &str| json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string();
    for url in [METADATA, OPENID] {
        let script = Script::new();
        let api = discover(&script);
        script.serve(url, metadata(ISSUER, JWKS));
        api.with_token(&api.token().mint()).await.is(Expected::Ok, url);
    }
    for (row, document) in [
        ("ATK-28 another issuer", metadata("https://as.example/", JWKS)),
        ("ATK-25 plain http", metadata(ISSUER, "http://as.example/jwks")),
        ("X-64 loopback http for an https issuer", metadata(ISSUER, "http://127.0.0.1/jwks")),
        ("no jwks_uri", json!({ "issuer": ISSUER }).to_string()),
        ("duplicate issuer", format!("{{\"issuer\":\"x\",{}", &metadata(ISSUER, JWKS)[1..])),
        ("HTML", "<html>".to_owned()),
    ] {
        let script = Script::new();
        let api = discover(&script);
        script.serve(METADATA, document);
        api.with_token(&api.token().mint()).await.is(Expected::Down, row);
        assert_eq!(script.requests(), 1, "{row}: the keys are not even asked for");
    }
    let script = Script::new();
    let api = discover(&script);
    script.set(METADATA, Err(FetchError::Status(302)));
    api.with_token(&api.token().mint()).await.is(Expected::Down, "ATK-25 redirects are not followed");
    let tenant = "https://as.example/tenant";
    let script = Script::new();
    let server = TestAuthServer::offline_at(tenant, NOW);
    script.serve(JWKS, server.jwks_json());
    script.serve(&format!("{METADATA}/tenant"), metadata(tenant, JWKS));
    let api = api_for(server, IssuerConfig::new(tenant), |builder| builder.http_fetch(script.clone()));
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "META-17 an issuer with a path");
}

#[tokio::test]
async fn keys_over_real_sockets() {
    let server = TestAuthServer::start().await;
    let issuer = server.issuer().to_owned();
    let cfg = tower_pop::PopConfig::builder(issuer.as_str(), AUDIENCE).build().unwrap();
    let key = DpopKey::generate(pop_authserver::Algorithm::ES256).unwrap();
    let token = server.token().audience(AUDIENCE).bound_to(&key).mint();
    let send = || {
        let proof = pop_authserver::proof(&key).url(crate::support::URL).for_token(&token).mint();
        let (parts, ()) = request(&token, &proof).into_parts();
        let cfg = cfg.clone();
        async move {
            match cfg.verify(&parts) {
                tower_pop::Verification::Now(verdict) => verdict,
                tower_pop::Verification::Later(verdict) => verdict.await,
            }
        }
    };
    server.set_outage(true);
    assert_eq!(send().await.unwrap_err().status(), 503, "the server is down");
    server.set_outage(false);
    assert_eq!(send().await.unwrap_err().status(), 503, "and is not asked again at once");
    assert_eq!(server.jwks_requests(), 0);
    let cfg = tower_pop::PopConfig::builder(issuer.as_str(), AUDIENCE).build().unwrap();
    let proof = pop_authserver::proof(&key).url(crate::support::URL).for_token(&token).mint();
    let (parts, ()) = request(&token, &proof).into_parts();
    let tower_pop::Verification::Later(verdict) = cfg.verify(&parts) else { panic!("keys are not in memory") };
    assert!(verdict.await.unwrap().token.is_some());
    assert_eq!(server.jwks_requests(), 1);
}
