//! Nonces of the server (RFC 9449 §8, §9).

use std::sync::Arc;

use http::header::HeaderValue;
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::{ConfigError, IatPolicy, NoncePolicy, PopLayer, nonce_keys_from_text};

use crate::support::{Answer, Api, Expected, NOW, api_with, request};

fn required() -> Api {
    api_with(|builder| builder.nonce(NoncePolicy::Required).nonce_keys([[7; 32]]))
}

fn nonce_of(answer: &Answer) -> String {
    answer.headers["dpop-nonce"].to_str().unwrap().to_owned()
}

/// NONCE-01, NONCE-06, NONCE-10, NONCE-15: with 401 and a nonce; the `jti` is not used up.
#[tokio::test]
async fn asks_for_a_missing_nonce() {
    let api = required();
    let token = api.token().mint();
    let proof = api.proof(&token).jti("kept").mint();
    let answer = api.with(&token, &proof).await.is(Expected::Nonce, "NONCE-01").coded("nonce.missing", "NONCE-01");
    let nonce = nonce_of(&answer);
    let proof = api.proof(&token).jti("kept").nonce(&nonce).mint();
    let answer = api.with(&token, &proof).await.is(Expected::Ok, "NONCE-01 NONCE-15: the jti was not used up");
    assert!(!answer.headers.contains_key("dpop-nonce"), "the current nonce is not repeated");
    api.with(&token, &api.proof(&token).mint())
        .await
        .is(Expected::Nonce, "NONCE-06 X-45: every proof without a nonce is rejected");
}

