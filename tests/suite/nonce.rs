//! NONCE: server-provided nonces (RFC 9449 §8, §9).

use std::sync::Arc;

use http::header::HeaderValue;
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::{IatPolicy, NoncePolicy, PopLayer};

use crate::support::{Answer, Api, Expected, NOW, api_with, request};

fn required() -> Api {
    api_with(|builder| builder.nonce(NoncePolicy::Required).nonce_keys([[7; 32]]))
}

fn nonce_of(answer: &Answer) -> String {
    answer.headers["dpop-nonce"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn nonce_01_nonce_10_a_missing_nonce_is_asked_for() {
    let api = required();
    let token = api.token().mint();
    let proof = api.proof(&token).jti("kept").mint();
    let answer = api.with(&token, &proof).await.is(Expected::Nonce, "NONCE-01").coded("nonce.missing", "NONCE-01");
    let nonce = nonce_of(&answer);
    let proof = api.proof(&token).jti("kept").nonce(&nonce).mint();
    let answer = api.with(&token, &proof).await.is(Expected::Ok, "NONCE-01 NONCE-15: the jti was not used up");
    assert!(!answer.headers.contains_key("dpop-nonce"), "the current nonce is not repeated");
    api.with(&token, &api.proof(&token).mint()).await.is(Expected::Nonce, "NONCE-06 X-45: asked for again, always");
}

#[tokio::test]
async fn nonce_02_nonce_13_nonce_17_refuses_nonces_of_others() {
    let api = required();
    let other = api_with(|builder| builder.nonce(NoncePolicy::Required).nonce_keys([[8; 32]]));
    let theirs = nonce_of(&other.with_proof(|proof| proof).await);
    let ours = nonce_of(&api.with_proof(|proof| proof).await);
    assert_ne!(theirs, ours, "NONCE-05");
    api.with_proof(|proof| proof.nonce(&ours)).await.is(Expected::Ok, "the twin");
    for nonce in [theirs.as_str(), &ours[1..], &ours.to_uppercase(), "x", "1800000000", "k9Jyxempel2305Nmx7Rk"] {
        let answer = api.with_proof(|proof| proof.nonce(nonce)).await.is(Expected::Nonce, "NONCE-02 NONCE-13 NONCE-17");
        assert_eq!(answer.code, Some("nonce.stale"));
    }
}

#[tokio::test]
async fn nonce_08_nonce_09_hands_out_the_next_one_in_time() {
    let api = required();
    let first = nonce_of(&api.with_proof(|proof| proof).await);
    let mut steps = 0;
    loop {
        api.clock.advance(60);
        let answer = api.with_proof(|proof| proof.nonce(&first)).await;
        if answer.status != 200 {
            answer.is(Expected::Nonce, "NONCE-08 three steps old").coded("nonce.stale", "NONCE-08");
            break;
        }
        let next = nonce_of(&answer);
        assert_ne!(next, first, "NONCE-09 a 200 carries the next one");
        assert_eq!(answer.headers["cache-control"], "no-store", "NONCE-10");
        api.with_proof(|proof| proof.nonce(&next)).await.is(Expected::Ok, "NONCE-09");
        steps += 1;
    }
    assert_eq!(steps, 2, "NONCE-08 current and two previous steps");
}

#[tokio::test]
async fn nonce_03_replaces_the_applications_own_nonce() {
    let api = required();
    let nonce = nonce_of(&api.with_proof(|proof| proof).await);
    api.clock.advance(60);
    let token = api.token().mint();
    let inner = service_fn(|_: Request<()>| async {
        let mut response = Response::new(String::new());
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        response.headers_mut().append("dpop-nonce", HeaderValue::from_static("the app's"));
        response.headers_mut().append("dpop-nonce", HeaderValue::from_static("twice"));
        Ok::<_, std::convert::Infallible>(response)
    });
    let proof = api.proof(&token).nonce(&nonce).mint();
    let response = PopLayer::new(api.cfg.clone()).layer(inner).oneshot(request(&token, &proof)).await.unwrap();
    assert_eq!(response.status(), 404, "NONCE-09 also with an error of the handler");
    assert_eq!(response.headers().get_all("dpop-nonce").iter().count(), 1, "NONCE-03");
}

#[tokio::test]
async fn nonce_11_serves_many_proofs_and_jti_stays_single_use() {
    let api = required();
    let nonce = nonce_of(&api.with_proof(|proof| proof).await);
    for jti in ["a", "b"] {
        api.with_proof(|proof| proof.nonce(&nonce).jti(jti)).await.is(Expected::Ok, "NONCE-11");
    }
    api.with_proof(|proof| proof.nonce(&nonce).jti("a")).await.is(Expected::Proof, "NONCE-11");
}

#[tokio::test]
async fn nonce_12_can_stand_in_for_iat() {
    let strict = required();
    let nonce = nonce_of(&strict.with_proof(|proof| proof).await);
    let answer = strict.with_proof(|proof| proof.nonce(&nonce).issued_at(NOW - 3600)).await;
    answer.is(Expected::Proof, "D-05 by default both are checked");
    let api =
        api_with(|builder| builder.nonce(NoncePolicy::Required).nonce_keys([[7; 32]]).iat_policy(IatPolicy::NonceOnly));
    let early = |jti: &'static str, iat: u64| {
        let nonce = nonce.clone();
        move |proof: pop_authserver::ProofMint| proof.nonce(&nonce).issued_at(iat).jti(jti)
    };
    api.with_proof(early("slow", NOW - 3600)).await.is(Expected::Ok, "NONCE-12");
    api.with_proof(early("fast", NOW + 3600)).await.is(Expected::Ok, "NONCE-12");
    api.clock.advance(150);
    api.with_proof(early("slow", NOW - 3600)).await.is(Expected::Proof, "NONCE-11 remembered for the nonce's life");
    api.with_proof(|proof| proof.issued_at(NOW)).await.is(Expected::Nonce, "NONCE-06");
}

#[tokio::test]
async fn nonce_11_replay_12_x_40_a_clock_that_steps_back_revives_no_proof_that_only_its_nonce_dates() {
    let api =
        api_with(|builder| builder.nonce(NoncePolicy::Required).nonce_keys([[7; 32]]).iat_policy(IatPolicy::NonceOnly));
    let token = api.token().claim("iat", NOW - 10_000).claim("exp", NOW + 10_000).mint();
    let send = async |nonce: &str, jti: &str| {
        let proof = api.proof(&token).nonce(nonce).jti(jti).mint();
        api.with(&token, &proof).await
    };
    let first = nonce_of(&send("x", "x").await);
    send(&first, "used").await.is(Expected::Ok, "NONCE-11");
    api.clock.advance(600);
    let later = nonce_of(&send("x", "y").await);
    send(&later, "other").await.is(Expected::Ok, "what was used before is forgotten by now");
    for back in [0, 30, 90, 150] {
        api.clock.set_wall_clock(NOW + back);
        send(&first, "used").await.is(Expected::Proof, "REPLAY-12 X-40").coded("replay.replayed", "REPLAY-12");
    }
    api.clock.set_wall_clock(NOW + 600);
    send(&later, "another").await.is(Expected::Ok, "the twin");
}

#[tokio::test]
async fn nonce_14_every_replica_with_the_key_accepts_it() {
    let (one, two) = (required(), required());
    let nonce = nonce_of(&one.with_proof(|proof| proof).await);
    two.with_proof(|proof| proof.nonce(&nonce)).await.is(Expected::Ok, "NONCE-14");
    let rotated = api_with(|builder| builder.nonce(NoncePolicy::Required).nonce_keys([[9; 32], [7; 32]]));
    rotated.with_proof(|proof| proof.nonce(&nonce)).await.is(Expected::Ok, "NONCE-14 rotation with overlap");
}

#[tokio::test]
async fn nonce_15_is_judged_after_the_signature() {
    let api = required();
    api.with_proof(pop_authserver::ProofMint::tampered_signature).await.is(Expected::Proof, "NONCE-15");
    api.with_proof(|proof| proof.without("jti")).await.is(Expected::Proof, "NONCE-15");
    api.with_proof(|proof| proof.issued_at(1)).await.is(Expected::Proof, "NONCE-15");
    api.with_proof(|proof| proof).await.is(Expected::Nonce, "NONCE-15, the twin");
}

#[tokio::test]
async fn a_policy_can_ask_per_request() {
    let policy = NoncePolicy::PerRequest(Arc::new(|parts| parts.uri.path() == "/transfer"));
    let api = api_with(|builder| builder.nonce(policy));
    api.with_proof(|proof| proof).await.is(Expected::Ok, "NONCE-06 a route without nonces");
    let token = api.token().mint();
    let mut transfer = request(&token, &api.proof(&token).url("https://api.example/transfer").mint());
    *transfer.uri_mut() = "/transfer".parse().unwrap();
    api.send(transfer).await.is(Expected::Nonce, "NONCE-06 a route with nonces");
}
