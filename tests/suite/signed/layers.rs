//! Layers around and inside of the layer: decompression, nesting, streaming, fields that are removed.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use pop_client::Envelope;
use pop_core::proof::message_signature::SignatureProfile;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::decompression::RequestDecompressionLayer;
use tower_pop::{Error, Mode, PopLayer, ProofKind, VerifiedBody, VerifiedToken};

use super::message::Draft;
use super::{CONTENT, Resource};
use crate::support::NOW;

fn resource() -> Resource {
    Resource::new(|builder| builder.proofs([ProofKind::HttpSig, ProofKind::SignedRequest]))
}

fn signed(resource: &Resource, content: &[u8]) -> String {
    let token = resource.token(json!({ "jwk": resource.jwk() }));
    let envelope = Envelope::new("POST", "https://api.example/echo", &token).issued_at(NOW).content(content);
    envelope.sign(&resource.key).unwrap()
}

fn post(credentials: &str, content: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post("/echo").header(AUTHORIZATION, format!("PoP {credentials}"));
    request.body(Full::new(content.into())).unwrap()
}

/// A gzip member with one stored block (RFC 1952, RFC 1951 §3.2.4).
fn gzip(content: &[u8]) -> Vec<u8> {
    let crc = !content.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    let length = u16::try_from(content.len()).unwrap();
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let (length, inverse, total) = (length.to_le_bytes(), (!length).to_le_bytes(), u32::from(length).to_le_bytes());
    [&header[..], &length, &inverse, content, &crc.to_le_bytes(), &total].concat()
}

async fn echo<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    Ok(Response::new(Full::new(request.into_body().collect().await.unwrap().to_bytes())))
}

/// SIG-24: the digest is over the content as it was sent. Decompression belongs inside of the layer.
#[tokio::test]
async fn content_is_verified_before_it_is_decompressed() {
    let resource = resource();
    let compressed = gzip(CONTENT.as_bytes());
    let request = |digest_of: &[u8]| {
        let mut request = post(&signed(&resource, digest_of), compressed.clone());
        request.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        request
    };
    let layer = PopLayer::new(resource.cfg.clone()).verify_content();
    let inside = layer.clone().layer(RequestDecompressionLayer::new().layer(service_fn(echo)));
    let response = inside.oneshot(request(&compressed)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), CONTENT, "the handler reads it decompressed");
    for (row, digest_of, status) in [("as sent", &compressed[..], 401), ("decompressed", CONTENT.as_bytes(), 200)] {
        let outside = RequestDecompressionLayer::new().layer(layer.clone().layer(service_fn(echo)));
        let response = outside.oneshot(request(digest_of)).await.unwrap();
        assert_eq!(response.status(), status, "outside, digest of what was {row}");
    }
}

/// A layer inside another one with the same state reuses its verdict, but not for another request.
#[tokio::test]
async fn an_inner_layer_reuses_the_verdict_on_the_same_request_only() {
    let resource = resource();
    let layer = || PopLayer::new(resource.cfg.clone()).verify_content();
    let nested = layer().layer(layer().layer(service_fn(echo)));
    let response = nested.oneshot(post(&signed(&resource, CONTENT.as_bytes()), CONTENT)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), CONTENT);
    for (row, path) in [("path", "/other"), ("query", "/echo?a=1")] {
        let changed = service_fn(|mut request: Request<VerifiedBody<Full<Bytes>>>| {
            *request.uri_mut() = path.parse().unwrap();
            layer().layer(service_fn(echo)).oneshot(request)
        });
        let response = layer().layer(changed).oneshot(post(&signed(&resource, b""), "")).await.unwrap();
        assert_eq!(response.status(), 401, "{row}");
    }
    let other = signed(&resource, b"");
    let exchanged = service_fn(|mut request: Request<VerifiedBody<Full<Bytes>>>| {
        request.headers_mut().insert(AUTHORIZATION, format!("PoP {other}").parse().unwrap());
        layer().layer(service_fn(echo)).oneshot(request)
    });
    let response = layer().layer(exchanged).oneshot(post(&signed(&resource, b""), "")).await.unwrap();
    assert_eq!(response.status(), 200, "another valid proof is verified on its own");
    let used = post(&other, "");
    assert_eq!(layer().layer(service_fn(echo)).oneshot(used).await.unwrap().status(), 401, "and used with it");
}

