//! When keys are fetched again: unknown `kid`s, signatures that do not verify, and the limits on both.

use std::sync::Arc;

use pop_authserver::{Algorithm, DpopKey, TestAuthServer, TokenMint};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower_pop::keys::{FetchError, FetchResponse, JwksCaching};
use tower_pop::{Introspection, IssuerConfig};
use tracing::Level;

use super::{JWKS, Script, fetched, run_background_tasks};
use crate::log::Log;
use crate::support::{AUDIENCE, Expected, ISSUER, NOW, api_for};

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
    run_background_tasks().await;
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
