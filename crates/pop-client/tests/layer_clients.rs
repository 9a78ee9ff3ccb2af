//! The tower layer around real clients: `hyper-util` and `tonic`, against scripted servers on 127.0.0.1.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use axum::response::IntoResponse;
use bytes::{Buf as _, BufMut as _, Bytes};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use pop_client::{BoundToken, ClientError, ProofLayer, ProofMethod, ProofServiceError, RepeatableBody};
use pop_core::content::content_digest;
use serde_json::{Value, json};
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Endpoint;
use tonic::{Code, Status};
use tower::{Layer, ServiceBuilder, ServiceExt};

use support::script::{ask_for, ok, seen, server};
use support::{key, layer};

/// CLI-05: over HTTP/1.1 and HTTP/2.
#[tokio::test]
async fn works_around_hyper_util() {
    for http2 in [false, true] {
        let (url, script) = server(vec![ask_for("n1"), ok()]).await;
        let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
        let client = layer(&url).layer(client);
        let request = Request::post(format!("{url}/notes|1?a=b")).body(Full::new(Bytes::from("buy milk"))).unwrap();
        assert_eq!(client.oneshot(request).await.unwrap().status(), 200);
        let seen = seen(&script);
        let nonces: Vec<Value> = seen.iter().map(|seen| seen.claim("nonce")).collect();
        assert_eq!(nonces, [Value::Null, json!("n1")], "CLI-05");
        for seen in &seen {
            assert_eq!((&seen.headers["content-length"], &*seen.body), (&"8".parse().unwrap(), &b"buy milk"[..]));
            assert!(seen.path.ends_with("/notes%7C1?a=b"), "CLI-02 the path that the proof names is sent");
            assert_eq!(seen.claim("htu"), format!("{url}/notes%7C1"), "CLI-02");
        }
    }
}

/// CLI-16: message signatures and envelopes cover content, which the layer does not read ahead.
#[tokio::test]
async fn signs_with_the_proof_that_the_token_needs() {
    for (proof, scheme) in
        [(ProofMethod::Dpop(key()), "DPoP"), (ProofMethod::HttpSig(key()), "HTTPSig"), (ProofMethod::Pop(key()), "PoP")]
    {
        let (url, script) = server(vec![ok(), ok(), ok()]).await;
        let layer = ProofLayer::new(BoundToken::new("the-token", proof), &url).unwrap();
        let client = layer.layer(Client::builder(TokioExecutor::new()).build_http());
        let request = |content: &'static str, digest: bool| {
            let request = Request::post(&url).body(Full::new(Bytes::from(content)));
            let mut request = request.unwrap();
            if digest {
                request.headers_mut().insert("content-digest", content_digest(content.as_bytes()));
            }
            request
        };
        assert!(client.clone().oneshot(request("", false)).await.is_ok(), "{scheme}");
        let undigested = client.clone().oneshot(request("buy milk", false)).await;
        let digested = client.oneshot(request("buy milk", true)).await;
        match scheme {
            "DPoP" => assert!(undigested.is_ok() && digested.is_ok()),
            "HTTPSig" => assert!(is_not_covered(&undigested) && digested.is_ok(), "CLI-16"),
            _ => assert!(is_not_covered(&undigested) && is_not_covered(&digested)),
        }
        for seen in seen(&script) {
            assert!(seen.headers["authorization"].to_str().unwrap().starts_with(&format!("{scheme} ")));
            assert_eq!(seen.headers.contains_key("signature"), scheme == "HTTPSig");
        }
    }
}

fn is_not_covered<R>(result: &Result<R, ProofServiceError>) -> bool {
    matches!(result, Err(ProofServiceError::Request(ClientError::StreamNotCovered)))
}

/// CLI-10: once, and only if it is asked for.
#[tokio::test]
async fn follows_the_clock_of_the_server() {
    let late = || {
        let challenge = ("www-authenticate", "DPoP error=\"invalid_dpop_proof\"");
        let date = ("date", "Mon, 01 Jan 2001 00:00:00 GMT");
        (StatusCode::UNAUTHORIZED, [challenge, date]).into_response()
    };
    for (follows, requests) in [(true, 2), (false, 1)] {
        let (url, script) = server(vec![late(), late(), ok()]).await;
        let layer = if follows { layer(&url).follow_server_clock() } else { layer(&url) };
        let client = layer.layer(Client::builder(TokioExecutor::new()).build_http());
        let request = Request::get(&url).body(Full::<Bytes>::default()).unwrap();
        assert_eq!(client.oneshot(request).await.unwrap().status(), 401);
        let times: Vec<u64> = seen(&script).iter().map(|seen| seen.claim("iat").as_u64().unwrap()).collect();
        assert_eq!(times.len(), requests, "CLI-10");
        let january_2001 = 978_307_200;
        assert_eq!(times.last().unwrap().abs_diff(january_2001) < 60, follows, "CLI-10");
    }
}

/// Messages as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}

/// CLI-05: a message of a unary call is sent again, whether the challenge comes under status 401 or 200.
#[tokio::test]
async fn works_around_a_tonic_channel() {
    let without_message = (StatusCode::OK, [("grpc-status", "16")], ask_for("n1").headers().clone()).into_response();
    for challenge in [ask_for("n1"), without_message] {
        let headers = [("content-type", "application/grpc"), ("grpc-status", "0")];
        let message = (headers, Bytes::from_static(b"\0\0\0\0\x02hi")).into_response();
        let rejected = (StatusCode::FORBIDDEN, [("www-authenticate", "DPoP error=\"insufficient_scope\"")]);
        let (url, script) = server(vec![challenge, message, rejected.into_response()]).await;
        let channel = Endpoint::from_shared(url.clone()).unwrap().connect_lazy();
        let channel = ServiceBuilder::new()
            .layer(layer(&url))
            .map_request(|request: Request<RepeatableBody<Body>>| request.map(Body::new))
            .service(channel);
        let mut client = Grpc::new(channel);
        let mut statuses = Vec::new();
        for _ in 0..2 {
            client.ready().await.unwrap();
            let request = tonic::Request::new(Bytes::from("hello"));
            statuses.push(client.unary(request, "/hello.Greeter/Greet".parse().unwrap(), Raw).await);
        }
        let rejected = statuses[1].as_ref().unwrap_err();
        assert_eq!(rejected.code(), Code::PermissionDenied, "{rejected:?}");
        assert!(rejected.metadata().get("www-authenticate").is_some(), "{rejected:?}");
        let seen = seen(&script);
        let nonces: Vec<Value> = seen.iter().map(|seen| seen.claim("nonce")).collect();
        assert_eq!(nonces, [Value::Null, json!("n1"), json!("n1")], "CLI-05");
        assert!(seen.iter().all(|seen| &seen.body[..] == b"\0\0\0\0\x05hello"));
        assert!(seen.iter().all(|seen| seen.claim("htu") == format!("{url}/hello.Greeter/Greet")), "CLI-02");
    }
}

/// No server listens: `tonic` finds its own error among the causes.
#[tokio::test]
async fn a_connection_error_is_unavailable() {
    let url = "http://127.0.0.1:1";
    let channel = ServiceBuilder::new()
        .layer(layer(url))
        .map_request(|request: Request<RepeatableBody<Body>>| request.map(Body::new))
        .service(Endpoint::from_static(url).connect_lazy());
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let request = tonic::Request::new(Bytes::from("hello"));
    let status = client.unary(request, "/hello.Greeter/Greet".parse().unwrap(), Raw).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}
