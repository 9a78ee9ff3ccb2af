//! Several stores: regions, processes without a common store, and shards. `docs/scaling.md` builds on these facts.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use tower_pop::clock::Clock;
use tower_pop::{NoncePolicy, PopConfig, PopConfigBuilder};

use crate::support::{AUDIENCE, Api, Expected, api_with, issuer, request};

/// Returns another process of the same API, with a store of its own.
fn beside(api: &Api, configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> PopConfig {
    let clock: Arc<dyn Clock> = api.clock.clone();
    configure(PopConfig::builder(issuer(&api.server), AUDIENCE).clock(clock)).build().unwrap()
}

fn with_nonce_key(key: u8) -> impl FnOnce(PopConfigBuilder) -> PopConfigBuilder {
    move |builder| builder.nonce(NoncePolicy::Required).nonce_keys([[key; 32]])
}

/// Returns the nonce that a process asks for.
async fn nonce_of(api: &Api, cfg: &PopConfig) -> String {
    let token = api.token().mint();
    let answer = api.send_through(cfg, request(&token, &api.proof(&token).mint())).await;
    answer.is(Expected::Nonce, "no nonce yet").headers["dpop-nonce"].to_str().unwrap().to_owned()
}

/// NONCE-13, NONCE-14: regions whose nonces have other keys need no common store.
#[tokio::test]
async fn a_proof_is_fresh_in_the_region_of_its_nonce_only() {
    let api = api_with(with_nonce_key(1));
    let (here, there) = (api.cfg.clone(), beside(&api, with_nonce_key(2)));
    let token = api.token().mint();
    let of_here = api.proof(&token).nonce(&nonce_of(&api, &here).await).mint();
    api.send_through(&here, request(&token, &of_here)).await.is(Expected::Ok, "where its nonce is from");
    let answer = api.send_through(&there, request(&token, &of_here)).await;
    let answer = answer.is(Expected::Nonce, "a copy in another region").coded("nonce.stale", "in another region");
    // A client that moves gets the nonce with the rejection, and goes on after one more round trip.
    let nonce = answer.headers["dpop-nonce"].to_str().unwrap();
    let of_there = api.proof(&token).nonce(nonce).mint();
    api.send_through(&there, request(&token, &of_there)).await.is(Expected::Ok, "the twin: the client moves");
    api.send_through(&here, request(&token, &of_there)).await.is(Expected::Nonce, "and not back with the same proof");
    api.send_through(&here, request(&token, &of_here)).await.is(Expected::Proof, "the store of the region knows it");
}

/// NONCE-14: a region that accepts the nonces of another one, by a second key, accepts its proofs once more.
#[tokio::test]
async fn regions_that_share_a_nonce_key_without_a_store_accept_a_copy() {
    let api = api_with(with_nonce_key(1));
    let there = beside(&api, |builder| builder.nonce(NoncePolicy::Required).nonce_keys([[2; 32], [1; 32]]));
    let token = api.token().mint();
    let proof = api.proof(&token).nonce(&nonce_of(&api, &api.cfg).await).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "first");
    api.send_through(&there, request(&token, &proof)).await.is(Expected::Ok, "a replay");
}

/// NONCE-14: without configured keys, each process has its own. A copy is worthless elsewhere, and after a restart.
#[tokio::test]
async fn a_proof_for_one_process_is_stale_at_another() {
    let own_key = |builder: PopConfigBuilder| builder.nonce(NoncePolicy::Required);
    let api = api_with(own_key);
    let token = api.token().mint();
    let proof = api.proof(&token).nonce(&nonce_of(&api, &api.cfg).await).mint();
    let other = beside(&api, own_key);
    api.send_through(&other, request(&token, &proof)).await.is(Expected::Nonce, "another process, or after a restart");
    api.with(&token, &proof).await.is(Expected::Ok, "the twin");
    api.with(&token, &proof).await.is(Expected::Proof, "a copy at the same process");
}

/// REPLAY-02: affinity must route by the token. A copy can have the rest of the field in another form.
#[tokio::test]
async fn the_authorization_field_of_a_copy_can_have_another_hash() {
    let api = api_with(|builder| builder);
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    api.with(&token, &proof).await.is(Expected::Ok, "first");
    for field in [format!("dpop {token}"), format!("DPoP  {token}")] {
        let mut copy = request(&token, &proof);
        copy.headers_mut().insert(AUTHORIZATION, field.parse().unwrap());
        let other = beside(&api, |builder| builder);
        api.send_through(&other, copy.clone())
            .await
            .is(Expected::Ok, "a replay at a process that did not see the first");
        api.send(copy).await.is(Expected::Proof, "the twin: at the process that did");
    }
}

/// REPLAY-02: regions with origins of their own need no common store either.
#[tokio::test]
async fn a_proof_for_the_origin_of_one_region_is_rejected_in_another() {
    let of_region = |origin: &'static str| move |builder: PopConfigBuilder| builder.public_origin(origin);
    let api = api_with(of_region("https://eu.api.example"));
    let there = beside(&api, of_region("https://us.api.example"));
    let token = api.token().mint();
    let proof = api.proof(&token).url("https://eu.api.example/notes").mint();
    let answer = api.send_through(&there, request(&token, &proof)).await;
    answer.is(Expected::Proof, "in another region");
    api.with(&token, &proof).await.is(Expected::Ok, "the twin");
}
