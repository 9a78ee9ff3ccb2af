//! The layer as a middleware of `reqwest-middleware`, against scripted servers on 127.0.0.1.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::HashSet;

use axum::Json;
use axum::body::Bytes;
use axum::response::IntoResponse;
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;
use pop_client::{BoundToken, ClientError, ProofLayer, ProofMethod, UrlError};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde_json::{Value, json};

use support::script::{ask_for, ok, seen, server};
use support::{key, layer};

fn client(layer: ProofLayer) -> ClientWithMiddleware {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    ClientBuilder::new(client).with(layer).build()
}

fn stream(parts: &[&'static str]) -> reqwest::Body {
    let frames: Vec<_> = parts
        .iter()
        .map(|part| Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(part.as_bytes()))))
        .collect();
    reqwest::Body::wrap(StreamBody::new(futures_util::stream::iter(frames)))
}

/// CLI-01, CLI-03, CLI-05: with the same content.
#[tokio::test]
async fn repeats_a_request_once_with_the_nonce_and_remembers_it() {
    let renewed = (StatusCode::OK, [("dpop-nonce", "n2")]).into_response();
    let (url, script) = server(vec![ask_for("n1"), renewed, ok()]).await;
    let client = client(layer(&url));
    for _ in 0..2 {
        let response = client.post(format!("{url}/notes?a=b")).body("buy milk").send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
    let seen = seen(&script);
    let nonces: Vec<Value> = seen.iter().map(|seen| seen.claim("nonce")).collect();
    assert_eq!(nonces, [Value::Null, json!("n1"), json!("n2")], "CLI-05");
    let ids: HashSet<String> = seen.iter().map(|seen| seen.claim("jti").to_string()).collect();
    assert_eq!(ids.len(), 3, "CLI-01");
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == "DPoP the-token"), "CLI-03");
    assert!(seen.iter().all(|seen| seen.claim("htu") == format!("{url}/notes") && seen.body == "buy milk"));
}

/// X-46, CLI-05: by a challenge, or by an OAuth error in the body.
#[tokio::test]
async fn does_not_repeat_a_request_twice() {
    let in_body = |nonce| {
        (StatusCode::BAD_REQUEST, [("dpop-nonce", nonce)], Json(json!({ "error": "use_dpop_nonce" }))).into_response()
    };
    for (first, second, status) in [(ask_for("n1"), ask_for("n2"), 401), (in_body("n1"), in_body("n2"), 400)] {
        let (url, script) = server(vec![first, second, ok()]).await;
        let client = client(layer(&url));
        assert_eq!(client.get(&url).send().await.unwrap().status(), status, "X-46");
        assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
        let nonces: Vec<Value> = seen(&script).iter().map(|seen| seen.claim("nonce")).collect();
        assert_eq!(nonces, [Value::Null, json!("n1"), json!("n2")], "CLI-05");
    }
}

/// CLI-08: as long as little of it was sent.
#[tokio::test]
async fn a_short_stream_is_sent_again_and_a_long_one_is_not() {
    for (limit, status) in [(8, 200), (7, 401)] {
        let (url, script) = server(vec![ask_for("n1"), ok(), ok()]).await;
        let client = client(layer(&url).max_kept_len(limit));
        let response = client.post(&url).body(stream(&["buy ", "milk"])).send().await.unwrap();
        assert_eq!(response.status(), status, "{limit}");
        assert!(seen(&script).iter().all(|seen| seen.body == "buy milk"), "{limit}: nothing is lost");
        assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
        assert_eq!(seen(&script).last().unwrap().claim("nonce"), "n1", "{limit}: the nonce is stored");
    }
}

/// CLI-16: bytes are covered, a stream is not.
#[tokio::test]
async fn signatures_cover_content() {
    let (url, script) = server(vec![ok()]).await;
    let token = BoundToken::new("the-token", ProofMethod::HttpSig(key()));
    let client = client(ProofLayer::new(token, &url).unwrap());
    assert_eq!(client.post(&url).body("buy milk").send().await.unwrap().status(), 200);
    assert!(seen(&script)[0].headers["signature-input"].to_str().unwrap().contains("content-digest"), "CLI-16");
    let error = client.post(&url).body(stream(&["buy milk"])).send().await.unwrap_err();
    assert!(matches!(client_error(&error), ClientError::StreamNotCovered), "{error:?}");
}

/// CLI-09, CLI-18: the token stays at its origin.
#[tokio::test]
async fn sends_nothing_to_another_origin() {
    let (url, script) = server(vec![ok()]).await;
    let (other, other_script) = server(vec![ok()]).await;
    let client = client(layer(&url));
    let error = client.get(format!("{other}/?code=secret")).send().await.unwrap_err();
    assert!(matches!(client_error(&error), ClientError::Url(UrlError::OtherOrigin { .. })), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("secret"));
    assert_eq!(seen(&other_script).len(), 0, "CLI-09");
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    assert_eq!(seen(&script).len(), 1);
}

fn client_error(error: &reqwest_middleware::Error) -> &ClientError {
    let reqwest_middleware::Error::Middleware(error) = error else { panic!("{error}") };
    error.downcast_ref().unwrap()
}
