//! When keys are fetched at all: once, only for requests that are right so far, and never from a URL in a token.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
use serde_json::json;
use tokio::sync::Semaphore;
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{IatPolicy, IssuerConfig, Mode, NoncePolicy};

use super::{JWKS, Script, api, fetched, run_background_tasks};
use crate::support::{AUDIENCE, Api, Expected, ISSUER, NOW, api_for, request};

#[tokio::test]
async fn fetches_keys_once_and_uses_them_while_they_are_fresh() {
    let script = Script::new();
    let api = fetched(&script).await;
    for _ in 0..20 {
        api.with_token(&api.token().mint()).await.is(Expected::Ok, "warm");
    }
    assert_eq!(script.requests(), 1);
}

/// ATK-21, CNF-10, DPOP-06, X-04, X-35: `jku`, `x5u` and `cnf.jku` are never followed.
#[tokio::test]
async fn fetches_no_url_that_a_token_or_proof_names() {
    let script = Script::new();
    let api = fetched(&script).await;
    api.clock.advance(31); // the cool-down is over: an unknown kid would cause a fetch now
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
    run_background_tasks().await;
    let harmless = api.token().header("jku", evil).mint();
    api.with_token(&harmless).await.is(Expected::Ok, "the twin: signed by the issuer's key, the URL is ignored");
    assert!(script.urls().iter().all(|url| url == JWKS), "ATK-21 CNF-10 {:?}", script.urls());
    assert_eq!(script.requests(), 2, "ATK-21: the issuer's own set, once for the signatures that do not verify");
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
    run_background_tasks().await;
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
    run_background_tasks().await;
    first.abort();
    assert!(first.await.is_err());
    gate.add_permits(1);
    run_background_tasks().await;
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "the fetch went on");
    assert_eq!(script.requests(), 1);
}

/// Panics on the first request, then responds.
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
    assert_eq!(script.requests(), 0, "and nothing is fetched before there is one");
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
    assert_eq!(verdict.into_verdict().unwrap_err().status(), 503);
    assert_eq!(script.requests(), 0);
}

/// everything that can be checked without the key is checked first.
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
                tower_pop::Verification::Now(decision) => decision.into_verdict(),
                tower_pop::Verification::Later(decision) => decision.await.into_verdict(),
            }
        }
    };
    server.set_outage(true);
    assert_eq!(send().await.unwrap_err().status(), 503, "the server is down");
    server.set_outage(false);
    assert_eq!(send().await.unwrap_err().status(), 503, "and is not tried again at once");
    assert_eq!(server.jwks_requests(), 0);
    let cfg = tower_pop::PopConfig::builder(issuer.as_str(), AUDIENCE).build().unwrap();
    let proof = pop_authserver::proof(&key).url(crate::support::URL).for_token(&token).mint();
    let (parts, ()) = request(&token, &proof).into_parts();
    let tower_pop::Verification::Later(verdict) = cfg.verify(&parts) else { panic!("keys are not in memory") };
    assert!(verdict.await.into_verdict().unwrap().token.is_some());
    assert_eq!(server.jwks_requests(), 1);
}
