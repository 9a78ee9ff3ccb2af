//! Proofs over the request itself: resources that verify content, and requests that are signed beforehand.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::Empty;
use pop_authserver::{Algorithm, DpopKey, Recipient, SharedKey, TestAuthServer};
use pop_client::Envelope;
use pop_core::content::content_digest;
use pop_core::jose::{JsonLimits, Object, encode};
use pop_core::proof::message_signature::{SignatureParameters, SignatureProfile, sign};
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use serde_json::{Value, json};
use tower::{Layer, Service};
use tower_pop::clock::{Clock, SystemClock};
use tower_pop::{
    DefaultRejection, IssuerConfig, KeyEncryptionKeys, PopConfig, PopLayer, PopService, ProofKind, VerifyContent,
};

use super::{AUDIENCE, Inner};

/// The length of content that is measured with.
pub const CONTENT_LEN: usize = 16 << 20;
/// The length of the pieces that content comes in.
const FRAME_LEN: usize = 64 << 10;

/// How requests prove possession.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    HttpSig(Algorithm),
    Envelope(Algorithm),
    Hmac,
}

/// A resource in memory, and its client.
pub struct Signed {
    kind: Kind,
    server: TestAuthServer,
    key: DpopKey,
    shared: SharedKey,
    pub service: PopService<Inner, DefaultRejection, VerifyContent>,
    next: Cell<u64>,
}

impl Signed {
    pub fn new(kind: Kind) -> Self {
        Self::with_keys(kind, &[kek("A256KW")])
    }

    /// With these key-encryption keys.
    pub fn with_keys(kind: Kind, keys: &[Value]) -> Self {
        let server = TestAuthServer::offline("https://as.example");
        let issuer = IssuerConfig::new(server.issuer()).static_jwks(server.jwks_json());
        let keys = json!({ "keys": keys }).to_string();
        let cfg = PopConfig::builder(issuer, AUDIENCE)
            .proofs([ProofKind::HttpSig, ProofKind::SignedRequest, ProofKind::Hmac])
            .key_encryption_keys(KeyEncryptionKeys::parse(keys.as_bytes()).expect("usable keys"))
            .content_limit(2 * CONTENT_LEN as u64)
            .build()
            .expect("a valid configuration");
        let key = DpopKey::generate(match kind {
            Kind::HttpSig(algorithm) | Kind::Envelope(algorithm) => algorithm,
            Kind::Hmac => Algorithm::ES256,
        });
        let service = PopLayer::new(cfg).verify_content().layer(Inner);
        let shared = SharedKey::new([7; 32]).expect("a key");
        Self { kind, server, key: key.expect("a key"), shared, service, next: Cell::new(0) }
    }

    pub fn token(&self) -> String {
        match self.kind {
            Kind::HttpSig(_) | Kind::Envelope(_) => self.mint().bound_to_jwk(&self.key).mint(),
            Kind::Hmac => self.token_for(&kek("A256KW")),
        }
    }

    /// A token with the shared key, encrypted for a key-encryption key.
    pub fn token_for(&self, kek: &Value) -> String {
        let text = public(kek).to_string();
        let object = Object::parse(text.as_bytes(), JsonLimits::PROOF).expect("JSON");
        let recipient = Recipient::parse(&object).expect("a key to encrypt with");
        self.mint().bound_to_shared_key(&self.shared, &recipient).mint()
    }

    fn mint(&self) -> pop_authserver::TokenMint {
        self.server.token().audience(AUDIENCE).scope("notes:read")
    }

    pub fn request(&self, token: &str) -> Request<Empty<Bytes>> {
        self.signed(token, HeaderMap::new()).0.map(|()| Empty::new())
    }