/// A layer that requires a signature does not take the verdict of one that did not.
#[tokio::test]
async fn an_inner_layer_that_requires_a_signature_is_not_satisfied_without_it() {
    let resource = Resource::new(|builder| builder);
    let token = resource.server.token().audience("https://api.example").bound_to(&resource.key).mint();
    let proof = pop_authserver::proof(&resource.key).url("https://api.example/notes").for_token(&token).issued_at(NOW);
    let request = Request::get("/notes").header(AUTHORIZATION, format!("DPoP {token}")).header("dpop", proof.mint());
    let strict = PopLayer::new(resource.cfg.with_message_signature(true)).verify_content();
    let inner = strict.layer(service_fn(echo));
    let outer = PopLayer::new(resource.cfg.clone()).layer(inner);
    let response = outer.oneshot(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 401);
}

/// SIG-23: an opt-in for uploads that do not fit into memory: the last frame comes out once the content is verified.
#[tokio::test]
async fn streamed_content_fails_at_its_end_if_it_is_not_right() {
    let resource = resource();
    let layer = PopLayer::new(resource.cfg.clone()).verify_content_while_streaming();
    for (row, sent, right) in [("right", "content", true), ("wrong", "contend", false), ("none", "", false)] {
        let read = service_fn(move |request: Request<VerifiedBody<Full<Bytes>>>| async move {
            assert!(request.extensions().get::<VerifiedToken>().is_some());
            let mut body = request.into_body();
            let first = body.frame().await.transpose();
            let ended = body.frame().await.is_none();
            let seen = first.map(|frame| frame.and_then(|frame| frame.into_data().ok()).unwrap_or_default());
            assert_eq!((seen.ok(), ended), (right.then(|| Bytes::from("content")), true), "{row}");
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let response = layer.clone().layer(read).oneshot(post(&signed(&resource, b"content"), sent)).await.unwrap();
        assert_eq!(response.status(), 200, "{row}");
    }
    let proof = signed(&resource, CONTENT.as_bytes());
    for status in [200, 401] {
        let response = layer.clone().layer(service_fn(echo)).oneshot(post(&proof, CONTENT)).await.unwrap();
        assert_eq!(response.status(), status, "the proof is recorded before the content is verified");
    }
}

/// SIG-25: fields that no proof covers are removed, covered ones stay.
#[tokio::test]
async fn uncovered_fields_are_removed_when_configured() {
    let strip = Resource::new(|builder| {
        let builder = builder.proofs([ProofKind::HttpSig, ProofKind::SignedRequest]).mode(Mode::Optional);
        builder.strip_uncovered_fields(["idempotency-key", "x-amount"])
    });
    let names = service_fn(|request: Request<VerifiedBody<Full<Bytes>>>| async move {
        let has = |name| request.headers().contains_key(name);
        let names = format!("{} {}", has("idempotency-key"), has("x-amount"));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(names)))
    });
    let token = strip.token(json!({ "jwk": strip.jwk() }));
    let mut draft = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, "", &strip.key);
    draft.request.headers_mut().insert("idempotency-key", "1".parse().unwrap());
    draft.request.headers_mut().insert("x-amount", "2".parse().unwrap());
    draft.components.push("x-amount");
    let message = draft.sign();
    let mut fields = http::HeaderMap::new();
    fields.insert("idempotency-key", "1".parse().unwrap());
    let envelope = Envelope::new("POST", "https://api.example/echo", &token).issued_at(NOW);
    let envelope = envelope.header_fields(&fields, &["idempotency-key"]).content(b"").sign(&strip.key).unwrap();
    let mut envelope = post(&envelope, "");
    envelope.headers_mut().insert("idempotency-key", "1".parse().unwrap());
    envelope.headers_mut().insert("x-amount", "2".parse().unwrap());
    let anonymous = Request::get("/notes").header("x-amount", "2").body(Full::<Bytes>::default()).unwrap();
    for (row, request, expected) in
        [("message", message, "false true"), ("envelope", envelope, "true false"), ("none", anonymous, "false false")]
    {
        let response = PopLayer::new(strip.cfg.clone()).verify_content().layer(names).oneshot(request).await.unwrap();
        assert_eq!(response.extensions().get::<Error>(), None, "{row}");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected, "{row}");
    }
    let error =
        tower_pop::PopConfig::builder("https://as.example", "https://api.example").strip_uncovered_fields(["a b"]);
    assert!(error.build().unwrap_err().to_string().contains("a b"));
}

