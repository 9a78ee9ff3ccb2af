//! The tower layer around functions, which give scripted responses and keep the requests.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use pop_client::{BoundToken, ClientError, ProofLayer, ProofMethod, ProofServiceError, RepeatableBody, UrlError};
use pop_core::jose::CompactJws;
use serde_json::{Value, json};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceExt, service_fn};

use support::key;

const ORIGIN: &str = "https://api.example";

/// A request that was sent: its head, and its whole body.
struct Sent {
    head: http::request::Parts,
    body: Bytes,
}

impl Sent {
    fn claim(&self, name: &str) -> Value {
        let jws = CompactJws::split(self.head.headers["dpop"].to_str().unwrap(), 8192).unwrap().decode().unwrap();
        serde_json::from_slice::<Value>(jws.payload()).unwrap()[name].clone()
    }
}

#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<Response<String>>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Server {
    fn new(answers: impl IntoIterator<Item = Response<String>>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), sent: Arc::default() }
    }

    fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    /// The service: reads the body, gives the next response, and 200 when there is none.
    fn service<B>(
        &self,
    ) -> impl Service<Request<RepeatableBody<B>>, Response = Response<String>, Error = Infallible, Future: Send>
    + Clone
    + use<B>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let server = self.clone();
        service_fn(move |request: Request<RepeatableBody<B>>| {
            let server = server.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                server.sent.lock().unwrap().push(Sent { head, body });
                let answer = server.answers.lock().unwrap().pop_front();
                Ok(answer.unwrap_or_default())
            }
        })
    }
}

fn answer(status: u16, fields: &[(&str, &str)]) -> Response<String> {
    let builder = Response::builder().status(status);
    fields.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(String::new()).unwrap()
}

fn ask_for(nonce: &str) -> Response<String> {
    answer(401, &[("www-authenticate", "DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", nonce)])
}

fn token() -> BoundToken {
    BoundToken::new("the-token", ProofMethod::Dpop(key()))
}

fn layer() -> ProofLayer {
    ProofLayer::new(token(), ORIGIN).unwrap()
}

fn get(uri: &str) -> Request<Empty<Bytes>> {
    Request::get(uri).body(Empty::new()).unwrap()
}

fn post(body: &'static str) -> Request<Full<Bytes>> {
    Request::post("/notes").body(Full::from(body)).unwrap()
}

/// A body that is sent in these parts.
fn stream(parts: &[&'static str]) -> Request<impl Body<Data = Bytes, Error = Infallible> + Send + use<>> {
    let frames: Vec<_> = parts.iter().map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))).collect();
    Request::post("/notes").body(StreamBody::new(futures_util::stream::iter(frames))).unwrap()
}

/// CLI-01, CLI-02, CLI-03: for a URI with or without an origin.
#[tokio::test]
async fn every_request_has_the_token_and_a_new_proof() {
    let server = Server::default();
    let service = layer().layer(server.service());
    for uri in ["/notes?a=b", "https://api.example/notes?a=b", "https://API.example:443/notes?a=b"] {
        assert_eq!(service.clone().oneshot(get(uri)).await.unwrap().status(), 200);
    }
    let sent = server.sent();
    assert!(sent.iter().all(|sent| sent.head.headers["authorization"] == "DPoP the-token"), "CLI-03");
    assert!(sent.iter().all(|sent| sent.claim("htu") == "https://api.example/notes"), "CLI-02");
    assert!(sent.iter().all(|sent| sent.claim("htm") == "GET" && sent.claim("ath").is_string()));
    assert!(sent.iter().all(|sent| sent.head.uri.query() == Some("a=b")), "the request is sent as it is");
    let ids: HashSet<String> = sent.iter().map(|sent| sent.claim("jti").to_string()).collect();
    assert_eq!(ids.len(), 3, "CLI-01");
}

/// CLI-05: and the body again.
#[tokio::test]
async fn repeats_a_request_once_with_the_nonce_and_remembers_it() {
    let server = Server::new([ask_for("n1"), answer(200, &[("dpop-nonce", "n2")]), answer(200, &[])]);
    let service = layer().layer(server.service());
    for _ in 0..2 {
        assert_eq!(service.clone().oneshot(post("buy milk")).await.unwrap().status(), 200);
    }
    let sent = server.sent();
    let nonces: Vec<Value> = sent.iter().map(|sent| sent.claim("nonce")).collect();
    assert_eq!(nonces, [Value::Null, json!("n1"), json!("n2")], "CLI-05");
    assert!(sent.iter().all(|sent| sent.body == "buy milk"));
    let ids: HashSet<String> = sent.iter().map(|sent| sent.claim("jti").to_string()).collect();
    assert_eq!(ids.len(), 3, "CLI-01 a new proof for each attempt");
}