    /// With content, whose digest is covered.
    pub fn request_with<B>(&self, token: &str, digest: &http::HeaderValue, body: B) -> Request<B> {
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static("content-digest"), digest.clone())]);
        self.signed(token, headers).0.map(|()| body)
    }

    /// What the proof of a request signs.
    pub fn message(&self, token: &str) -> Vec<u8> {
        self.signed(token, HeaderMap::new()).1
    }

    fn signed(&self, token: &str, mut headers: HeaderMap) -> (Request<()>, Vec<u8>) {
        let (profile, scheme) = match self.kind {
            Kind::HttpSig(_) => (SignatureProfile::HttpSig, "HTTPSig"),
            Kind::Hmac => (SignatureProfile::Hmac, "PoP"),
            Kind::Envelope(_) => return self.envelope(token),
        };
        headers.insert("authorization", format!("{scheme} {token}").parse().expect("a value"));
        let mut components = vec!["@method", "@target-uri", "authorization"];
        if headers.contains_key("content-digest") {
            components.push("content-digest");
        }
        self.next.set(self.next.get() + 1);
        let nonce = encode(u128::from(self.next.get()).to_be_bytes());
        let parameters = SignatureParameters::of(profile, SystemClock::default().now()).nonce(&nonce);
        let (origin, mut message) = (Origin::parse(AUDIENCE).expect("an origin"), Vec::new());
        let head = RequestHead::new("GET", &origin, "/notes", &headers, 0);
        let (input, signature) = sign(&head, "sig1", &components, &parameters, |base| {
            message = base.to_vec();
            match self.kind {
                Kind::Hmac => Ok(self.shared.sign(base).to_vec()),
                _ => self.key.sign(base),
            }
        })
        .expect("a signature");
        headers.insert("signature-input", input);
        headers.insert("signature", signature);
        let mut request = Request::get("/notes").body(()).expect("a request");
        *request.headers_mut() = headers;
        (request, message)
    }

    fn envelope(&self, token: &str) -> (Request<()>, Vec<u8>) {
        let envelope = Envelope::new("GET", super::URL, token).sign(&self.key).expect("an envelope");
        let request = Request::get("/notes").header("authorization", format!("PoP {envelope}"));
        let message = envelope.rsplit_once('.').expect("a signature").0.as_bytes().to_vec();
        (request.body(()).expect("a request"), message)
    }

    /// # Panics
    /// When the layer has to wait.
    pub fn send<B>(&self, request: Request<B>) -> Response<String>
    where
        B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
    {
        let response = self.service.clone().call(request).now_or_never();
        response.expect("nothing to wait for").expect("infallible")
    }

    /// Sends a few requests with a token, so that what can be remembered is.
    pub fn warm(&self, token: &str) {
        for _ in 0..3 {
            assert_eq!(self.send(self.request(token)).status(), 200);
        }
    }
}

/// A new key-encryption key for each algorithm, with its name.
pub fn all_keks() -> Vec<(&'static str, Value)> {
    let names = ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW", "ECDH-ES with X25519", "A256KW", "A256GCMKW", "dir"];
    names.map(|name| (name, kek(name))).into()
}

/// A key-encryption key. The asymmetric ones were made for benches alone.
fn kek(name: &str) -> Value {
    let mut key: Value = match name {
        "RSA-OAEP-256" => serde_json::from_str(include_str!("rsa.jwk.json")).expect("JSON"),
        "ECDH-ES" | "ECDH-ES+A256KW" => json!({
            "kty": "EC", "crv": "P-256",
            "x": "QLr_lz6cScasP7Q0NvZ8-te4LhqZdCqb075M1EUX_Jo", "y": "IVyA-Kq8scOGCl0vcX4kbLWd1aqtA2B3xkYhjgY20pc",
            "d": "NEDpVUMErJQq9ZNS5EYEIP4C17D3XNBahkK5eYv84ek",
        }),
        "ECDH-ES with X25519" => json!({
            "kty": "OKP", "crv": "X25519",
            "x": "2p7fGilfbzV2HmdXSAX1Aq4mxZt4y_agvrULZ1ORX3Y", "d": "4Cj_qcO7Aqt4rpodD85eNJvf8YjEPJrSPkzj2DPjZm0",
        }),
        _ => json!({ "kty": "oct", "k": encode([4; 32]) }),
    };
    key["kid"] = name.into();
    key["alg"] = name.split(' ').next().into();
    key
}

fn public(kek: &Value) -> Value {
    let mut key = kek.clone();
    if let Some(members) = key.as_object_mut() {
        members.retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
    }
    key
}

/// Content in memory that comes in pieces, without being copied, and its digest.
#[derive(Clone)]
pub struct Pieces(Bytes);

impl Pieces {
    pub fn of(content: &Bytes) -> Self {
        Self(content.clone())
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let len = self.0.len().min(FRAME_LEN);
        Poll::Ready((len > 0).then(|| Ok(Frame::data(self.0.split_to(len)))))
    }
}

/// Zeros that are allocated as they arrive, as a connection does it.
pub struct Arriving(usize);

impl Arriving {
    pub fn new() -> (Self, http::HeaderValue) {
        (Self(CONTENT_LEN / FRAME_LEN), content_digest(&vec![0; CONTENT_LEN]))
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or_default();
        Poll::Ready(left.map(|_| Ok(Frame::data(Bytes::from(vec![0; FRAME_LEN])))))
    }
}
