//! The content of requests, as far as a proof covers it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use pop_client::Envelope;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::clock::ManualClock;
use tower_pop::{Error, Mode, PopLayer, ProofKind, SignedContent, VerifiedBody};

use super::{Answer, CONTENT, Resource};
use crate::support::NOW;

const URL: &str = "https://api.example/echo";

fn resource(rule: SignedContent) -> Resource {
    Resource::new(|builder| builder.proofs([ProofKind::SignedRequest]).signed_content(rule).content_limit(64))
}

fn signed(resource: &Resource, content: Option<&str>) -> String {
    let token = resource.token(json!({ "jwk": resource.jwk() }));
    let envelope = Envelope::new("POST", URL, &token).issued_at(NOW);
    let envelope = match content {
        Some(content) => envelope.content(content.as_bytes()),
        None => envelope,
    };
    envelope.sign(&resource.key).unwrap()
}

fn request<B>(credentials: &str, body: B) -> Request<B> {
    Request::post("/echo").header(AUTHORIZATION, format!("PoP {credentials}")).body(body).unwrap()
}

async fn post(resource: &Resource, signed: &str, content: &'static str) -> Answer {
    resource.send(request(signed, Full::from(content))).await
}

/// SHR-10, SIG-23: the three rules. A digest that a proof covers always counts.
#[tokio::test]
async fn content_must_be_covered_as_the_rule_says() {
    for rule in [SignedContent::Required, SignedContent::IfPresent, SignedContent::Off] {
        let resource = resource(rule);
        let row = format!("{rule}");
        post(&resource, &signed(&resource, Some(CONTENT)), CONTENT).await.accepted(CONTENT, &row);
        let other = post(&resource, &signed(&resource, Some("other")), CONTENT).await;
        assert_eq!(other.rejected("PoP ", "invalid_proof", &row).code, Some("content.digest_mismatch"));
        post(&resource, &signed(&resource, None), "").await.accepted("", &row);
        let uncovered = post(&resource, &signed(&resource, None), CONTENT).await;
        if rule == SignedContent::Required {
            assert_eq!(uncovered.rejected("PoP ", "invalid_proof", &row).code, Some("content.uncovered"));
        } else {
            uncovered.accepted(CONTENT, &row);
        }
    }
}

/// SIG-24, SHR-10: 413 only for a request whose head verifies; the proof stays unused.
#[tokio::test]
async fn content_over_the_limit_is_rejected_before_it_is_buffered() {
    let long: &'static str = "x".repeat(65).leak();
    let fits: &'static str = "x".repeat(64).leak();
    let resource = resource(SignedContent::Required);
    let proof = signed(&resource, Some(long));
    for _ in 0..2 {
        let answer = post(&resource, &proof, long).await;
        assert_eq!((answer.status.as_u16(), answer.code), (413, Some("content.too_large")));
        assert!(answer.challenges().is_empty());
    }
    post(&resource, &signed(&resource, Some(fits)), fits).await.accepted(fits, "at the limit");
    post(&resource, "no-credentials", long).await.rejected("PoP ", "invalid_token", "no valid head");
}

/// A body that comes in pieces, and fails or goes on after them.
struct Pieces(Vec<Result<&'static str, ()>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.0.remove(0).map(|piece| Frame::data(Bytes::from(piece)));
        Poll::Ready(Some(piece.map_err(|()| std::io::ErrorKind::ConnectionReset.into())))
    }
}

async fn send_pieces(
    resource: &Resource,
    proof: &str,
    pieces: Vec<Result<&'static str, ()>>,
) -> (u16, Option<&'static str>, Bytes) {
    let echo = service_fn(|request: Request<VerifiedBody<Pieces>>| async move {
        assert!(request.body().is_verified());
        let content = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(content)))
    });
    let layer = PopLayer::new(resource.cfg.clone()).verify_content();
    let response = layer.layer(echo).oneshot(request(proof, Pieces(pieces))).await.unwrap();
    let code = response.extensions().get::<Error>().map(Error::code);
    (response.status().as_u16(), code, response.into_body().collect().await.unwrap().to_bytes())
}

/// SIG-24: content of unknown length, in pieces; a body that ends early leaves the proof unused.
#[tokio::test]
async fn content_that_comes_in_pieces_is_verified_as_a_whole() {
    let resource = resource(SignedContent::Required);
    let proof = signed(&resource, Some("onetwo"));
    let broken = send_pieces(&resource, &proof, vec![Ok("one"), Err(())]).await;
    assert_eq!((broken.0, broken.1), (400, Some("content.incomplete")));
    let swapped = send_pieces(&resource, &proof, vec![Ok("two"), Ok("one")]).await;
    assert_eq!((swapped.0, swapped.1), (401, Some("content.digest_mismatch")));
    let long = send_pieces(&resource, &proof, vec![Ok("one"), Ok("x".repeat(64).leak()), Ok("more")]).await;
    assert_eq!((long.0, long.1), (413, Some("content.too_large")));
    assert_eq!(
        send_pieces(&resource, &proof, vec![Ok("one"), Ok(""), Ok("two")]).await,
        (200, None, Bytes::from("onetwo"))
    );
    let again = send_pieces(&resource, &proof, vec![Ok("onetwo")]).await;
    assert_eq!((again.0, again.1), (401, Some("replay.replayed")));
}