/// the second challenge is the caller's.
#[tokio::test]
async fn does_not_repeat_a_request_twice() {
    let server = Server::new([ask_for("n1"), ask_for("n2"), answer(200, &[])]);
    let service = layer().layer(server.service());
    assert_eq!(service.clone().oneshot(get("/")).await.unwrap().status(), 401, "X-46");
    assert_eq!(server.sent().len(), 2);
    assert_eq!(service.oneshot(get("/")).await.unwrap().status(), 200);
    assert_eq!(server.sent()[0].claim("nonce"), "n2", "its nonce is stored nevertheless");
}

/// CLI-06: no usable nonce, or another error.
#[tokio::test]
async fn other_responses_are_returned_as_they_are() {
    for rejected in [
        answer(401, &[("www-authenticate", "DPoP error=\"use_dpop_nonce\"")]),
        answer(401, &[("www-authenticate", "DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", "a b")]),
        answer(401, &[("www-authenticate", "DPoP error=\"invalid_token\""), ("dpop-nonce", "n")]),
        answer(403, &[("www-authenticate", "DPoP error=\"insufficient_scope\"")]),
        answer(307, &[("location", "https://other.example/")]),
    ] {
        let (status, fields) = (rejected.status(), rejected.headers().clone());
        let server = Server::new([rejected]);
        let response = layer().layer(server.service()).oneshot(get("/")).await.unwrap();
        assert_eq!((response.status(), response.headers()), (status, &fields));
        assert_eq!(server.sent().len(), 1, "{fields:?}");
    }
}

/// A response without a message has its gRPC status among the fields, under status 200.
#[tokio::test]
async fn understands_nonce_challenges_of_grpc() {
    let challenge = [("www-authenticate", "DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", "n1")];
    for (code, sent) in [("16", 2), ("7", 1)] {
        let fields = [&challenge[..], &[("grpc-status", code)]].concat();
        let server = Server::new([answer(200, &fields)]);
        layer().layer(server.service()).oneshot(get("/")).await.unwrap();
        assert_eq!(server.sent().len(), sent, "{code}");
    }
}

/// CLI-08: as long as little of it was sent.
#[tokio::test]
async fn a_short_stream_is_sent_again_and_a_long_one_is_not() {
    for (limit, repeated) in [(8, true), (7, false), (0, false)] {
        let server = Server::new([ask_for("n1"), answer(200, &[])]);
        let service = layer().max_kept_len(limit).layer(server.service());
        let response = service.clone().oneshot(stream(&["buy ", "milk"])).await.unwrap();
        assert_eq!(response.status(), if repeated { 200 } else { 401 }, "{limit}");
        let sent = server.sent();
        assert_eq!(sent.len(), if repeated { 2 } else { 1 }, "{limit}");
        assert!(sent.iter().all(|sent| sent.body == "buy milk"), "{limit}: nothing is lost");
        assert_eq!(service.oneshot(stream(&[])).await.unwrap().status(), 200);
        assert_eq!(server.sent()[0].claim("nonce"), "n1", "{limit}: the nonce is stored");
    }
}

/// CLI-08: what was not read yet follows.
#[tokio::test]
async fn a_stream_that_was_read_in_part_is_sent_completely_the_second_time() {
    let read = Arc::new(Mutex::new(Vec::new()));
    let (seen, tasks) = (Arc::clone(&read), Arc::new(Mutex::new(Vec::new())));
    let late = Arc::clone(&tasks);
    let early = service_fn(move |request: Request<RepeatableBody<_>>| {
        let (seen, late) = (Arc::clone(&seen), Arc::clone(&late));
        async move {
            let mut body = request.into_body();
            if request_is_first(&seen) {
                let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
                seen.lock().unwrap().push(first);
                // The rest of the first body is read late, as by a connection that still sends it.
                late.lock().unwrap().push(tokio::spawn(async move { body.frame().await.unwrap().is_err() }));
                return Ok::<_, Infallible>(ask_for("n1"));
            }
            let whole = body.collect().await.unwrap().to_bytes();
            seen.lock().unwrap().push(whole);
            Ok(answer(200, &[]))
        }
    });
    let response = layer().layer(early).oneshot(stream(&["buy ", "milk", "!"])).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(*read.lock().unwrap(), ["buy ", "buy milk!"]);
    let task = tasks.lock().unwrap().pop().unwrap();
    assert!(task.await.unwrap(), "the rest of the first body was taken away");
}

