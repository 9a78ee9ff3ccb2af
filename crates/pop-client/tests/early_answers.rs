//! Servers that respond before the body of a request has arrived, and end the connection.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use pop_client::{ClientError, ClientOptions};
use pop_core::jose::CompactJws;
use serde_json::Value;
use support::{client, content_length, head, raw, response, rest, write};

const CHALLENGE: &str = "www-authenticate: DPoP error=\"use_dpop_nonce\", algs=\"ES256\"\r\ndpop-nonce: n1\r\n";

fn nonce_of(proof: &str) -> Option<String> {
    let jws = CompactJws::split(proof, 8192).unwrap().decode().unwrap();
    let claims: Value = serde_json::from_slice(jws.payload()).unwrap();
    claims["nonce"].as_str().map(str::to_owned)
}

fn proof_in(head: &str) -> &str {
    head.lines().find_map(|line| line.strip_prefix("dpop: ")).unwrap()
}

/// Method and size of the body of each request that was accepted.
type Accepted = Arc<Mutex<Vec<(Method, usize)>>>;

/// Rejects a request without a nonce by its head, as the layer does, and does not read its body.
async fn demanding() -> (String, Accepted) {
    async fn answer(State(accepted): State<Accepted>, request: Request) -> Response {
        if nonce_of(request.headers()["dpop"].to_str().unwrap()).as_deref() != Some("n1") {
            let fields = [("www-authenticate", "DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", "n1")];
            return (StatusCode::UNAUTHORIZED, fields).into_response();
        }
        let method = request.method().clone();
        let size = request.into_body().collect().await.unwrap().to_bytes().len();
        accepted.lock().unwrap().push((method, size));
        size.to_string().into_response()
    }
    let accepted = Accepted::default();
    let app = Router::new().fallback(answer).with_state(Arc::clone(&accepted));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, accepted)
}

/// CLI-08, CLI-28: over HTTP/1.1 and HTTP/2.
#[tokio::test]
async fn a_first_large_post_gets_the_nonce_and_arrives_once() {
    let (url, accepted) = demanding().await;
    let http1 = ClientOptions::new();
    let http2 = ClientOptions::new().http(reqwest::ClientBuilder::http2_prior_knowledge);
    for (version, options) in [("HTTP/1.1", http1), ("HTTP/2", http2)] {
        for size in [1000, 32 * 1024, 1 << 20, 8 << 20] {
            for _ in 0..10 {
                let answer = client(&options).post(&url).body(vec![7; size]).send().await;
                let answer = answer.unwrap_or_else(|error| panic!("CLI-28 {version} {size}: {error}"));
                assert_eq!(answer.text().await.unwrap(), size.to_string(), "CLI-28 {version}");
                assert_eq!(std::mem::take(&mut *accepted.lock().unwrap()), [(Method::POST, size)], "CLI-28 {version}");
            }
        }
    }
}

/// CLI-08, CLI-28: before the body has begun.
#[tokio::test]
async fn a_stream_is_sent_whole_when_the_challenge_comes_in_time() {
    let (url, accepted) = demanding().await;
    let parts = ["stre", "amed"].map(|part| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(part.as_bytes()))));
    let stream = reqwest::Body::wrap(StreamBody::new(futures_util::stream::iter(parts)));
    let answer = client(&ClientOptions::new()).post(&url).stream(stream).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "8", "CLI-28");
    assert_eq!(*accepted.lock().unwrap(), [(Method::POST, 8)], "CLI-08");
}

/// CLI-28: the rest of the body is met by a reset.
#[tokio::test]
async fn reads_a_response_that_comes_before_the_connection_ends() {
    let url = raw(|mut stream, number| async move {
        let (head, begun) = head(&mut stream).await;
        let asks = nonce_of(proof_in(&head)).is_none();
        assert_eq!(asks, number == 0);
        if asks {
            // Closes with the body unread: what the client sends now causes a reset.
            return write(&mut stream, &response("401 Unauthorized", CHALLENGE, "")).await;
        }
        let total = rest(&mut stream, content_length(&head), begun.len()).await;
        write(&mut stream, &response("200 OK", "", &total.to_string())).await;
    })
    .await;
    let answer = client(&ClientOptions::new()).post(&url).body(vec![7; 4 << 20]).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), (4 << 20).to_string(), "CLI-28");
}

/// The methods of all requests, and whether each had a nonce.
type Seen = Arc<Mutex<Vec<(String, bool)>>>;

/// Reads every request to its end. `breaks` says for which of them the connection ends without a response.
async fn breaking(breaks: fn(usize, &str) -> bool) -> (String, Seen) {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let url = raw(move |mut stream, number| {
        let log = Arc::clone(&log);
        async move {
            let (head, begun) = head(&mut stream).await;
            let method = head.split(' ').next().unwrap().to_owned();
            if breaks(number, &method) {
                // Not to its end: the rest causes a reset.
                rest(&mut stream, content_length(&head).min(64 * 1024), begun.len()).await;
                log.lock().unwrap().push((method, nonce_of(proof_in(&head)).is_some()));
                return;
            }
            let length = content_length(&head);
            let total = rest(&mut stream, length, begun.len()).await;
            let answer = match nonce_of(proof_in(&head)) {
                None if method == "HEAD" => response("401 Unauthorized", CHALLENGE, ""),
                _ if method == "HEAD" => response("200 OK", "dpop-nonce: n2\r\n", ""),
                _ => response("200 OK", "", &total.to_string()),
            };
            log.lock().unwrap().push((method, nonce_of(proof_in(&head)).is_some()));
            write(&mut stream, &answer).await;
        }
    })
    .await;
    (url, seen)
}

