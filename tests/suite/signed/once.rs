//! Each proof is accepted once, however many copies there are at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use pop_client::Envelope;
use pop_core::jose::{decode, encode};
use pop_core::proof::message_signature::SignatureProfile;
use serde_json::json;
use tower_pop::{NoncePolicy, NonceRequest, ProofKind};

use super::message::Draft;
use super::{CONTENT, Resource};
use crate::support::NOW;

/// The order of P-256 (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Returns the signature with n - s instead of s, which verifies as well.
fn malleated(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    let mut other = [0; 32];
    let mut borrow = false;
    for at in (0..32).rev() {
        let (difference, first) = ORDER[at].overflowing_sub(s[at]);
        let (difference, second) = difference.overflowing_sub(u8::from(borrow));
        (other[at], borrow) = (difference, first || second);
    }
    [r, &other].concat()
}

fn post(credentials: &str) -> Request<Full<Bytes>> {
    let request = Request::post("/notes?a=1").header(AUTHORIZATION, format!("PoP {credentials}"));
    request.body(Full::from(CONTENT)).unwrap()
}

/// SHR-11, SIG-09, SYM-08, REPLAY-16: one success of 50 copies, half of them with the other valid signature.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_fifty_copies_is_accepted_whatever_valid_signature_they_have() {
    let with = |nonce| {
        let kinds = [ProofKind::HttpSig, ProofKind::SignedRequest];
        Resource::new(|builder| builder.proofs(kinds).nonce(nonce))
    };
    for (row, resource) in [("client's nonce", with(NoncePolicy::Off)), ("server's nonce", with(NoncePolicy::Required))]
    {
        let resource = Arc::new(resource);
        let token = resource.token(json!({ "jwk": resource.jwk() }));
        let nonce = match resource.send(post(&sign(&resource, &token, None))).await {
            first if first.status == 200 => None,
            first => Some(first.challenges()[0].split('"').nth(1).unwrap().to_owned()),
        };
        let envelope = sign(&resource, &token, nonce.as_deref());
        let (input, signature) = envelope.rsplit_once('.').unwrap();
        let twin = format!("{input}.{}", encode(malleated(&decode(signature).unwrap())));
        let message = |malleable: bool| {
            let draft = Draft::new(SignatureProfile::HttpSig, "HTTPSig", &token, CONTENT, &resource.key);
            let sign = |base: &[u8]| resource.key.sign(base).unwrap();
            draft.sign_with("sig1", |base| if malleable { malleated(&sign(base)) } else { sign(base) })
        };
        assert_eq!(one_of(&resource, || post(&envelope), || post(&twin)).await, 1, "envelope, {row}");
        assert_eq!(one_of(&resource, || message(false), || message(true)).await, 1, "message, {row}");
    }
}

fn sign(resource: &Resource, token: &str, nonce: Option<&str>) -> String {
    let envelope = Envelope::new("POST", "https://api.example/notes?a=1", token).issued_at(NOW);
    envelope.content(CONTENT.as_bytes()).nonce(nonce).sign(&resource.key).unwrap()
}

async fn one_of(
    resource: &Arc<Resource>,
    one: impl Fn() -> Request<Full<Bytes>>,
    other: impl Fn() -> Request<Full<Bytes>>,
) -> usize {
    let accepted = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let (resource, accepted) = (Arc::clone(resource), Arc::clone(&accepted));
            let request = if number % 2 == 0 { one() } else { other() };
            tokio::spawn(async move {
                let answer = resource.send(request).await;
                match answer.status.as_u16() {
                    200 => drop(accepted.fetch_add(1, Ordering::SeqCst)),
                    _ => assert_eq!(answer.code, Some("replay.replayed")),
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    accepted.load(Ordering::SeqCst)
}

/// NONCE-01, SHR-11: one envelope is accepted once, whether a request with it needs a nonce or not.
#[tokio::test]
async fn one_envelope_is_accepted_once_wherever_nonces_are_required() {
    let by_field = |request: &NonceRequest<'_>| request.headers.contains_key("x-high-value");
    let policy = NoncePolicy::PerRequest(Arc::new(by_field));
    let resource = Resource::new(|builder| builder.proofs([ProofKind::SignedRequest]).nonce(policy));
    let token = resource.token(json!({ "jwk": resource.jwk() }));
    let send = async |envelope: &str, high: bool| {
        let mut request = post(envelope);
        if high {
            request.headers_mut().insert("x-high-value", "1".parse().unwrap());
        }
        resource.send(request).await
    };
    let first = send(&sign(&resource, &token, None), true).await;
    let nonce = first.challenges()[0].split('"').nth(1).unwrap().to_owned();
    for order in [[true, false], [false, true]] {
        let envelope = sign(&resource, &token, Some(&nonce));
        assert_eq!(send(&envelope, order[0]).await.status, 200);
        assert_eq!(send(&envelope, order[1]).await.code, Some("replay.replayed"));
    }
}
