//! Why a proof over the request itself was rejected: names and expectations in the log, and no value of the request.

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use pop_client::Envelope;
use pop_core::proof::message_signature::SignatureProfile;
use serde_json::json;
use tower_pop::{EnvelopeClaims, ProofKind};
use tracing::Level;

use super::message::Draft;
use super::{CONTENT, Resource};
use crate::log::Log;
use crate::support::NOW;

const SECRET: &str = "s3cret-value";

/// Sends a request, and checks the code of its rejection and what the log says.
async fn explained(resource: &Resource, request: Request<Full<Bytes>>, code: &str, parts: &[&str]) {
    let (log, _guard) = Log::capture(Level::DEBUG);
    let answer = resource.send(request).await;
    assert_eq!(answer.code, Some(code), "{:?}", answer.challenges());
    let log = log.take();
    for part in parts {
        assert!(log.contains(part), "ERR-10 {code}: {part} in {log}");
    }
    assert!(log.contains(code) && !log.contains(SECRET), "ERR-11 {log}");
    assert!(!format!("{:?}", answer.headers).contains(SECRET), "ERR-07 {code}");
}

/// ERR-10, ERR-11, SIG-27: the component or parameter, and what is expected of it.
#[tokio::test]
async fn the_log_names_the_component_or_parameter_of_a_message_signature() {
    let resource = Resource::new(|builder| {
        builder.proofs([ProofKind::HttpSig, ProofKind::Dpop]).signature_components(["x-request-id"])
    });
    let token = resource.token(json!({ "jwk": resource.jwk() }));
    let draft = || {
        let mut draft = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, CONTENT, &resource.key);
        draft.request.headers_mut().insert("x-request-id", SECRET.parse().unwrap());
        draft.components.push("x-request-id");
        draft
    };
    type Change = fn(Draft<'_>) -> Draft<'_>;
    let rows: [(Change, &str, &[&str]); 11] = [
        (
            |d| d.without("@method"),
            "signature.not_covered",
            &["claim=\"@method\"", "found=\"not covered\"", "signed_content"],
        ),
        (|d| d.without("content-digest"), "content.uncovered", &["signed_content"]),
        (|d| d.without("x-request-id"), "signature.not_covered", &["x-request-id covered", ".signature_components("]),
        (|d| Draft { nonce: None, ..d }, "signature.missing_parameter", &["claim=\"nonce\"", "found=\"nothing\""]),
        (
            |d| Draft { keyid: Some(SECRET.to_owned()), ..d },
            "signature.forbidden_parameter",
            &["claim=\"keyid\"", "expected=\"nothing\"", "leave it out"],
        ),
        (|d| Draft { nonce: Some(""), ..d }, "signature.nonce_length", &["claim=\"nonce\"", "1 to 256 bytes"]),
        (
            |d| Draft { created: NOW - 61, ..d },
            "signature.created_too_old",
            &["claim=\"created\"", "61 s in the past", "at most 60 s in the past", "signature_max_age"],
        ),
        (|d| Draft { created: NOW - 7200, ..d }, "signature.created_too_old", &["whole hours"]),
        (
            |d| Draft { created: NOW + 45, ..d },
            "signature.created_in_future",
            &["claim=\"created\"", "45 s in the future", "at most 30 s", "clock_skew"],
        ),
        (
            |d| Draft { created: NOW * 1000, ..d },
            "signature.created_milliseconds",
            &["claim=\"created\"", "found=\"milliseconds\""],
        ),
        (|d| Draft { tag: Some(SECRET), ..d }, "signature.missing", &["claim=\"tag\"", "Accept-Signature"]),
    ];
    for (change, code, parts) in rows {
        explained(&resource, change(draft()).sign(), code, parts).await;
    }
    resource.send(draft().sign()).await.accepted(CONTENT, "their twin");
}

/// ERR-10, ERR-11, SHR-13: the claim, the kind of value that was found, and what is expected.
#[tokio::test]
async fn the_log_names_the_claim_of_a_signed_request() {
    let resource = Resource::new(|builder| {
        builder.proofs([ProofKind::SignedRequest]).signed_request_claims(EnvelopeClaims::DEFAULT).content_limit(64)
    });
    let token = resource.token(json!({ "jwk": resource.jwk() }));
    let url = "https://api.example/notes?a=1";
    let send = |envelope: Envelope<'_>, path: &str, content: &'static str| {
        let signed = envelope.issued_at(NOW).sign(&resource.key).unwrap();
        request(&signed, path, content)
    };
    fn request(signed: &str, path: &str, content: &'static str) -> Request<Full<Bytes>> {
        let request = Request::builder().method("POST").uri(path).header(AUTHORIZATION, format!("PoP {signed}"));
        request.body(Full::from(content)).unwrap()
    }
    let envelope = || Envelope::new("POST", url, &token);
    for (request, code, parts) in [
        (
            send(Envelope::new(SECRET, url, &token), "/notes?a=1", ""),
            "envelope.m_mismatch",
            &["claim=\"m\"", "the method of the request"][..],
        ),
        (
            send(Envelope::new("POST", "https://s3cret-value/notes?a=1", &token), "/notes?a=1", ""),
            "envelope.u_mismatch",
            &["claim=\"u\"", ".public_origin("],
        ),
        (send(envelope(), "/other?a=1", ""), "envelope.p_mismatch", &["claim=\"p\"", ".path_prefix("]),
        (send(envelope(), "/notes?a=2", ""), "envelope.q_mismatch", &["claim=\"q\"", "the query of the request"]),
        (send(envelope(), "/notes?a=1&b=2", ""), "envelope.q_uncovered", &["every parameter of the query"]),
        (
            send(Envelope::new("POST", "https://api.example/notes", &token), "/notes?a=1", ""),
            "envelope.missing_claim",
            &["claim=\"q\"", "found=\"nothing\"", "signed_request_claims"],
        ),
        (
            request(&envelope().issued_at(NOW - 61).sign(&resource.key).unwrap(), "/notes?a=1", ""),
            "envelope.ts_too_old",
            &["claim=\"ts\"", "61 s in the past", "at most 60 s in the past"],
        ),
        (
            request(&envelope().issued_at(NOW + 45).sign(&resource.key).unwrap(), "/notes?a=1", ""),
            "envelope.ts_in_future",
            &["claim=\"ts\"", "45 s in the future", "at most 30 s"],
        ),
        (
            send(envelope().nonce(Some("")), "/notes?a=1", ""),
            "envelope.nonce_length",
            &["claim=\"nonce\"", "1 to 256 bytes"],
        ),
        (send(envelope().content(b"other"), "/notes?a=1", CONTENT), "content.digest_mismatch", &["any compression"]),
        (
            send(envelope().content(&[b'x'; 65]), "/notes?a=1", "x".repeat(65).leak()),
            "content.too_large",
            &["at most 64 bytes", ".content_limit("],
        ),
    ] {
        explained(&resource, request, code, parts).await;
    }
    resource.send(send(envelope(), "/notes?a=1", "")).await.accepted("", "their twin");
}