/// SIG-24: a layer that does not read content rejects what it would have to read, with and without content.
#[tokio::test]
async fn a_layer_that_does_not_read_content_lets_none_pass_that_must_be_verified() {
    let resource = resource(SignedContent::Required);
    for content in ["", CONTENT] {
        let inner = service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(Response::new(String::new())) });
        let proof = signed(&resource, Some(content));
        let head_only = PopLayer::new(resource.cfg.clone()).layer(inner);
        let response = head_only.oneshot(request(&proof, Full::from(content))).await.unwrap();
        let code = response.extensions().get::<Error>().map(Error::code);
        assert_eq!((response.status().as_u16(), code), (500, Some("content.unread")));
        let (parts, _) = request(&proof, ()).into_parts();
        assert_eq!(resource.cfg.verify(&parts).await.unwrap_err().error().code(), "content.unread");
        post(&resource, &proof, content).await.accepted(content, "its twin");
    }
}

/// Mode `ReportOnly` hands everything on, and says that it is not proven.
#[tokio::test]
async fn report_only_passes_content_on_whatever_its_digest_says() {
    let resource =
        Resource::new(|builder| builder.proofs([ProofKind::SignedRequest]).content_limit(8).mode(Mode::ReportOnly));
    for (row, covered, content) in
        [("digest", "other", "content"), ("limit", "long content", "long content"), ("right", "content", "content")]
    {
        let answer = post(&resource, &signed(&resource, Some(covered)), content).await.accepted(content, row);
        let kind = answer.token.unwrap().proof().kind();
        assert_eq!(kind, if row == "right" { ProofKind::SignedRequest } else { ProofKind::Unproven }, "{row}");
        let says = service_fn(|request: Request<VerifiedBody<Full<Bytes>>>| async move {
            Ok::<_, Infallible>(Response::new(request.body().is_verified().to_string()))
        });
        let layer = PopLayer::new(resource.cfg.clone()).verify_content();
        let request = request(&signed(&resource, Some(covered)), Full::<Bytes>::from(content));
        let response = layer.layer(says).oneshot(request).await.unwrap();
        assert_eq!(response.body() == "true", row == "right", "{row}");
    }
}

/// A body during which time passes, and that counts what is read of it.
struct Slow {
    pieces: usize,
    read: Arc<AtomicUsize>,
    clock: Arc<ManualClock>,
    seconds: u64,
}

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.pieces == 0 {
            return Poll::Ready(None);
        }
        self.pieces -= 1;
        self.read.fetch_add(1, Ordering::SeqCst);
        self.clock.advance(self.seconds);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

async fn send_slow(
    resource: &Resource,
    proof: &str,
    pieces: usize,
    seconds: u64,
) -> (u16, Option<&'static str>, usize) {
    let read = Arc::new(AtomicUsize::new(0));
    let body = Slow { pieces, read: Arc::clone(&read), clock: Arc::clone(&resource.clock), seconds };
    let inner =
        service_fn(|_: Request<VerifiedBody<Slow>>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let layer = PopLayer::new(resource.cfg.clone()).verify_content();
    let response = layer.layer(inner).oneshot(request(proof, body)).await.unwrap();
    let code = response.extensions().get::<Error>().map(Error::code);
    (response.status().as_u16(), code, read.load(Ordering::SeqCst))
}

/// REPLAY-04: a proof must be fresh, and its token valid, when the content has arrived. A store could not remember it longer.
#[tokio::test]
async fn content_that_takes_too_long_is_rejected() {
    for (seconds, expected) in
        [(90, (200, None, 1)), (91, (401, Some("content.late"), 1)), (86_400, (401, Some("token.expired"), 1))]
    {
        let resource = resource(SignedContent::Required);
        let proof = signed(&resource, Some("x"));
        assert_eq!(send_slow(&resource, &proof, 1, seconds).await, expected, "{seconds} s");
    }
    let report = Resource::new(|builder| builder.proofs([ProofKind::SignedRequest]).mode(Mode::ReportOnly));
    let proof = signed(&report, Some("x"));
    assert_eq!(send_slow(&report, &proof, 1, 86_400).await.1, Some("token.expired"), "in every mode");
}

/// SHR-10: content that no proof covers is not read beyond its first frame.
#[tokio::test]
async fn uncovered_content_is_not_buffered() {
    // The rest would be read as well, to be discarded.
    let resource = Resource::new(|builder| builder.proofs([ProofKind::SignedRequest]).rejected_body_limit(0));
    let proof = signed(&resource, None);
    assert_eq!(send_slow(&resource, &proof, 10, 0).await, (401, Some("content.uncovered"), 1));
    assert_eq!(send_slow(&resource, &proof, 0, 0).await, (200, None, 0), "its twin");
}
