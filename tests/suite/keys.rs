//! The key cache: ATK-24..29, META-17, X-13, with a manual clock and a scripted fetch; nothing sleeps.
//! Over real sockets: what is said of connections that fail.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use pop_authserver::{Algorithm, DpopKey, TestAuthServer, TestCertificate, TokenMint};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_pop::clock::ManualClock;
use tower_pop::keys::{ConnectionCause, FetchError, FetchRequest, FetchResponse, HttpFetch, HyperFetch, JwksCaching};
use tower_pop::{IatPolicy, Introspection, IssuerConfig, Mode, NoncePolicy, PopConfigBuilder};
use tracing::Level;

use crate::log::Log;
use crate::support::{AUDIENCE, Api, Expected, ISSUER, NOW, api_for, request};

const JWKS: &str = "https://as.example/jwks";
const METADATA: &str = "https://as.example/.well-known/oauth-authorization-server";
const OPENID: &str = "https://as.example/.well-known/openid-configuration";

type Document = Result<FetchResponse, FetchError>;

/// Answers from a table, counts, and can be made to wait.
#[derive(Clone)]
struct Script {
    documents: Arc<Mutex<HashMap<String, Document>>>,
    urls: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
    /// The URL that never answers.
    hangs: Arc<Mutex<Option<String>>>,
    /// The clock that an answer takes this many seconds of.
    takes: Arc<OnceLock<(Arc<ManualClock>, u64)>>,
}

impl Script {
    fn new() -> Self {
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { documents: Arc::default(), urls: Arc::default(), gate, hangs: Arc::default(), takes: Arc::default() }
    }

    fn set(&self, url: &str, document: Document) {
        self.documents.lock().unwrap().insert(url.to_owned(), document);
    }

    fn serve(&self, url: &str, body: impl Into<String>) {
        self.set(url, Ok(FetchResponse::new(body.into())));
    }

    fn requests(&self) -> usize {
        self.urls.lock().unwrap().len()
    }

    fn urls(&self) -> Vec<String> {
        self.urls.lock().unwrap().clone()
    }
}

