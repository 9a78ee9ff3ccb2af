//! The parts that requests use: steps, replay store, introspection, nonces. Each test has a recorder of its own.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use pop_authserver::TestAuthServer;
use serde_json::json;
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::replay::RedisReplayStore;
use tower_pop::{Introspection, NoncePolicy, ProofKind, SignedContent};

use crate::log;
use crate::recorder::Notes;
use crate::support::{self, Answer, Api, ISSUER, NOW, api, api_for, api_with, issuer, request};

const STEPS: [&str; 3] = ["token", "proof", "replay"];

/// Starts to record on this thread. The tests have runtimes of one thread.
fn recorded(notes: &Notes) -> metrics::LocalRecorderGuard<'_> {
    log::prepare();
    metrics::set_default_local_recorder(notes)
}

fn steps(notes: &Notes) -> [usize; 3] {
    STEPS.map(|step| notes.count(&format!("pop_step_duration_seconds step={step}")))
}

/// X-68: each step that a request reaches, once, whatever its result is.
#[tokio::test]
async fn every_step_of_a_request_is_timed_once() {
    let notes = Notes::default();
    let _guard = recorded(&notes);
    let api = api();
    let mut expected = [0; 3];
    let token = api.token().mint();
    let proof = api.proof(&token).mint();
    let rows = [
        ("valid", token.clone(), proof.clone(), [1, 1, 1]),
        ("a replay", token.clone(), proof, [1, 1, 1]),
        ("another method", token.clone(), api.proof(&token).method("PUT").mint(), [1, 1, 0]),
        ("a token that is no token", "a.b.c".to_owned(), api.proof("a.b.c").mint(), [1, 0, 0]),
        ("a proof that cannot be read", token, "nonsense".to_owned(), [1, 0, 0]),
    ];
    for (row, token, proof, steps_of_row) in rows {
        api.with(&token, &proof).await;
        expected = [0, 1, 2].map(|at| expected[at] + steps_of_row[at]);
        assert_eq!(steps(&notes), expected, "{row}");
    }
    let slow = api_with(|builder| builder.replay_store(support::Slow::default()));
    slow.with_token(&slow.token().mint()).await;
    assert_eq!(steps(&notes), expected.map(|count| count + 1), "the store answers later");
    for step in STEPS {
        let durations = notes.values(&format!("pop_step_duration_seconds step={step}"));
        assert!(durations.iter().all(|seconds| (0.0..60.0).contains(seconds)), "{step} {durations:?}");
    }
}

/// A client with a wrong clock shows, although its proofs are rejected.
#[tokio::test]
async fn the_age_of_a_proof_is_recorded_when_it_is_rejected_for_it_too() {
    let notes = Notes::default();
    let _guard = recorded(&notes);
    let api = api();
    for issued_at in [NOW - 7, NOW - 95, NOW + 45] {
        api.with_proof(|proof| proof.issued_at(issued_at)).await;
    }
    assert_eq!(notes.values("pop_proof_age_seconds"), [7.0, 95.0, -45.0]);
    // The twin: without a valid token nothing is recorded.
    let token = api.token().tampered_signature().mint();
    api.with(&token, &api.proof(&token).issued_at(NOW - 95).mint()).await;
    assert_eq!(notes.count("pop_proof_age_seconds"), 3);
}

/// An authorization server that gives the next of its replies, and then fails.
#[derive(Clone, Default)]
struct Replies(Arc<Mutex<Vec<Result<FetchResponse, FetchError>>>>);

impl HttpFetch for Replies {
    fn fetch(&self, _: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let reply = self.0.lock().unwrap().pop().unwrap_or(Err(FetchError::Status(500)));
        Box::pin(std::future::ready(reply))
    }
}

impl Replies {
    fn says(&self, body: String) {
        self.0.lock().unwrap().push(Ok(FetchResponse::new(body).content_type("application/json")));
    }
}

fn introspecting(replies: &Replies) -> Api {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let introspection = Introspection::at("https://as.example/introspect")
        .client_secret_basic("api", "secret")
        .http_fetch(replies.clone())
        .jwt_first();
    let issuer = issuer(&server).introspection(introspection);
    api_for(server, issuer, |builder| builder)
}

fn active(api: &Api, audience: &str) -> String {
    let cnf = json!({ "jkt": api.key.thumbprint().to_string() });
    json!({
        "active": true, "aud": audience, "iss": ISSUER, "sub": "u", "client_id": "c", "jti": "j", "iat": NOW,
        "exp": NOW + 300, "scope": "notes:read", "cnf": cnf,
    })
    .to_string()
}