/// CLI-28: the caller's next attempt fetches a nonce first.
#[tokio::test]
async fn a_post_that_may_have_been_processed_is_not_repeated() {
    let quick = ClientOptions::new().body_delay(Duration::from_millis(20));
    let (url, seen) = breaking(|number, _| number == 0).await;
    let client = client(&quick);
    let broken = client.post(&url).body(vec![7; 8 << 20]).send().await;
    assert!(matches!(broken, Err(ClientError::Interrupted(_))), "CLI-28 {broken:?}");
    assert_eq!(*seen.lock().unwrap(), [("POST".to_owned(), false)], "CLI-28 once");
    let answer = client.post(&url).body(vec![7; 8 << 20]).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), (8 << 20).to_string());
    let expected = [("POST", false), ("HEAD", false), ("POST", true)].map(|(method, nonce)| (method.to_owned(), nonce));
    assert_eq!(*seen.lock().unwrap(), expected, "CLI-28 the caller's next attempt fetches a nonce first");
}

/// CLI-28: it is idempotent.
#[tokio::test]
async fn a_put_is_repeated_once_with_a_nonce() {
    let quick = ClientOptions::new().body_delay(Duration::from_millis(20));
    let put = async |url: &str| client(&quick).request(Method::PUT, url).body(vec![7; 8 << 20]).send().await;
    let (url, seen) = breaking(|number, _| number == 0).await;
    assert_eq!(put(&url).await.unwrap().text().await.unwrap(), (8 << 20).to_string(), "CLI-28");
    let expected = [("PUT", false), ("HEAD", false), ("PUT", true)].map(|(method, nonce)| (method.to_owned(), nonce));
    assert_eq!(*seen.lock().unwrap(), expected, "CLI-28");
    let (url, seen) = breaking(|_, method| method == "PUT").await;
    assert!(matches!(put(&url).await, Err(ClientError::Interrupted(_))), "CLI-28 once only");
    assert_eq!(seen.lock().unwrap().len(), 3, "CLI-28");
    let (url, seen) = breaking(|_, _| true).await;
    let small = client(&quick).request(Method::POST, &url).body("x").send().await;
    assert!(matches!(small, Err(ClientError::Http(_))) && seen.lock().unwrap().len() <= 1, "CLI-28 {small:?}");
}

/// CLI-28: by a HEAD request.
#[tokio::test]
async fn fetches_a_nonce_before_a_large_body_when_the_known_one_is_old() {
    let (url, seen) = breaking(|_, _| false).await;
    for (age, expected) in [(0, "HEAD HEAD POST"), (60, "HEAD POST")] {
        let client = client(&ClientOptions::new().max_nonce_age(Duration::from_secs(age)));
        assert!(client.warm_up(&url).await.unwrap(), "CLI-28");
        client.post(&url).body(vec![7; 100_000]).send().await.unwrap();
        client.post(&url).body("small").send().await.unwrap();
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        let methods: Vec<&str> = seen.iter().map(|(method, _)| method.as_str()).collect();
        assert_eq!(methods.join(" "), format!("{expected} POST"), "CLI-28 {age}");
        assert!(seen[1..].iter().all(|(_, nonce)| *nonce), "CLI-28");
    }
}

/// CLI-28: nothing waits after the first request, or after `warm_up`.
#[tokio::test]
async fn a_server_without_nonces_gets_one_request_and_delays_one_body() {
    let seen: Arc<Mutex<usize>> = Arc::default();
    let count = Arc::clone(&seen);
    let url = raw(move |mut stream, _| {
        *count.lock().unwrap() += 1;
        async move {
            let (head, begun) = head(&mut stream).await;
            rest(&mut stream, content_length(&head), begun.len()).await;
            write(&mut stream, &response("200 OK", "", "")).await;
        }
    })
    .await;
    let delay = Duration::from_secs(2);
    let own = client(&ClientOptions::new().body_delay(delay));
    let mut took = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        own.post(&url).body(vec![7; 100_000]).send().await.unwrap();
        took.push(begun.elapsed() >= delay);
    }
    assert_eq!((took, *seen.lock().unwrap()), (vec![true, false], 2), "CLI-28");
    let warm = client(&ClientOptions::new().body_delay(delay));
    assert!(!warm.warm_up(&url).await.unwrap(), "CLI-28 it has no nonces");
    let begun = Instant::now();
    warm.post(&url).body(vec![7; 100_000]).send().await.unwrap();
    assert!(begun.elapsed() < delay, "CLI-28 no wait after a warm-up");
}