/// A body that panics when it is polled after its end, as streams may.
struct Once(Option<&'static str>, bool);

impl Body for Once {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        assert!(!self.1, "polled after its end");
        let data = self.0.take();
        self.1 = data.is_none();
        std::task::Poll::Ready(data.map(|data| Ok(Frame::data(Bytes::from(data)))))
    }
}

#[tokio::test]
async fn a_body_is_not_polled_after_its_end() {
    let server = Server::new([ask_for("n1")]);
    let request = Request::post("https://api.example/notes").body(Once(Some("buy milk"), false)).unwrap();
    let response = layer().layer(server.service()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let bodies: Vec<Bytes> = server.sent().into_iter().map(|sent| sent.body).collect();
    assert_eq!(bodies, ["buy milk", "buy milk"]);
}

/// CLI-08: a part must not pass for the whole.
#[tokio::test]
async fn a_body_that_failed_is_not_sent_again() {
    let failing = || {
        let parts = [Ok(Frame::data(Bytes::from("buy "))), Err(std::io::Error::other("the file is gone"))];
        StreamBody::new(futures_util::stream::iter(parts))
    };
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    let service = service_fn(move |request: Request<RepeatableBody<_>>| {
        *counted.lock().unwrap() += 1;
        async move {
            let _ = request.into_body().collect().await; // as far as it goes
            Ok::<_, Infallible>(ask_for("n1"))
        }
    });
    let request = Request::post("https://api.example/notes").body(failing()).unwrap();
    let response = layer().layer(service).oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), *calls.lock().unwrap()), (401, 1));
}

#[tokio::test]
async fn the_host_field_must_name_the_origin() {
    for (host, sent) in [("api.example", true), ("API.example:443", true), ("other.example", false), ("", false)] {
        let server = Server::new([]);
        let request = Request::get("https://api.example/notes").header("host", host).body(Empty::<Bytes>::new());
        let result = layer().layer(server.service()).oneshot(request.unwrap()).await;
        assert_eq!((result.is_ok(), server.sent().len() == 1), (sent, sent), "{host:?}");
        if let Err(error) = result {
            let other = matches!(&error, ProofServiceError::Request(ClientError::Url(UrlError::OtherOrigin { .. })));
            assert!(other, "{host:?}: {error}");
        }
    }
}

/// The proof names the origin in its one form. So does the request.
#[tokio::test]
async fn an_address_in_another_form_is_sent_in_the_usual_one() {
    let server = Server::new([]);
    let layer = ProofLayer::new(BoundToken::new("the-token", ProofMethod::Dpop(key())), "http://127.0.0.1").unwrap();
    let request = Request::get("http://0x7f.1:80/notes").body(Empty::<Bytes>::new()).unwrap();
    layer.layer(server.service()).oneshot(request).await.unwrap();
    let sent = server.sent().remove(0);
    assert_eq!(sent.head.uri, "http://127.0.0.1/notes");
    assert_eq!(sent.claim("htu"), "http://127.0.0.1/notes");
}

fn request_is_first(seen: &Mutex<Vec<Bytes>>) -> bool {
    seen.lock().unwrap().is_empty()
}

/// The size of the body is the one of the body inside, so that `Content-Length` is too.
#[tokio::test]
async fn a_body_keeps_its_size() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let service = service_fn(move |request: Request<RepeatableBody<Full<Bytes>>>| {
        seen.lock().unwrap().push((request.body().size_hint().exact(), request.body().is_end_stream()));
        let first = seen.lock().unwrap().len() == 1;
        async move {
            request.into_body().collect().await.unwrap();
            Ok::<_, Infallible>(if first { ask_for("n1") } else { answer(200, &[]) })
        }
    });
    let service = layer().layer(service);
    service.clone().oneshot(post("buy milk")).await.unwrap();
    service.oneshot(post("")).await.unwrap();
    assert_eq!(*sizes.lock().unwrap(), [(Some(8), false), (Some(8), false), (Some(0), true)]);
}