impl HttpFetch for Script {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        self.urls.lock().unwrap().push(request.url.clone());
        let script = self.clone();
        Box::pin(async move {
            let _open = script.gate.acquire().await;
            if script.hangs.lock().unwrap().as_ref() == Some(&request.url) {
                std::future::pending::<()>().await;
            }
            if let Some((clock, seconds)) = script.takes.get() {
                clock.advance(*seconds);
            }
            let document = script.documents.lock().unwrap().get(&request.url).cloned();
            let response = document.unwrap_or(Err(FetchError::Status(404)))?;
            if response.body.len() > request.max_len { Err(FetchError::TooLong) } else { Ok(response) }
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
async fn fetches_keys_once_and_uses_them_while_they_are_fresh() {
    let script = Script::new();
    let api = fetched(&script).await;
    for _ in 0..20 {
        api.with_token(&api.token().mint()).await.is(Expected::Ok, "warm");
    }
    assert_eq!(script.requests(), 1);
}

/// ATK-26, X-13: random `kid`s must not flood the authorization server.
#[tokio::test]
async fn unknown_kids_cause_a_few_fetches_and_then_one_per_cool_down() {
    let script = Script::new();
    let api = fetched(&script).await;
    let unknown = |i: u64| api.token().header("kid", format!("random-{i}")).mint();
    for i in 0..200 {
        api.with_token(&unknown(i)).await.is(Expected::Token, "ATK-26 X-13").coded("token.unknown_key", "ATK-26");
    }
    assert_eq!(script.requests(), 1 + 3, "the burst, and no more within the cool-down");
    for second in 1..=120 {
        api.clock.advance(1);
        for i in 0..3 {
            api.with_token(&unknown(1000 * second + i)).await.is(Expected::Token, "ATK-26");
        }
    }
    assert_eq!(script.requests(), 1 + 3 + 4, "one more for each cool-down of 30 s");
    api.clock.advance(3 * 30);
    for i in 0..200 {
        api.with_token(&unknown(i)).await.is(Expected::Token, "ATK-26");
    }
    assert_eq!(script.requests(), 8 + 3, "a quiet time gives the burst back, and no more");
}

/// ATK-26: single flight.
#[tokio::test]
async fn concurrent_unknown_kids_cause_one_fetch() {
    let script = Script::new();
    let gate = Arc::new(Semaphore::new(1));
    let script = Script { gate: Arc::clone(&gate), ..script };
    let api = Arc::new(fetched(&script).await);
    gate.forget_permits(1);
    let requests: Vec<_> = (0..100)
        .map(|i| {
            let api = Arc::clone(&api);
            tokio::spawn(async move { api.with_token(&api.token().header("kid", format!("{i}")).mint()).await.code })
        })
        .collect();
    settle().await;
    gate.add_permits(1);
    for request in requests {
        assert_eq!(request.await.unwrap(), Some("token.unknown_key"));
    }
    assert_eq!(script.requests(), 2, "single flight");
}

/// ATK-26, AS-29: as long as the burst lasts.
#[tokio::test]
async fn notices_a_rotation_at_once_and_then_after_the_cool_down() {
    let script = Script::new();
    let api = fetched(&script).await;
    for round in 1..=3 {
        api.server.rotate_keys().unwrap();
        script.serve(JWKS, api.server.jwks_json());
        api.with_token(&api.token().mint()).await.is(Expected::Ok, "AS-29 the new key is found at once");
        assert_eq!(script.requests(), 1 + round);
    }
    api.server.rotate_keys().unwrap();
    script.serve(JWKS, api.server.jwks_json());
    api.with_token(&api.token().mint()).await.is(Expected::Token, "too soon").coded("token.unknown_key", "ATK-26");
    api.clock.advance(31);
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "AS-29 the new key is found after the cool-down");
    assert_eq!(script.requests(), 5);
}

/// ATK-26: `JwksCaching::refresh_burst`.
#[tokio::test]
async fn the_burst_of_fetches_is_configurable() {
    let script = Script::new();
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    script.serve(JWKS, server.jwks_json());
    let mut caching = JwksCaching::default();
    caching.refresh_burst = 1;
    let issuer = IssuerConfig::new(ISSUER).jwks_uri(JWKS).jwks_caching(caching);
    let api = api_for(server, issuer, |builder| builder.http_fetch(script.clone()));
    for i in 0..20 {
        api.with_token(&api.token().header("kid", format!("{i}")).mint()).await.is(Expected::Token, "ATK-26");
    }
    assert_eq!(script.requests(), 2);
}

/// INTRO-11, ATK-26: the issuer signs its responses with the same keys (RFC 9701).
#[tokio::test]
async fn reads_a_signed_introspection_response_after_one_refresh_when_a_key_took_anothers_kid() {
    const ENDPOINT: &str = "https://as.example/introspect";
    let script = Script::new();
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    script.serve(JWKS, server.jwks_json());
    let introspection = Introspection::at(ENDPOINT).client_secret_basic("api", "secret").require_signed();
    let issuer = IssuerConfig::new(ISSUER).jwks_uri(JWKS).introspection(introspection);
    let api = api_for(server, issuer, |builder| builder.http_fetch(script.clone()));
    let answer = |change: &dyn Fn(TokenMint) -> TokenMint| {
        let cnf = json!({ "jkt": api.key.thumbprint().to_string() });
        let answer = json!({ "active": true, "aud": AUDIENCE, "exp": NOW + 300, "cnf": cnf });
        let mint = api.server.token().header("typ", "token-introspection+jwt").without("sub").without("exp");
        let body = change(mint.claim("aud", "api").claim("token_introspection", answer)).mint();
        script.set(ENDPOINT, Ok(FetchResponse::new(body).content_type("application/token-introspection+jwt")));
    };
    let fetches = || script.urls().iter().filter(|url| *url == JWKS).count();
    answer(&|mint| mint);
    api.with_token("one").await.is(Expected::Ok, "INTRO-11");
    assert_eq!(fetches(), 1);
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    script.serve(JWKS, replaced(&api.server, &key, true));
    answer(&|mint| mint.signed_by(&key));
    api.with_token("two").await.is(Expected::Ok, "the key that took the kid");
    assert_eq!(fetches(), 2);
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    answer(&|mint| mint.signed_by(&other));
    for number in 0..5 {
        api.with_token(&format!("forged-{number}")).await.is(Expected::Down, "INTRO-11");
    }
    assert_eq!(fetches(), 2, "ATK-26");
}

/// The set of the server with another key in place of its own, under the same `kid` or under none.
fn replaced(server: &TestAuthServer, key: &DpopKey, with_kid: bool) -> String {
    let jwks: Value = serde_json::from_str(&server.jwks_json()).unwrap();
    let mut jwk = key.public_jwk();
    if with_kid {
        jwk["kid"] = jwks["keys"][0]["kid"].clone();
    }
    json!({ "keys": [jwk] }).to_string()
}

/// ATK-26: or that has no `kid`.
#[tokio::test]
async fn notices_a_key_that_took_the_kid_of_another() {
    for (row, alg, with_kid) in [
        ("the same kid", Algorithm::ES256, true),
        ("no kid", Algorithm::ES256, false),
        ("the same kid for another algorithm", Algorithm::Ed25519, true),
    ] {
        let script = Script::new();
        let api = fetched(&script).await;
        let old = api.token().mint();
        api.with_token(&old).await.is(Expected::Ok, row);
        let key = DpopKey::generate(alg).unwrap();
        script.serve(JWKS, replaced(&api.server, &key, with_kid));
        let token = api.token().header("alg", alg.name()).signed_by(&key);
        let token = if with_kid { token } else { token.without_header("kid") };
        api.with_token(&token.mint()).await.is(Expected::Ok, row);
        assert_eq!(script.requests(), 2, "{row}");
        let answer = api.with_token(&old).await.is(Expected::Token, row);
        assert!(matches!(answer.code, Some("token.signature" | "token.unknown_key")), "{row}: {:?}", answer.code);
    }
}

/// ATK-26: a forged signature costs its sender nothing.
#[tokio::test]
async fn a_signature_that_does_not_verify_causes_one_fetch_per_cool_down() {
    let script = Script::new();
    let api = fetched(&script).await;
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    let forged = || api.token().signed_by(&other);
    for _ in 0..100 {
        for token in [forged(), forged().without_header("kid")] {
            let answer = api.with_token(&token.mint()).await.is(Expected::Token, "ATK-26");
            answer.coded("token.signature", "ATK-26");
        }
    }
    assert_eq!(script.requests(), 2, "one, whatever the burst");
    for second in 1..=90 {
        api.clock.advance(1);
        let answer = api.with_token(&forged().mint()).await.is(Expected::Token, "ATK-26");
        answer.coded("token.signature", &format!("second {second}"));
    }
    assert_eq!(script.requests(), 2 + 3, "one for each cool-down of 30 s");
}

/// ATK-26: anyone can make one, so it must not cause a 503.
#[tokio::test]
async fn a_forged_signature_is_401_while_the_refresh_fails() {
    let script = Script::new();
    let api = fetched(&script).await;
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    script.set(JWKS, Err(FetchError::Timeout));
    for second in 0..60 {
        let answer = api.with_token(&api.token().signed_by(&other).mint()).await.is(Expected::Token, "ATK-26");
        answer.coded("token.signature", &format!("second {second}"));
        api.with_token(&api.token().mint()).await.is(Expected::Ok, "the twin: a key that is known");
        api.clock.advance(1);
    }
    assert_eq!(script.requests(), 1 + 2, "a failure is not tried again before the cool-down either");
}

/// ATK-26: everything that can be checked without the key is checked first.
#[tokio::test]
async fn a_forged_signature_on_a_request_that_is_wrong_anyway_causes_no_fetch() {
    let script = Script::new();
    let api = fetched(&script).await;
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
    let forged = || api.token().signed_by(&other);
    let token = forged().mint();
    for (row, proof) in [
        ("bad signature", api.proof(&token).tampered_signature()),
        ("htm", api.proof(&token).method("PUT")),
        ("htu", api.proof(&token).url("https://evil.example/")),
        ("iat", api.proof(&token).issued_at(1)),
        ("ath", api.proof("another")),
    ] {
        api.with(&token, &proof.mint()).await.is(Expected::Token, row).coded("token.signature", row);
    }
    for (row, token) in [
        ("audience", forged().audience("https://other.example")),
        ("expired", forged().expires_in(-100)),
        ("unbound", forged().without("cnf")),
        ("bound to another key", forged().bound_to(&other)),
    ] {
        api.with_token(&token.mint()).await.is(Expected::Token, row).coded("token.signature", row);
    }
    assert_eq!(script.requests(), 1);
    api.with_token(&token).await.is(Expected::Token, "the twin");
    assert_eq!(script.requests(), 2);
}

/// ATK-26, ERR-13: the new key may be in the set that cannot be fetched.
#[tokio::test]
async fn an_unknown_kid_is_503_while_the_refresh_fails() {
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
    for round in 1..=6 {
        api.clock.advance(6);
        api.with_token(&unknown).await.is(Expected::Down, "again").coded("unavailable.key_refresh", "ATK-26");
        assert_eq!(script.requests(), 2 + round, "failures do not use up the burst");
    }
}

/// ATK-27, X-69: an outage of the authorization server never extends the trust in a key without limit.
#[tokio::test]
async fn stale_keys_are_used_until_their_end_and_then_503() {
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

/// ATK-27, ATK-29: a new key set ends the cached tokens of the old one.
#[tokio::test]
async fn a_removed_key_stops_working_even_for_cached_tokens() {
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

/// ATK-21, CNF-10, DPOP-06, X-04, X-35: `jku`, `x5u` and `cnf.jku` are never followed.
#[tokio::test]
async fn fetches_no_url_that_a_token_or_proof_names() {
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
    let harmless = api.token().header("jku", evil).mint();
    api.with_token(&harmless).await.is(Expected::Ok, "the twin: signed by the issuer's key, the URL is not looked at");
    assert!(script.urls().iter().all(|url| url == JWKS), "ATK-21 CNF-10 {:?}", script.urls());
    assert_eq!(script.requests(), 2, "ATK-21: the issuer's own set, once for the signatures that do not verify");
}

/// ATK-24, ATK-25: the keys in memory stay in use.
#[tokio::test]
async fn a_response_without_a_usable_key_changes_nothing() {
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
async fn concurrent_first_requests_cause_one_fetch() {
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
async fn an_http_client_that_panics_does_not_end_fetching() {
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

/// NONCE-12: a request without a nonce causes no fetch.
#[tokio::test]
async fn report_only_and_nonce_only_work_before_keys_are_fetched() {
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

/// ATK-25: after the timeout of a fetch.
#[tokio::test(start_paused = true)]
async fn gives_up_on_an_http_client_that_hangs() {
    let script = Script { gate: Arc::new(Semaphore::new(0)), ..Script::new() };
    let api = api(&script, |builder| builder);
    api.with_token(&api.token().mint())
        .await
        .is(Expected::Down, "ATK-25 slow loris")
        .coded("unavailable.keys", "ATK-25");
}

#[test]
fn a_request_outside_a_runtime_is_503_and_does_not_panic() {
    let script = Script::new();
    let api = api(&script, |builder| builder);
    let token = api.token().mint();
    let (parts, ()) = request(&token, &api.proof(&token).mint()).into_parts();
    let tower_pop::Verification::Later(verdict) = api.cfg.verify(&parts) else { panic!("keys are not in memory") };
    let verdict = futures_util::FutureExt::now_or_never(verdict).unwrap();
    assert_eq!(verdict.unwrap_err().status(), 503);
    assert_eq!(script.requests(), 0);
}

/// X-63: everything that can be checked without the key is checked first.
#[tokio::test]
async fn a_request_that_is_wrong_anyway_causes_no_fetch() {
    let script = Script::new();
    let api = api(&script, |builder| builder);
    let token = api.token().mint();
    let other = DpopKey::generate(Algorithm::ES256).unwrap();
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
async fn bearer_requests_wait_for_keys() {
    let script = Script::new();
    let api = api(&script, |builder| builder.mode(Mode::AllowBearer));
    let token = api.token().without("cnf").mint();
    let mut bearer = request(&token, "x");
    bearer.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    api.send(bearer).await.is(Expected::Ok, "an unbound token in mode AllowBearer");
    assert_eq!(script.requests(), 1);
}

#[tokio::test]
async fn follows_cache_control_within_limits() {
    for (cache_control, fresh_for) in [("max-age=120", 120), ("max-age=1", 60), ("public, Max-Age=\"999999\"", 3600)] {
        let script = Script::new();
        let api = api(&script, |builder| builder);
        script.set(JWKS, Ok(FetchResponse::new(api.server.jwks_json()).cache_control(cache_control)));
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

/// ATK-25, ATK-28, META-17, X-64: `issuer` must be equal, and `jwks_uri` must be a URL that may be fetched, without
/// redirects.
#[tokio::test]
async fn accepts_metadata_of_the_configured_issuer_only() {
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
        ("ATK-28 the issuer in another case", metadata("https://AS.example", JWKS)),
        ("no issuer", json!({ "jwks_uri": JWKS }).to_string()),
        ("an issuer that is null", json!({ "issuer": null, "jwks_uri": JWKS }).to_string()),
        ("a jwks_uri that is null", json!({ "issuer": ISSUER, "jwks_uri": null }).to_string()),
        ("ATK-25 plain http", metadata(ISSUER, "http://as.example/jwks")),
        ("X-64 loopback http for an https issuer", metadata(ISSUER, "http://127.0.0.1/jwks")),
        ("no jwks_uri", json!({ "issuer": ISSUER }).to_string()),
        ("duplicate issuer", format!("{{\"issuer\":\"x\",{}", &metadata(ISSUER, JWKS)[1..])),
        ("HTML", "<html>".to_owned()),
    ] {
        for url in [METADATA, OPENID] {
            let script = Script::new();
            let api = discover(&script);
            script.serve(url, document.clone());
            api.with_token(&api.token().mint()).await.is(Expected::Down, row);
            assert_eq!(script.urls(), [METADATA, OPENID], "{row}: the keys are not even asked for");
        }
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
async fn fetches_keys_over_real_sockets() {
    let server = TestAuthServer::start().await;
    let issuer = server.issuer().to_owned();
    let cfg = tower_pop::PopConfig::builder(issuer.as_str(), AUDIENCE).build().unwrap();
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
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

/// ATK-27: a slow server or a cache in between does not make keys younger.
#[tokio::test]
async fn the_age_of_keys_counts_from_before_the_request_and_includes_that_of_the_response() {
    let response = |max_age: u64, age: u64| {
        let response = move |body: String| FetchResponse::new(body).cache_control(format!("max-age={max_age}"));
        move |body: String| response(body).age(Duration::from_secs(age))
    };
    for (row, max_age, age, takes, fresh_for) in [
        ("no age", 300, 0, 0, 300),
        ("kept by a cache for a while", 300, 200, 0, 100),
        ("kept by a cache for longer than it is fresh", 300, 100_000, 0, 10),
        ("an answer that takes 60 s", 300, 0, 60, 240),
        ("both", 300, 200, 60, 40),
        ("longer than we follow", 86_400, 3_500, 0, 100),
    ] {
        let script = Script::new();
        let api = api(&script, |builder| builder);
        script.set(JWKS, Ok(response(max_age, age)(api.server.jwks_json())));
        script.takes.set((Arc::clone(&api.clock), takes)).unwrap();
        let token = api.token().claim("exp", NOW + 100_000).mint();
        // A proof may be this old, and the first request waits for as long as the answer takes.
        let proof = || api.proof(&token).issued_at(tower_pop::clock::Clock::now(&*api.clock) + takes.min(29)).mint();
        api.with(&token, &proof()).await.is(Expected::Ok, row);
        api.clock.advance(fresh_for - 1);
        api.with(&token, &proof()).await.is(Expected::Ok, row);
        settle().await;
        assert_eq!(script.requests(), 1, "{row}: still fresh");
        api.clock.advance(1);
        api.with(&token, &proof()).await.is(Expected::Ok, row);
        settle().await;
        assert_eq!(script.requests(), 2, "{row}: refreshed");
    }
}

/// ATK-27: its `Age` counts towards the end of the stale keys, too.
#[tokio::test]
async fn a_response_from_a_cache_is_used_for_less_time() {
    let script = Script::new();
    let api = api(&script, |builder| builder);
    let hour = Duration::from_secs(3600);
    script.set(JWKS, Ok(FetchResponse::new(api.server.jwks_json()).age(hour)));
    let token = || api.token().claim("exp", NOW + 100_000).mint();
    api.with_token(&token()).await.is(Expected::Ok, "300 s of 3,900 s are left");
    script.set(JWKS, Err(FetchError::Connection));
    api.clock.advance(299);
    api.with_token(&token()).await.is(Expected::Ok, "stale");
    settle().await;
    api.clock.advance(1);
    api.with_token(&token()).await.is(Expected::Down, "the end").coded("unavailable.keys", "ATK-27");
}

/// ATK-27, ATK-29: the monotonic clock stands still meanwhile.
#[tokio::test]
async fn keys_and_tokens_age_while_the_machine_is_suspended() {
    let script = Script::new();
    let api = fetched(&script).await;
    let token = api.token().claim("exp", NOW + 1_000_000).mint();
    api.with_token(&token).await.is(Expected::Ok, "cached");
    // The monotonic clock stands still from here on.
    api.clock.set_wall_clock(NOW + 301);
    api.with_token(&token).await.is(Expected::Ok, "stale");
    settle().await;
    assert_eq!(script.requests(), 2, "301 s of suspension: refreshed in the background");
    script.set(JWKS, Err(FetchError::Connection));
    api.clock.set_wall_clock(NOW + 301 + 3901);
    let answer = api.with_token(&token).await.is(Expected::Down, "ATK-27 more than an hour of suspension");
    answer.coded("unavailable.keys", "ATK-27");
    api.server.rotate_keys().unwrap();
    api.server.drop_old_keys();
    script.serve(JWKS, api.server.jwks_json());
    api.clock.set_wall_clock(NOW + 301 + 3901 + 6);
    let answer = api.with_token(&token).await.is(Expected::Token, "ATK-29 its key is gone");
    answer.coded("token.unknown_key", "ATK-29");
    api.with_token(&api.token().claim("exp", NOW + 1_000_000).mint()).await.is(Expected::Ok, "the twin");
}

/// ATK-29: a clock that stands still or is set back extends nothing.
#[tokio::test]
async fn a_cached_token_expires_by_the_clock_that_went_further() {
    const ENDPOINT: &str = "https://as.example/introspect";
    let script = Script::new();
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    script.serve(JWKS, server.jwks_json());
    let introspection = Introspection::at(ENDPOINT).client_secret_basic("api", "secret");
    let introspection = introspection.cache_for(Duration::from_secs(60));
    let issuer = IssuerConfig::new(ISSUER).jwks_uri(JWKS).introspection(introspection);
    let api = api_for(server, issuer, |builder| builder.http_fetch(script.clone()).dangerous().without_replay_store());
    let cnf = json!({ "jkt": api.key.thumbprint().to_string() });
    let answer = json!({ "active": true, "aud": AUDIENCE, "exp": NOW + 100_000, "cnf": cnf }).to_string();
    script.set(ENDPOINT, Ok(FetchResponse::new(answer).content_type("application/json")));
    api.with_token("opaque").await.is(Expected::Ok, "asked");
    api.clock.set_wall_clock(NOW + 59);
    api.with_token("opaque").await.is(Expected::Ok, "59 s of suspension");
    assert_eq!(script.requests(), 1);
    api.clock.set_wall_clock(NOW + 60);
    api.with_token("opaque").await.is(Expected::Ok, "60 s of suspension");
    assert_eq!(script.requests(), 2, "asked again");
    api.clock.set_wall_clock(NOW);
    api.clock.advance(59);
    api.with_token("opaque").await.is(Expected::Ok, "a clock that was set back");
    assert_eq!(script.requests(), 2);
    api.clock.advance(1);
    api.with_token("opaque").await.is(Expected::Ok, "prolongs nothing");
    assert_eq!(script.requests(), 3);
}

/// ATK-26, ATK-27: a jump ends what is in memory once.
#[tokio::test]
async fn a_wall_clock_that_is_set_causes_neither_endless_fetches_nor_endless_rejections() {
    let script = Script::new();
    // The replay store revives nothing when the clock goes back; this is about the keys.
    let api = api(&script, |builder| builder.dangerous().without_replay_store());
    let token = || api.token().claim("iat", 1).claim("exp", NOW + 10_000_000).mint();
    api.with_token(&token()).await.is(Expected::Ok, "the first request fetches");
    // Forwards, by a month: what is in memory ends early, once.
    api.clock.set_wall_clock(NOW + 2_600_000);
    for _ in 0..50 {
        api.with_token(&token()).await.is(Expected::Ok, "the month after");
        settle().await;
    }
    assert_eq!(script.requests(), 2);
    // Back again: nothing is kept for longer for it.
    api.clock.set_wall_clock(NOW);
    for _ in 0..50 {
        api.with_token(&token()).await.is(Expected::Ok, "back again");
        settle().await;
    }
    assert_eq!(script.requests(), 2, "and nothing ends because of it");
    for i in 0..50 {
        api.with_token(&api.token().header("kid", format!("{i}")).mint()).await.is(Expected::Token, "ATK-26");
    }
    assert_eq!(script.requests(), 2 + 3, "the burst is what it is");
    script.set(JWKS, Err(FetchError::Timeout));
    api.clock.advance(301);
    api.with_token(&token()).await.is(Expected::Ok, "by the monotonic clock it is stale");
    settle().await;
    assert_eq!(script.requests(), 6);
    script.serve(JWKS, api.server.jwks_json());
    api.clock.set_wall_clock(NOW - 100_000);
    api.clock.advance(6);
    let early = api.token().claim("iat", 1).claim("exp", NOW + 10_000_000).mint();
    api.with_token(&early).await.is(Expected::Ok, "by the wall clock the failure lies in the future");
    settle().await;
    assert_eq!(script.requests(), 7, "and is tried again all the same");
}

/// META-17, ATK-28: and asks for no keys before the metadata is right.
#[tokio::test]
async fn tries_the_next_well_known_url_after_any_failure() {
    let tenant = "https://as.example/tenant";
    let urls = [
        "https://as.example/.well-known/oauth-authorization-server/tenant",
        "https://as.example/.well-known/openid-configuration/tenant",
        "https://as.example/tenant/.well-known/openid-configuration",
        "https://as.example/tenant/.well-known/oauth-authorization-server",
    ];
    let metadata = |issuer: &str, jwks_uri: &str| json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string();
    let html = || Ok(FetchResponse::new("<html>sign in</html>").content_type("text/html"));
    let wrong: [(&str, Document); 13] = [
        ("403", Err(FetchError::Status(403))),
        ("401", Err(FetchError::Status(401))),
        ("404", Err(FetchError::Status(404))),
        ("a redirect", Err(FetchError::Status(302))),
        ("500", Err(FetchError::Status(500))),
        ("too long", Err(FetchError::TooLong)),
        ("a time-out", Err(FetchError::Timeout)),
        ("no connection", Err(FetchError::Connection)),
        ("a page for people", html()),
        ("no jwks_uri", Ok(FetchResponse::new(json!({ "issuer": tenant }).to_string()))),
        ("another issuer", Ok(FetchResponse::new(metadata(ISSUER, JWKS)))),
        ("an issuer with a slash", Ok(FetchResponse::new(metadata("https://as.example/tenant/", JWKS)))),
        ("a plain http jwks_uri", Ok(FetchResponse::new(metadata(tenant, "http://as.example/jwks")))),
    ];
    let discover = |script: &Script| {
        let server = TestAuthServer::offline_at(tenant, NOW);
        script.serve(JWKS, server.jwks_json());
        api_for(server, IssuerConfig::new(tenant), |builder| builder.http_fetch(script.clone()))
    };
    for (row, document) in wrong {
        for (right_at, right) in urls.iter().enumerate() {
            let script = Script::new();
            let api = discover(&script);
            urls[..right_at].iter().for_each(|url| script.set(url, document.clone()));
            script.serve(right, metadata(tenant, JWKS));
            api.with_token(&api.token().mint()).await.is(Expected::Ok, row);
            let expected: Vec<&str> = urls[..=right_at].iter().copied().chain([JWKS]).collect();
            assert_eq!(script.urls(), expected, "{row}");
        }
        let script = Script::new();
        let api = discover(&script);
        urls.iter().for_each(|url| script.set(url, document.clone()));
        api.with_token(&api.token().mint()).await.is(Expected::Down, row).coded("unavailable.keys", row);
        assert_eq!(script.urls(), urls, "{row}: the keys are not even asked for");
    }
}

/// META-17: each attempt has the timeout of one fetch.
#[tokio::test(start_paused = true)]
async fn gives_up_on_a_well_known_url_that_hangs() {
    let script = Script::new();
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    script.serve(JWKS, server.jwks_json());
    script.serve(OPENID, json!({ "issuer": ISSUER, "jwks_uri": JWKS }).to_string());
    *script.hangs.lock().unwrap() = Some(METADATA.to_owned());
    let api = api_for(server, IssuerConfig::new(ISSUER), |builder| builder.http_fetch(script.clone()));
    let start = tokio::time::Instant::now();
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "the next one answers");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

/// META-17: an operator sees which URL to fix.
#[tokio::test]
async fn the_log_names_each_well_known_url_and_what_is_wrong_there() {
    let (log, _guard) = Log::capture(Level::INFO);
    let script = Script::new();
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    script.set(METADATA, Err(FetchError::Status(403)));
    script.serve(OPENID, "<html>");
    let api = api_for(server, IssuerConfig::new(ISSUER), |builder| builder.http_fetch(script.clone()));
    api.with_token(&api.token().mint()).await.is(Expected::Down, "no metadata");
    let text = log.text();
    let says = |url: &str, why: &str| text.lines().any(|line| line.contains(url) && line.contains(why));
    assert!(says(METADATA, "status 403") && says(OPENID, "not strict JSON"), "{text}");
}

/// ATK-26: when the burst is used up.
#[tokio::test]
async fn the_log_says_once_when_the_keys_are_fetched_again() {
    let (log, _guard) = Log::capture(Level::INFO);
    let script = Script::new();
    let api = fetched(&script).await;
    for i in 0..20 {
        api.with_token(&api.token().header("kid", format!("{i}")).mint()).await.is(Expected::Token, "ATK-26");
    }
    assert_eq!(log.lines("again_in_s=30"), 1, "{}", log.text());
}

/// ATK-24: the `kid` is shortened, and control characters are replaced.
#[tokio::test]
async fn each_skipped_key_is_logged_once_with_its_kid_and_the_reason() {
    let (log, _guard) = Log::capture(Level::INFO);
    let script = Script::new();
    let api = api(&script, |builder| builder);
    let mut jwks: Value = serde_json::from_str(&api.server.jwks_json()).unwrap();
    let odd = format!("odd\u{7}{}", "x".repeat(500));
    jwks["keys"].as_array_mut().unwrap().extend([
        json!({ "kty": "RSA", "kid": "encryption", "use": "enc", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "XYZ", "kid": odd }),
        json!({ "kty": "XYZ" }),
    ]);
    script.serve(JWKS, jwks.to_string());
    let token = || api.token().claim("exp", NOW + 100_000).mint();
    api.with_token(&token()).await.is(Expected::Ok, "the usable key is found");
    jwks["note"] = "another body, the same keys".into();
    script.serve(JWKS, jwks.to_string());
    for _ in 0..3 {
        api.clock.advance(301);
        api.with_token(&token()).await.is(Expected::Ok, "refreshed");
        settle().await;
    }
    assert_eq!(script.requests(), 4);
    assert_eq!(log.lines("a key of the issuer is not used"), 3, "{}", log.text());
    let shown = format!("odd?{}", "x".repeat(60));
    assert!(log.text().contains("encryption") && log.text().contains(&shown), "{}", log.text());
    assert!(!log.text().contains(&"x".repeat(61)) && !log.text().contains('\u{7}'), "{}", log.text());
}

/// ATK-24: `IssuerConfig::static_jwks`.
#[test]
fn skipped_keys_of_a_static_set_are_logged() {
    let (log, _guard) = Log::capture(Level::INFO);
    let set = json!({ "keys": [{ "kty": "XYZ", "kid": "given" }] }).to_string();
    let issuer = IssuerConfig::new(ISSUER).static_jwks(set);
    tower_pop::PopConfig::builder(issuer, AUDIENCE).build().unwrap_err();
    assert_eq!(log.lines("given"), 1, "{}", log.text());
}

/// Fetches as usual and keeps what became of it.
#[derive(Clone)]
struct Watched(HyperFetch, Arc<Mutex<Vec<Result<FetchResponse, FetchError>>>>);

impl HttpFetch for Watched {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let (answer, seen) = (self.0.fetch(request), Arc::clone(&self.1));
        Box::pin(async move {
            let answer = answer.await;
            seen.lock().unwrap().push(answer.clone());
            answer
        })
    }
}

/// Accepts connections, and TLS where there is a certificate, and answers every request with this.
async fn answers(certificate: Option<&TestCertificate>, response: String) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = certificate.map(|certificate| {
        let chain = vec![certificate.der().to_vec().into()];
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certificate.key_der()).into();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (acceptor, response) = (acceptor.clone(), response.clone());
            tokio::spawn(async move {
                match acceptor {
                    None => {
                        _ = stream.read(&mut [0; 4096]).await;
                        _ = stream.write_all(response.as_bytes()).await;
                        _ = stream.shutdown().await;
                    }
                    Some(acceptor) => {
                        if let Ok(mut stream) = acceptor.accept(stream).await {
                            _ = stream.write_all(response.as_bytes()).await;
                            _ = stream.shutdown().await;
                        }
                    }
                }
            });
        }
    });
    port
}

fn http(body: &str, fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n{fields}\r\n{body}", body.len())
}

/// Trusts this certificate and no other.
fn trusting(certificate: &TestCertificate) -> HyperFetch {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    HyperFetch::with_tls(builder.unwrap().with_root_certificates(roots).with_no_client_auth())
}

/// ATK-25: the URL without its query.
#[tokio::test]
async fn a_connection_that_fails_is_logged_with_url_and_cause() {
    let localhost = TestCertificate::self_signed("localhost");
    let elsewhere = TestCertificate::self_signed("elsewhere.example");
    let body = TestAuthServer::offline_at(ISSUER, NOW).jwks_json();
    let unused = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let plain = answers(None, http(&body, "")).await;
    let tls = answers(Some(&localhost), http(&body, "Age: 12\r\n")).await;
    let named = answers(Some(&elsewhere), http(&body, "")).await;
    let cut = answers(Some(&localhost), http(&body, "").replace("Content-Length: ", "Content-Length: 9")).await;
    for (url, trusted, cause) in [
        (format!("https://localhost:{unused}/jwks"), &localhost, ConnectionCause::Refused),
        (format!("https://localhost:{plain}/jwks"), &localhost, ConnectionCause::NotTls),
        (format!("https://localhost:{tls}/jwks"), &elsewhere, ConnectionCause::UntrustedAuthority),
        (format!("https://localhost:{named}/jwks"), &elsewhere, ConnectionCause::HostName),
        (format!("https://localhost:{cut}/jwks"), &localhost, ConnectionCause::Closed),
        ("https://as.invalid/jwks".to_owned(), &localhost, ConnectionCause::NameNotFound),
    ] {
        let (log, _guard) = Log::capture(Level::INFO);
        let watched = Watched(trusting(trusted), Arc::default());
        let server = TestAuthServer::offline_at(ISSUER, NOW);
        let issuer = IssuerConfig::new(ISSUER).jwks_uri(format!("{url}?secret=s3cret"));
        let api = api_for(server, issuer, |builder| builder.http_fetch(watched.clone()));
        api.with_token(&api.token().mint()).await.is(Expected::Down, &url);
        let seen = watched.1.lock().unwrap().clone();
        let [Err(FetchError::NotConnected(failure))] = &seen[..] else { panic!("{url}: {seen:?}") };
        assert_eq!(failure.cause(), cause, "{url}: {failure}");
        let text = log.text();
        assert!(text.lines().any(|line| line.contains(&url) && line.contains(&cause.to_string())), "{text}");
        assert!(text.contains("WARN") && !text.contains("s3cret"), "{text}");
    }
    let watched = Watched(trusting(&localhost), Arc::default());
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let issuer = IssuerConfig::new(ISSUER).jwks_uri(format!("https://localhost:{tls}/jwks"));
    let api = api_for(server, issuer, |builder| builder.http_fetch(watched.clone()));
    api.with_token(&api.token().mint()).await.is(Expected::Token, "the twin is reached; its key is another");
    let seen = watched.1.lock().unwrap().clone();
    assert!(seen.iter().all(|answer| answer.as_ref().unwrap().age == Some(Duration::from_secs(12))), "Age is read");
}
