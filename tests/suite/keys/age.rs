//! How long keys and the tokens verified with them are used.

use std::sync::Arc;
use std::time::Duration;

use pop_authserver::TestAuthServer;
use serde_json::json;
use tower_pop::keys::{FetchError, FetchResponse};
use tower_pop::{Introspection, IssuerConfig};

use super::{JWKS, Script, api, fetched, run_background_tasks};
use crate::support::{AUDIENCE, Expected, ISSUER, NOW, api_for};

/// ATK-27, X-69: an outage of the authorization server never extends the trust in a key without limit.
#[tokio::test]
async fn stale_keys_are_used_until_their_end_and_then_503() {
    let script = Script::new();
    let api = fetched(&script).await;
    script.set(JWKS, Err(FetchError::Connection));
    api.clock.advance(301);
    let token = || api.token().claim("exp", NOW + 100_000).mint();
    api.with_token(&token()).await.is(Expected::Ok, "ATK-27 stale-if-error");
    run_background_tasks().await;
    assert_eq!(script.requests(), 2, "refreshed in the background");
    api.clock.advance(3590);
    api.with_token(&token()).await.is(Expected::Ok, "ATK-27 just before the end");
    run_background_tasks().await;
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
    run_background_tasks().await;
    api.with_token(&old).await.is(Expected::Token, "ATK-29 the key is gone").coded("token.unknown_key", "ATK-29");
    let fresh = api.token().claim("exp", NOW + 100_000).mint();
    api.with_token(&fresh).await.is(Expected::Ok, "the new key works");
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
        run_background_tasks().await;
        assert_eq!(script.requests(), 1, "{cache_control}: still fresh");
        api.clock.advance(1);
        api.with_token(&token).await.is(Expected::Ok, cache_control);
        run_background_tasks().await;
        assert_eq!(script.requests(), 2, "{cache_control}: refreshed");
    }
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
        ("a response that takes 60 s", 300, 0, 60, 240),
        ("both", 300, 200, 60, 40),
        ("more than the maximum", 86_400, 3_500, 0, 100),
    ] {
        let script = Script::new();
        let api = api(&script, |builder| builder);
        script.set(JWKS, Ok(response(max_age, age)(api.server.jwks_json())));
        script.takes.set((Arc::clone(&api.clock), takes)).unwrap();
        let token = api.token().claim("exp", NOW + 100_000).mint();
        // A proof may be this old, and the first request waits for as long as the response takes.
        let proof = || api.proof(&token).issued_at(tower_pop::clock::Clock::now(&*api.clock) + takes.min(29)).mint();
        api.with(&token, &proof()).await.is(Expected::Ok, row);
        api.clock.advance(fresh_for - 1);
        api.with(&token, &proof()).await.is(Expected::Ok, row);
        run_background_tasks().await;
        assert_eq!(script.requests(), 1, "{row}: still fresh");
        api.clock.advance(1);
        api.with(&token, &proof()).await.is(Expected::Ok, row);
        run_background_tasks().await;
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
    run_background_tasks().await;
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
    run_background_tasks().await;
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
    api.with_token("opaque").await.is(Expected::Ok, "introspected");
    api.clock.set_wall_clock(NOW + 59);
    api.with_token("opaque").await.is(Expected::Ok, "59 s of suspension");
    assert_eq!(script.requests(), 1);
    api.clock.set_wall_clock(NOW + 60);
    api.with_token("opaque").await.is(Expected::Ok, "60 s of suspension");
    assert_eq!(script.requests(), 2, "introspected again");
    api.clock.set_wall_clock(NOW);
    api.clock.advance(59);
    api.with_token("opaque").await.is(Expected::Ok, "a clock that was set back");
    assert_eq!(script.requests(), 2);
    api.clock.advance(1);
    api.with_token("opaque").await.is(Expected::Ok, "extends nothing");
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
        run_background_tasks().await;
    }
    assert_eq!(script.requests(), 2);
    // Back again: nothing is kept for longer.
    api.clock.set_wall_clock(NOW);
    for _ in 0..50 {
        api.with_token(&token()).await.is(Expected::Ok, "back again");
        run_background_tasks().await;
    }
    assert_eq!(script.requests(), 2, "and nothing ends because of it");
    for i in 0..50 {
        api.with_token(&api.token().header("kid", format!("{i}")).mint()).await.is(Expected::Token, "ATK-26");
    }
    assert_eq!(script.requests(), 2 + 3, "the burst is the same");
    script.set(JWKS, Err(FetchError::Timeout));
    api.clock.advance(301);
    api.with_token(&token()).await.is(Expected::Ok, "by the monotonic clock it is stale");
    run_background_tasks().await;
    assert_eq!(script.requests(), 6);
    script.serve(JWKS, api.server.jwks_json());
    api.clock.set_wall_clock(NOW - 100_000);
    api.clock.advance(6);
    let early = api.token().claim("iat", 1).claim("exp", NOW + 10_000_000).mint();
    api.with_token(&early).await.is(Expected::Ok, "by the wall clock the failure lies in the future");
    run_background_tasks().await;
    assert_eq!(script.requests(), 7, "and the fetch is tried again");
}
