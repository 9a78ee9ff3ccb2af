//! What the benches measure with: a resource in memory, and requests signed beforehand, since each proof serves once.
#![allow(dead_code, missing_docs, unreachable_pub, missing_debug_implementations)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use futures_util::FutureExt;
use http::{Request, Response};
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, proof};
use tower::{Layer, Service};
use tower_pop::{DefaultRejection, IssuerConfig, NoncePolicy, PopConfig, PopLayer, PopService};

pub const URL: &str = "https://api.example/notes";

/// Answers at once with an empty body.
#[derive(Clone)]
pub struct Inner;

impl Service<Request<()>> for Inner {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(String::new())))
    }
}

pub struct Bench {
    pub server: TestAuthServer,
    pub key: DpopKey,
    pub service: PopService<Inner, DefaultRejection>,
    pub nonce: Option<String>,
}

impl Bench {
    pub fn new(nonce: bool) -> Self {
        let server = TestAuthServer::offline("https://as.example");
        let issuer = IssuerConfig::new(server.issuer()).static_jwks(server.jwks_json());
        let mut builder = PopConfig::builder(issuer, "https://api.example");
        if nonce {
            builder = builder.nonce(NoncePolicy::Required);
        }
        let cfg = builder.build().expect("a valid configuration");
        let service = PopLayer::new(cfg).layer(Inner);
        let key = DpopKey::generate(Algorithm::ES256).expect("a key");
        let mut bench = Self { server, key, service, nonce: None };
        if nonce {
            let token = bench.token();
            let answer = bench.send(bench.request(&token));
            let nonce = answer.headers()["dpop-nonce"].to_str().expect("ASCII");
            bench.nonce = Some(nonce.to_owned());
        }
        bench
    }

    pub fn token(&self) -> String {
        self.server.token().audience("https://api.example").scope("notes:read").bound_to(&self.key).mint()
    }

    pub fn request(&self, token: &str) -> Request<()> {
        let proof = proof(&self.key).url(URL).for_token(token);
        let proof = match &self.nonce {
            Some(nonce) => proof.nonce(nonce),
            None => proof,
        };
        let request = Request::get("/notes").header("authorization", format!("DPoP {token}"));
        request.header("dpop", proof.mint()).body(()).expect("a request")
    }

    /// # Panics
    /// When the layer has to wait: a warm request must not.
    pub fn send(&self, request: Request<()>) -> Response<String> {
        let mut service = self.service.clone();
        service.call(request).now_or_never().expect("nothing to wait for").expect("infallible")
    }
}

/// One bare ES256 verification with a parsed key, over a message as long as a proof's.
pub struct Bare {
    key: ParsedPublicKey,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Bare {
    pub fn new() -> Self {
        let key = DpopKey::generate(Algorithm::ES256).expect("a key");
        let jwk = key.public_jwk();
        let coordinate = |name: &str| pop_core::jose::decode(jwk[name].as_str().expect("text")).expect("base64url");
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let message = vec![b'm'; 500];
        let signature = key.sign(&message).expect("a signature");
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).expect("a key");
        Self { key, message, signature }
    }

    pub fn verify(&self) {
        self.key.verify_sig(&self.message, &self.signature).expect("a good signature");
    }
}