/// NONCE-02, NONCE-13, NONCE-17: and of other protocols.
#[tokio::test]
async fn rejects_nonces_that_are_altered_or_of_other_servers() {
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

/// NONCE-08, NONCE-09, NONCE-10: the current nonce and the two before it are accepted.
#[tokio::test]
async fn hands_out_the_next_nonce_before_it_is_needed() {
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

/// NONCE-03, NONCE-09: a response has one `DPoP-Nonce`, also with an error of the handler.
#[tokio::test]
async fn replaces_the_nonce_that_the_application_set() {
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

/// NONCE-11: a nonce replaces no replay check.
#[tokio::test]
async fn one_nonce_serves_many_proofs_and_each_jti_once() {
    let api = required();
    let nonce = nonce_of(&api.with_proof(|proof| proof).await);
    for jti in ["a", "b"] {
        api.with_proof(|proof| proof.nonce(&nonce).jti(jti)).await.is(Expected::Ok, "NONCE-11");
    }
    api.with_proof(|proof| proof.nonce(&nonce).jti("a")).await.is(Expected::Proof, "NONCE-11");
}

/// NONCE-12, NONCE-11, D-05: the `jti` is remembered for as long as the nonce lives.
#[tokio::test]
async fn a_nonce_can_replace_the_check_of_iat() {
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
    api.with_proof(early("new", NOW - 3600)).await.is(Expected::Ok, "NONCE-11 and new proofs pass for as long");
    api.with_proof(|proof| proof.issued_at(NOW)).await.is(Expected::Nonce, "NONCE-06");
}

/// NONCE-11, REPLAY-12, X-40: with `IatPolicy::NonceOnly` the end of the nonce is the end of the proof.
#[tokio::test]
async fn a_clock_that_steps_back_revives_no_proof_that_its_nonce_dates() {
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
    send(&later, "other").await.is(Expected::Ok, "the first proof is forgotten by now");
    for back in [0, 30, 90, 150] {
        api.clock.set_wall_clock(NOW + back);
        send(&first, "used").await.is(Expected::Proof, "REPLAY-12 X-40").coded("replay.replayed", "REPLAY-12");
    }
    api.clock.set_wall_clock(NOW + 600);
    send(&later, "another").await.is(Expected::Ok, "the twin");
}

/// NONCE-14: also while the keys rotate.
#[tokio::test]
async fn replicas_with_the_same_key_accept_each_others_nonces() {
    let (one, two) = (required(), required());
    let nonce = nonce_of(&one.with_proof(|proof| proof).await);
    two.with_proof(|proof| proof.nonce(&nonce)).await.is(Expected::Ok, "NONCE-14");
    let rotated = api_with(|builder| builder.nonce(NoncePolicy::Required).nonce_keys([[9; 32], [7; 32]]));
    rotated.with_proof(|proof| proof.nonce(&nonce)).await.is(Expected::Ok, "NONCE-14 rotation with overlap");
}

/// NONCE-14: keys are replaced in a running server, and no client is asked for another proof.
#[tokio::test]
async fn keys_of_nonces_can_be_replaced_while_requests_are_verified() {
    let with = |keys: &[[u8; 32]]| {
        let keys = keys.to_vec();
        api_with(move |builder| builder.nonce(NoncePolicy::Required).nonce_keys(keys))
    };
    let (one, other) = (with(&[[7; 32]]), with(&[[7; 32]]));
    let by_old = nonce_of(&one.with_proof(|proof| proof).await);
    for (row, keys) in [("known", [[7; 32], [8; 32]]), ("first", [[8; 32], [7; 32]])] {
        one.cfg.set_nonce_keys(keys).unwrap();
        one.with_proof(|proof| proof.nonce(&by_old)).await.is(Expected::Ok, row);
    }
    let by_new = nonce_of(&one.with_proof(|proof| proof).await);
    assert_ne!(by_new, by_old);
    one.with_proof(|proof| proof.nonce(&by_new)).await.is(Expected::Ok, "the new one");
    other.with_proof(|proof| proof.nonce(&by_new)).await.is(Expected::Nonce, "a replica that does not know it yet");
    other.cfg.set_nonce_keys([[7; 32], [8; 32]]).unwrap();
    other.with_proof(|proof| proof.nonce(&by_new)).await.is(Expected::Ok, "and does now");
    one.cfg.set_nonce_keys([[8; 32]]).unwrap();
    one.with_proof(|proof| proof.nonce(&by_old)).await.is(Expected::Nonce, "the old key is gone");
    assert!(one.cfg.set_nonce_keys([]).is_err());
    one.with_proof(|proof| proof.nonce(&by_new)).await.is(Expected::Ok, "no key at all changes nothing");
    let off = api_with(|builder| builder);
    assert!(matches!(off.cfg.set_nonce_keys([[7; 32]]), Err(ConfigError::NonceKeys(_))));
}

/// NONCE-14: what is no key is named by its line, and not shown.
#[test]
fn nonce_keys_can_be_read_from_text() {
    let key = |byte: u8| pop_core::jose::encode([byte; 32]);
    let text = format!("# the new one\n{}\n\n  {}=  \r\n", key(8), key(7));
    assert_eq!(nonce_keys_from_text(&text).unwrap(), [[8; 32], [7; 32]]);
    for (row, text, line) in [
        ("short", format!("{}\nAAAA", key(1)), Some(2)),
        ("long", format!("\n#\n{}AAAA", key(1)), Some(3)),
        ("not base64url", "s3cret/+".repeat(6), Some(1)),
        ("two on a line", format!("{} {}", key(1), key(2)), Some(1)),
        ("empty", String::new(), None),
        ("comments only", "# none\n\n".to_owned(), None),
    ] {
        let error = nonce_keys_from_text(&text).unwrap_err();
        match (&error, line) {
            (ConfigError::NonceKeyLine(found), Some(line)) => assert_eq!(*found, line, "{row}"),
            (ConfigError::NonceKeys(_), None) => {}
            _ => panic!("{row}: {error}"),
        }
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{row}");
    }
}

/// NONCE-15: an invalid proof learns nothing about nonces.
#[tokio::test]
async fn checks_the_nonce_after_the_signature() {
    let api = required();
    api.with_proof(pop_authserver::ProofMint::tampered_signature).await.is(Expected::Proof, "NONCE-15");
    api.with_proof(|proof| proof.without("jti")).await.is(Expected::Proof, "NONCE-15");
    api.with_proof(|proof| proof.issued_at(1)).await.is(Expected::Proof, "NONCE-15");
    api.with_proof(|proof| proof).await.is(Expected::Nonce, "NONCE-15, the twin");
}

/// NONCE-06: one route requires a nonce and another does not.
#[tokio::test]
async fn a_policy_can_require_nonces_per_request() {
    let policy = NoncePolicy::PerRequest(Arc::new(|parts| parts.uri.path() == "/transfer"));
    let api = api_with(|builder| builder.nonce(policy));
    api.with_proof(|proof| proof).await.is(Expected::Ok, "NONCE-06 a route without nonces");
    let token = api.token().mint();
    let mut transfer = request(&token, &api.proof(&token).url("https://api.example/transfer").mint());
    *transfer.uri_mut() = "/transfer".parse().unwrap();
    api.send(transfer).await.is(Expected::Nonce, "NONCE-06 a route with nonces");
}

/// NONCE-06: a policy sees the path as the client used it, wherever its layer is.
#[tokio::test]
async fn a_policy_sees_the_canonical_target_on_every_layer() {
    let seen: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let policy = NoncePolicy::PerRequest(Arc::new(move |request| {
        log.lock().unwrap().push(request.uri.to_string());
        request.method == http::Method::GET && request.uri.path() == "/api/transfer~"
    }));
    let api = api_with(|builder| builder.nonce(policy));
    let inner = axum::Router::new()
        .route("/transfer~", axum::routing::get(|| async { "transferred" }))
        .route("/transfer%7E", axum::routing::get(|| async { "transferred" }))
        .route("/notes", axum::routing::get(|| async { "notes" }))
        .layer(PopLayer::new(api.cfg.clone()));
    let app = axum::Router::new().nest("/api", inner);
    for (path, status) in [("/api/transfer~", 401), ("/api/transfer%7E?a=1", 401), ("/api/notes", 200)] {
        let token = api.token().mint();
        let url = format!("https://api.example{}", path.split('?').next().unwrap());
        let mut request = request(&token, &api.proof(&token).url(&url).mint()).map(|()| axum::body::Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "NONCE-06 {path}");
        assert_eq!(response.headers().contains_key("dpop-nonce"), status == 401, "NONCE-03 {path}");
    }
    let expected =
        ["/api/transfer~", "/api/transfer~?a=1", "/api/notes"].map(|path| format!("https://api.example{path}"));
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// NONCE-06, X-45: a verdict of an outer layer that required no nonce does not skip the nonce that this layer requires.
#[tokio::test]
async fn a_reused_verdict_does_not_skip_the_nonce() {
    #[derive(Clone)]
    struct Transfer;
    let policy = NoncePolicy::PerRequest(Arc::new(|request| request.extensions.get::<Transfer>().is_some()));
    let api = api_with(|builder| builder.nonce(policy).nonce_keys([[7; 32]]));
    let send = async |nonce: Option<&str>, transfer: bool| {
        let cfg = api.cfg.clone();
        let handler =
            service_fn(|_: Request<()>| async { Ok::<_, std::convert::Infallible>(Response::new(String::new())) });
        let inner = PopLayer::new(cfg.clone()).layer(handler);
        let marked = tower::util::MapRequest::new(inner, move |mut request: Request<()>| {
            if transfer {
                request.extensions_mut().insert(Transfer);
            }
            request
        });
        let token = api.token().mint();
        let proof = match nonce {
            Some(nonce) => api.proof(&token).nonce(nonce).mint(),
            None => api.proof(&token).mint(),
        };
        PopLayer::new(cfg).layer(marked).oneshot(request(&token, &proof)).await.unwrap()
    };
    assert_eq!(send(None, false).await.status(), 200, "the twin: no nonce is needed");
    let rejected = send(None, true).await;
    assert_eq!(rejected.status(), 401, "NONCE-06 X-45");
    assert!(rejected.headers()["www-authenticate"].to_str().unwrap().contains("use_dpop_nonce"));
    let nonce = rejected.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    assert_eq!(send(Some("a-nonce-of-another-server"), true).await.status(), 401, "NONCE-13");
    assert_eq!(send(Some(&nonce), true).await.status(), 200, "the twin: a proof with a fresh nonce, used once");
    assert_eq!(send(Some("whatever"), false).await.status(), 200, "where no nonce is required, it is not checked");
}

/// NONCE-06, X-45: the nonce must be in the proof that the outer layer verified, and not in one that replaced it.
#[tokio::test]
async fn a_nonce_of_another_proof_does_not_count() {
    #[derive(Clone)]
    struct Transfer;
    let policy = NoncePolicy::PerRequest(Arc::new(|request| request.extensions.get::<Transfer>().is_some()));
    let api = api_with(|builder| builder.nonce(policy).nonce_keys([[7; 32]]));
    let nonce = {
        let required = api_with(|builder| builder.nonce(NoncePolicy::Required).nonce_keys([[7; 32]]));
        nonce_of(&required.with_proof(|proof| proof).await)
    };
    let token = api.token().mint();
    let proof = |jti: &str| api.proof(&token).jti(jti);
    for (row, sent, put, status) in [
        ("no nonce", proof("a").mint(), None, 401),
        ("its jti and a nonce, unsigned", proof("b").mint(), Some(proof("b").nonce(&nonce).tampered_signature()), 401),
        ("another jti and a nonce", proof("c").mint(), Some(proof("d").nonce(&nonce)), 401),
        (
            "the twin: the nonce is in the proof that the outer layer verified",
            proof("e").nonce(&nonce).mint(),
            None,
            200,
        ),
    ] {
        let handler =
            service_fn(|_: Request<()>| async { Ok::<_, std::convert::Infallible>(Response::new(String::new())) });
        let inner = PopLayer::new(api.cfg.clone()).layer(handler);
        let replaced = tower::util::MapRequest::new(inner, move |mut request: Request<()>| {
            request.extensions_mut().insert(Transfer);
            if let Some(proof) = &put {
                request.headers_mut().insert("dpop", proof.mint().parse().unwrap());
            }
            request
        });
        let response = PopLayer::new(api.cfg.clone()).layer(replaced).oneshot(request(&token, &sent)).await.unwrap();
        assert_eq!(response.status(), status, "NONCE-06 {row}");
    }
}

/// NONCE-01: in mode `ReportOnly` an inner layer that requires a nonce lets a request pass and hands one out.
#[tokio::test]
async fn report_only_passes_and_hands_out_a_nonce_when_an_inner_layer_requires_one() {
    #[derive(Clone)]
    struct Transfer;
    let policy = NoncePolicy::PerRequest(Arc::new(|request| request.extensions.get::<Transfer>().is_some()));
    let api = api_with(|builder| builder.nonce(policy).nonce_keys([[7; 32]]).mode(tower_pop::Mode::ReportOnly));
    let handler =
        service_fn(|_: Request<()>| async { Ok::<_, std::convert::Infallible>(Response::new(String::new())) });
    let inner = PopLayer::new(api.cfg.clone()).layer(handler);
    let marked = tower::util::MapRequest::new(inner, |mut request: Request<()>| {
        request.extensions_mut().insert(Transfer);
        request
    });
    let token = api.token().mint();
    let request = request(&token, &api.proof(&token).mint());
    let response = PopLayer::new(api.cfg.clone()).layer(marked).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200, "NONCE-01");
    assert!(response.headers().contains_key("dpop-nonce"), "NONCE-01");
}

/// NONCE-01, NONCE-09: in mode `ReportOnly` clients get nonces, so that they are ready when the mode changes.
#[tokio::test]
async fn report_only_hands_out_nonces() {
    let api = api_with(|builder| {
        builder.nonce(NoncePolicy::Required).nonce_keys([[7; 32]]).mode(tower_pop::Mode::ReportOnly)
    });
    let answer = api.with_proof(|proof| proof).await.is(Expected::Ok, "NONCE-01 passes without a nonce");
    assert_eq!(answer.headers["cache-control"], "no-store", "NONCE-10");
    let nonce = nonce_of(&answer);
    assert_eq!(answer.token.unwrap().proof().kind(), tower_pop::ProofKind::Unproven);
    let ready = api.with_proof(|proof| proof.nonce(&nonce)).await.is(Expected::Ok, "NONCE-01 the client is ready");
    assert_eq!(ready.token.unwrap().proof().kind(), tower_pop::ProofKind::Dpop);
    assert!(!ready.headers.contains_key("dpop-nonce"), "NONCE-09 the nonce is of this step");
    let stale = api.with_proof(|proof| proof.nonce("stale")).await.is(Expected::Ok, "NONCE-02 a stale one");
    assert_eq!(nonce_of(&stale), nonce);
    let late =
        api.with_proof(|proof| proof.issued_at(NOW - 3600)).await.is(Expected::Ok, "a proof that fails otherwise");
    assert_eq!(nonce_of(&late), nonce);
    let required = api.cfg.with_mode(tower_pop::Mode::Required).unwrap();
    let token = api.token().mint();
    let ready = request(&token, &api.proof(&token).nonce(&nonce).mint());
    api.send_through(&required, ready).await.is(Expected::Ok, "NONCE-14 and after the mode has changed");
    let off = api_with(|builder| builder.mode(tower_pop::Mode::ReportOnly));
    let answer = off.with_proof(|proof| proof.issued_at(1)).await.is(Expected::Ok, "where nonces are off");
    assert!(!answer.headers.contains_key("dpop-nonce"), "NONCE-01");
}

/// NONCE-04: and what `Debug` shows of keys.
#[test]
fn tells_nonces_from_other_text() {
    for (text, expected) in
        [("abc", true), ("!#[]~", true), ("", false), ("a b", false), ("a\"b", false), ("a\\b", false)]
    {
        assert_eq!(pop_core::nonce::is_nonce(text), expected, "{text:?}");
    }
    let keys = pop_core::nonce::NonceKeys::new([[7; 32], [8; 32]], "https://api.example").unwrap();
    assert_eq!(format!("{keys:?}"), "NonceKeys(2)");
}