/// A layer that requires a signature is not satisfied by the verdict on an unbound token, and a verdict that rests on a signature is
/// about its whole target: a DPoP proof does not name the query, and a certificate no request at all.
#[tokio::test]
async fn a_verdict_with_a_signature_is_about_its_whole_target() {
    let bearer = Resource::new(|builder| builder.mode(Mode::AllowBearer));
    let token = bearer.unbound().mint();
    let request =
        Request::get("/notes").header(AUTHORIZATION, format!("Bearer {token}")).body(Full::<Bytes>::default());
    let strict = PopLayer::new(bearer.cfg.with_message_signature(true)).verify_content().layer(service_fn(echo));
    let response = PopLayer::new(bearer.cfg.clone()).layer(strict).oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 401, "an unbound token");

    let resource = Resource::new(tower_pop::PopConfigBuilder::require_message_signature);
    let signed = |path: &'static str, jti: &str| {
        let token = resource.server.token().audience("https://api.example").bound_to(&resource.key).mint();
        let proof =
            pop_authserver::proof(&resource.key).url("https://api.example/notes").for_token(&token).issued_at(NOW);
        let draft = Draft::new(SignatureProfile::Request, "DPoP", &token, "", &resource.key);
        let mut request = draft.dpop(&proof.claim("jti", jti)).sign();
        assert_eq!(request.uri(), "/notes?a=1");
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    let layer = || PopLayer::new(resource.cfg.clone()).verify_content();
    for (path, status) in [("/notes?a=1", 200), ("/notes?a=2", 401)] {
        let inner = service_fn(|mut request: Request<VerifiedBody<Full<Bytes>>>| {
            *request.uri_mut() = path.parse().unwrap();
            layer().layer(service_fn(echo)).oneshot(request)
        });
        let response = layer().layer(inner).oneshot(signed("/notes?a=1", path)).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
}

/// SIG-23, SIG-24: what is only being streamed is no verdict for a layer inside, uncovered content reaches no handler, and mode
/// `ReportOnly` knows before the handler is called.
#[tokio::test]
async fn streaming_never_stands_for_verified_content() {
    let resource = resource();
    let stream = || PopLayer::new(resource.cfg.clone()).verify_content_while_streaming();
    let strict = PopLayer::new(resource.cfg.clone()).verify_content().layer(service_fn(echo));
    let nested = stream().layer(strict).oneshot(post(&signed(&resource, CONTENT.as_bytes()), CONTENT)).await.unwrap();
    assert_eq!(nested.status(), 401, "a layer inside verifies anew, and the proof was used");
    let token = resource.token(json!({ "jwk": resource.jwk() }));
    let uncovered =
        Envelope::new("POST", "https://api.example/echo", &token).issued_at(NOW).sign(&resource.key).unwrap();
    let never = service_fn(|_: Request<VerifiedBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("reached")))
    });
    let response = stream().layer(never).oneshot(post(&uncovered, CONTENT)).await.unwrap();
    assert_eq!(response.status(), 401);
    let response = stream().layer(never).oneshot(post(&uncovered, "")).await.unwrap();
    assert_eq!(response.status(), 200, "its twin");
    let report = PopLayer::new(resource.cfg.with_mode(Mode::ReportOnly).unwrap()).verify_content_while_streaming();
    let kind = service_fn(|request: Request<VerifiedBody<Full<Bytes>>>| async move {
        let kind = request.extensions().get::<VerifiedToken>().unwrap().proof().kind();
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "other");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(kind.as_str())))
    });
    let response = report.layer(kind).oneshot(post(&signed(&resource, CONTENT.as_bytes()), "other")).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "unproven");
}

/// SIG-25: a verdict is about the fields that the proof covers as well.
#[tokio::test]
async fn a_verdict_is_about_the_values_of_covered_fields() {
    let resource = resource();
    let token = resource.token(json!({ "jwk": resource.jwk() }));
    let layer = || PopLayer::new(resource.cfg.clone()).verify_content();
    for (amount, status) in [("1", 200), ("1000000", 401)] {
        let mut draft = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, "", &resource.key);
        draft.request.headers_mut().insert("x-amount", "1".parse().unwrap());
        draft.components.push("x-amount");
        draft.nonce = Some(amount);
        let inner = service_fn(|mut request: Request<VerifiedBody<Full<Bytes>>>| {
            request.headers_mut().insert("x-amount", amount.parse().unwrap());
            layer().layer(service_fn(echo)).oneshot(request)
        });
        assert_eq!(layer().layer(inner).oneshot(draft.sign()).await.unwrap().status(), status, "{amount}");
    }
}