/// INTRO-07: calls by outcome, and the breaker of each lane.
#[tokio::test]
async fn introspection_requests_and_breakers_are_counted() {
    let notes = Notes::default();
    let _guard = recorded(&notes);
    let replies = Replies::default();
    let api = introspecting(&replies);
    let count = |outcome: &str| notes.count(&format!("pop_introspection_duration_seconds outcome={outcome}"));
    let outcomes = || ["active", "inactive", "rejected", "unusable", "failed"].map(count);
    let open = |lane: &str| {
        let series = format!("pop_introspection_breaker_open issuer={ISSUER} lane={lane}");
        notes.values(&series).last().copied()
    };
    let mut number = 0;
    let mut send = async || {
        number += 1;
        api.with_token(&format!("opaque-{number}")).await.status.as_u16()
    };
    assert_eq!((outcomes(), open("known"), open("unknown")), ([0; 5], None, None));
    for (reply, status, expected) in [
        (active(&api, support::AUDIENCE), 200, [1, 0, 0, 0, 0]),
        (r#"{"active":false}"#.to_owned(), 401, [1, 1, 0, 0, 0]),
        (active(&api, "https://other.example"), 401, [1, 1, 1, 0, 0]),
        ("<html>".to_owned(), 503, [1, 1, 1, 1, 0]),
    ] {
        replies.says(reply);
        assert_eq!((send().await, outcomes()), (status, expected));
    }
    assert_eq!(api.with_token("opaque-1").await.status, 200, "from memory");
    assert_eq!((outcomes(), open("unknown")), ([1, 1, 1, 1, 0], Some(0.0)));
    // New tokens of a key that was active count for the circuit of the others: ten failures open it.
    for failures in 1..=10 {
        assert_eq!((send().await, count("failed")), (503, failures));
        let is_open = if failures == 10 { 1.0 } else { 0.0 };
        assert_eq!((open("unknown"), open("known")), (Some(is_open), Some(0.0)), "{failures}");
    }
    api.clock.advance(5);
    replies.says(active(&api, support::AUDIENCE));
    assert_eq!((send().await, open("unknown")), (200, Some(0.0)), "it works again");
    // JWTs are verified here.
    api.with_token(&api.token().mint()).await;
    assert_eq!(outcomes(), [2, 1, 1, 1, 10]);
}

#[tokio::test]
async fn nonce_challenges_are_counted() {
    let notes = Notes::default();
    let _guard = recorded(&notes);
    let api = api_with(|builder| builder.nonce(NoncePolicy::Required));
    let counts = || {
        let reasons = ["missing", "stale", "replayed"];
        reasons.map(|reason| notes.sum(&format!("pop_nonce_challenges_total reason={reason}")))
    };
    let nonce = api.with_proof(|proof| proof).await.headers["dpop-nonce"].to_str().unwrap().to_owned();
    assert_eq!(counts(), [1.0, 0.0, 0.0]);
    assert_eq!(api.with_proof(|proof| proof.nonce(&nonce)).await.status, 200);
    assert_eq!(counts(), [1.0, 0.0, 0.0]);
    api.with_proof(|proof| proof.nonce("another")).await;
    assert_eq!(counts(), [1.0, 1.0, 0.0]);
    api.with_proof(|proof| proof.method("PUT").nonce(&nonce)).await;
    assert_eq!(counts(), [1.0, 1.0, 0.0], "another error asks for no nonce");
}

/// SHR-11: a signed request without `jti` whose nonce was used gets another one.
#[tokio::test]
async fn nonces_for_replays_are_counted() {
    let notes = Notes::default();
    let _guard = recorded(&notes);
    let api = api_with(|builder| {
        let builder = builder.proofs([ProofKind::SignedRequest]).signed_content(SignedContent::Off);
        builder.nonce(NoncePolicy::Required)
    });
    let token = api.token().without("cnf").claim("cnf", json!({ "jwk": api.key.public_jwk() })).mint();
    let send = async |nonce: &str| {
        let claims = json!({ "at": token, "ts": NOW, "m": "GET", "u": "api.example", "p": "/notes", "nonce": nonce });
        let signed = api.key.sign_jws(r#"{"typ":"pop","alg":"ES256"}"#, &claims.to_string()).unwrap();
        let mut request = request("", "");
        request.headers_mut().remove("dpop");
        request.headers_mut().insert(http::header::AUTHORIZATION, format!("PoP {signed}").parse().unwrap());
        api.send(request).await
    };
    let nonce_of = |answer: &Answer| answer.challenges()[0].split('"').nth(1).unwrap().to_owned();
    let count = |reason: &str| notes.sum(&format!("pop_nonce_challenges_total reason={reason}"));
    let nonce = nonce_of(&send("none").await);
    assert_eq!(send(&nonce).await.status, 200);
    assert_eq!(
        (count("stale"), count("replayed")),
        (1.0, 0.0),
        "{:?}",
        notes.created().iter().map(|s| (s.clone(), notes.values(s))).collect::<Vec<_>>()
    );
    assert_ne!(nonce_of(&send(&nonce).await), nonce);
    assert_eq!((count("stale"), count("replayed")), (1.0, 1.0));
}

/// What alerts depend on exists, as 0, before the first request. All names are in the guide for operators.
#[tokio::test]
async fn metrics_are_described_and_exist_before_the_first_request() {
    let notes = Notes::default();
    let _guard = recorded(&notes);
    drop(introspecting(&Replies::default()));
    drop(RedisReplayStore::builder("redis://127.0.0.1:1").build().unwrap());
    let created = notes.created();
    for series in [
        "pop_requests_total outcome=rejected code=replay.full",
        "pop_requests_total outcome=rejected code=layer.missing",
        "pop_key_fetches_total issuer=https://as.example outcome=failed",
        "pop_introspection_breaker_open issuer=https://as.example lane=known",
        "pop_introspection_duration_seconds outcome=failed",
        "pop_replay_store_duration_seconds outcome=unavailable",
        "pop_replay_store_fallbacks_total",
        "pop_nonce_challenges_total reason=missing",
        "pop_step_duration_seconds step=token",
    ] {
        assert!(created.contains(series), "{series}: {created:?}");
    }
    assert!(created.iter().all(|series| notes.count(series) == 0), "nothing has happened");
    let described = notes.described();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `pop_")?.split_once('`'));
    let in_guide: BTreeSet<String> = rows.map(|(name, _)| format!("pop_{name}")).collect();
    assert_eq!(described, in_guide);
    let used: BTreeSet<&str> = created.iter().filter_map(|series| series.split(' ').next()).collect();
    assert!(used.iter().all(|name| described.contains(*name)), "{used:?}");
}