/// CLI-09, CLI-18: the token stays at its origin.
#[tokio::test]
async fn sends_nothing_to_another_origin() {
    let server = Server::default();
    let service = layer().layer(server.service());
    for uri in [
        "https://other.example/notes",
        "http://api.example/notes",
        "https://api.example:444/notes",
        "https://api.example.other.example/",
        "https://user:secret@api.example/",
        "*",
        "api.example:443",
    ] {
        let error = service.clone().oneshot(get(uri)).await.unwrap_err();
        assert!(matches!(error, ProofServiceError::Request(ClientError::Url(_))), "{uri}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{uri}");
    }
    assert_eq!(server.sent().len(), 0, "CLI-09");
    assert_eq!(service.oneshot(get("https://api.example/notes")).await.unwrap().status(), 200);
    assert_eq!(server.sent().len(), 1);
}

/// CLI-18: nor to no origin at all.
#[test]
fn needs_an_origin_that_is_https_or_loopback() {
    for origin in [ORIGIN, "https://api.example/", "http://127.0.0.1:8080", "http://[::1]", "http://localhost"] {
        assert!(ProofLayer::new(token(), origin).is_ok(), "{origin}");
    }
    assert!(matches!(ProofLayer::new(token(), "http://api.example"), Err(UrlError::PlainHttp { .. })), "CLI-18");
    for origin in ["https://api.example/v1", "https://api.example?a", "api.example", "https://user@api.example", ""] {
        assert!(ProofLayer::new(token(), origin).is_err(), "{origin}");
    }
}

/// CLI-11
#[tokio::test]
async fn shows_no_token_and_no_proof() {
    let server = Server::default();
    let mut service = layer().layer(server.service());
    let text = format!("{:?} {service:?}", layer());
    let future = service.ready().await.unwrap().call(post("buy milk"));
    let text = format!("{text} {future:?}");
    future.await.unwrap();
    let text = format!("{text} {:?}", server.sent()[0].head.headers);
    assert!(text.contains("https://api.example") && text.contains("Sensitive"), "{text}");
    assert!(!text.contains("the-token") && !text.contains("eyJ"), "CLI-11 {text}");
}

/// The nonce that one request learns is the next one's.
#[tokio::test]
async fn serves_many_requests_at_once_behind_a_limit() {
    let server = Server::new([ask_for("n1")]);
    let service = layer().layer(ConcurrencyLimitLayer::new(2).layer(server.service()));
    let calls = (0..20).map(|_| tokio::spawn(service.clone().oneshot(post("x")))).collect::<Vec<_>>();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    let sent = server.sent();
    let ids: HashSet<String> = sent.iter().map(|sent| sent.claim("jti").to_string()).collect();
    assert_eq!((sent.len(), ids.len()), (21, 21), "each attempt has its own proof");
}

/// A new token keeps the nonce, and an earlier service keeps its token.
#[tokio::test]
async fn the_token_can_be_replaced() {
    let server = Server::new([answer(200, &[("dpop-nonce", "n1")])]);
    let layer = layer();
    let first = layer.layer(server.service());
    first.clone().oneshot(get("/")).await.unwrap();
    let second = layer.with_token(BoundToken::new("refreshed", ProofMethod::Dpop(key()))).layer(server.service());
    second.oneshot(get("/")).await.unwrap();
    first.oneshot(get("/")).await.unwrap();
    let sent = server.sent();
    let tokens: Vec<_> = sent.iter().map(|sent| sent.head.headers["authorization"].to_str().unwrap()).collect();
    assert_eq!(tokens, ["DPoP the-token", "DPoP refreshed", "DPoP the-token"]);
    assert_eq!(sent[1].claim("nonce"), "n1");
}

/// Errors of the inner service stay reachable by `source`.
#[tokio::test]
async fn errors_of_the_inner_service_pass_through() {
    let failing = service_fn(|_: Request<RepeatableBody<Empty<Bytes>>>| async {
        Err::<Response<String>, _>(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
    });
    let error = layer().layer(failing).oneshot(get("/")).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);
}
