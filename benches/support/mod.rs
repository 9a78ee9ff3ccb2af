//! What the benches measure with: a resource in memory, and requests signed beforehand, since each proof serves once.
#![allow(dead_code, missing_docs, unreachable_pub, missing_debug_implementations)]

pub mod signed;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use futures_util::FutureExt;
use http::{Request, Response};
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, TestCertificate, proof};
use tower::{Layer, Service};
use tower_pop::clock::{Clock, ManualClock, SystemClock};
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{
    CertificateHeader, ClientCertificates, DefaultRejection, Introspection, IssuerConfig, NoncePolicy, PeerAddress,
    PeerCertificate, PopConfig, PopConfigBuilder, PopLayer, PopService, ProxyTrust,
};

pub const AUDIENCE: &str = "https://api.example";
pub const URL: &str = "https://api.example/notes";

/// Answers at once with an empty body.
#[derive(Clone)]
pub struct Inner;

impl<B> Service<Request<B>> for Inner {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
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
        Self::with(nonce, |builder| builder)
    }

    pub fn with(nonce: bool, configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> Self {
        let server = TestAuthServer::offline("https://as.example");
        let jwks = server.jwks_json();
        Self::of(server, jwks, nonce, configure)
    }

    /// Of an issuer with this many keys, the one that signs the last of them.
    pub fn of_issuer_with_keys(keys: usize) -> Self {
        let server = TestAuthServer::offline("https://as.example");
        let mut jwks: serde_json::Value = serde_json::from_str(&server.jwks_json()).expect("JSON");
        let list = jwks["keys"].as_array_mut().expect("a list");
        for number in list.len()..keys {
            let mut jwk = DpopKey::generate(Algorithm::ES256).expect("a key").public_jwk();
            jwk["kid"] = format!("other-{number}").into();
            list.insert(0, jwk);
        }
        Self::of(server, jwks.to_string(), false, |builder| builder)
    }

    fn of(
        server: TestAuthServer,
        jwks: String,
        nonce: bool,
        configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder,
    ) -> Self {
        let issuer = IssuerConfig::new(server.issuer()).static_jwks(jwks);
        let mut builder = configure(PopConfig::builder(issuer, "https://api.example"));
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

    /// A token with another claim.
    pub fn token_with(&self, name: &str, value: &str) -> String {
        let token = self.server.token().audience("https://api.example").scope("notes:read").bound_to(&self.key);
        token.claim(name, value).mint()
    }

    /// # Panics
    /// When the layer has to wait: a warm request must not.
    pub fn send(&self, request: Request<()>) -> Response<String> {
        send(&self.service, request)
    }

    /// The same with a body.
    pub fn send_body(&self, request: Request<bytes::Bytes>) -> Response<String> {
        send(&self.service, request)
    }

    /// Sends a few requests with a token, so that what can be remembered is.
    pub fn warm(&self, token: &str) {
        for _ in 0..3 {
            assert_eq!(self.send(self.request(token)).status(), 200);
        }
    }
}

/// # Panics
/// When the layer has to wait.
pub fn send<B: 'static>(service: &PopService<Inner, DefaultRejection>, request: Request<B>) -> Response<String> {
    service.clone().call(request).now_or_never().expect("nothing to wait for").expect("infallible")
}

/// A resource that takes certificates from a proxy and asks about opaque tokens; both answers are in memory.
pub struct Certificates {
    server: TestAuthServer,
    certificate: TestCertificate,
    pub service: PopService<Inner, DefaultRejection>,
}

impl Certificates {
    pub fn new() -> Self {
        let server = TestAuthServer::offline("https://as.example");
        let issuer = IssuerConfig::new(server.issuer()).static_jwks(server.jwks_json());
        let trust = ProxyTrust::Networks(vec!["127.0.0.0/8".parse().expect("a network")]);
        let header = CertificateHeader::new("client-cert").expect("a header");
        let cfg = PopConfig::builder(issuer, "https://api.example")
            .client_certificates(ClientCertificates::from_connection().or_from_proxies(trust, header))
            .build()
            .expect("a valid configuration");
        let service = PopLayer::new(cfg).layer(Inner);
        Self { server, certificate: TestCertificate::self_signed("client"), service }
    }

    pub fn token(&self) -> String {
        self.server.token().audience("https://api.example").bound_to_certificate(self.certificate.der()).mint()
    }

    /// With the certificate on the connection, hashed once.
    pub fn on_connection(&self, token: &str, certificate: &PeerCertificate) -> Request<()> {
        let mut request = bearer(token);
        request.extensions_mut().insert(certificate.clone());
        request
    }

    pub fn peer_certificate(&self) -> PeerCertificate {
        PeerCertificate::from_der(self.certificate.der())
    }

    /// With the certificate in the field of a proxy.
    pub fn in_header(&self, token: &str) -> Request<()> {
        let mut request = bearer(token);
        request.extensions_mut().insert(PeerAddress([127, 0, 0, 1].into()));
        let field = format!(":{}:", pop_core::jose::encode_standard(self.certificate.der()));
        request.headers_mut().insert("client-cert", field.parse().expect("a value"));
        request
    }

    /// # Panics
    /// When the layer has to wait.
    pub fn send(&self, request: Request<()>) -> Response<String> {
        send(&self.service, request)
    }
}

fn bearer(token: &str) -> Request<()> {
    Request::get("/notes").header("authorization", format!("Bearer {token}")).body(()).expect("a request")
}

/// Requests that are refused, by a resource whose clock can be moved.
pub struct Scene {
    bench: Bench,
    expired: String,
    other_issuer: String,
    token: String,
}

impl Scene {
    /// A token that expired while it was in memory, one of an unknown issuer, and a good one.
    pub fn garbage() -> Self {
        let clock = Arc::new(ManualClock::at(SystemClock::default().now()));
        let shared: Arc<dyn Clock> = clock.clone();
        let bench = Bench::with(false, |builder| builder.clock(shared));
        let mint = || bench.server.token().audience("https://api.example").bound_to(&bench.key);
        let (expired, token) = (mint().expires_in(60).mint(), mint().expires_in(3600).mint());
        let other_issuer = mint().claim("iss", "https://other.example").mint();
        bench.warm(&expired);
        clock.set_wall_clock(clock.now() + 95); // with the leeway, and within the proof's window by `iat` below
        Self { bench, expired, other_issuer, token }
    }

    pub fn malformed_proof(&self) -> Request<()> {
        let mut request = self.bench.request(&self.token);
        request.headers_mut().insert("dpop", http::HeaderValue::from_static("a.b.c"));
        request
    }

    pub fn unknown_issuer(&self) -> Request<()> {
        self.bench.request(&self.other_issuer)
    }

    pub fn expired_in_cache(&self) -> Request<()> {
        self.bench.request(&self.expired)
    }

    pub fn send(&self, request: Request<()>) -> Response<String> {
        self.bench.send(request)
    }
}

/// Says that every token is active and bound to one key.
struct Active(String);

impl HttpFetch for Active {
    fn fetch(
        &self,
        _: FetchRequest,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        let response = FetchResponse::new(self.0.clone()).content_type("application/json");
        Box::pin(ready(Ok(response)))
    }
}

impl Bench {
    /// With opaque tokens, the answers about which are in memory after the first request.
    pub fn opaque() -> Self {
        let key = DpopKey::generate(Algorithm::ES256).expect("a key");
        let answer = serde_json::json!({
            "active": true, "aud": "https://api.example", "scope": "notes:read", "client_id": "app", "sub": "alice",
            "cnf": { "jkt": key.thumbprint().to_string() },
        });
        let server = TestAuthServer::offline("https://as.example");
        let introspection = Introspection::at("https://as.example/introspect")
            .client_secret_basic("api", "secret")
            .cache_for(std::time::Duration::from_secs(300))
            .http_fetch(Active(answer.to_string()));
        let issuer = IssuerConfig::new(server.issuer()).static_jwks(server.jwks_json()).introspection(introspection);
        let cfg = PopConfig::builder(issuer, "https://api.example").build().expect("a valid configuration");
        let service = PopLayer::new(cfg).layer(Inner);
        let bench = Self { server, key, service, nonce: None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let first = runtime.block_on(bench.service.clone().call(bench.request(OPAQUE))).expect("infallible");
        assert_eq!(first.status(), 200);
        bench
    }
}

/// An opaque token.
pub const OPAQUE: &str = "2YotnFZFEjr1zCsicMWpAA-2YotnFZFEjr1zCsicMWpAA";

/// Bare verifications with a parsed key. Each is of another signature, as those of requests are: a processor that sees one
/// signature over and over learns its branches and is 6 % faster.
pub struct Bare {
    key: ParsedPublicKey,
    signed: Vec<(Vec<u8>, Vec<u8>)>,
    next: Cell<usize>,
}

impl Bare {
    /// ES256, over messages as long as a DPoP proof's.
    pub fn new() -> Self {
        Self::of(Algorithm::ES256, 422)
    }

    /// With Ed25519 or ES256, over messages of this length.
    pub fn of(algorithm: Algorithm, len: usize) -> Self {
        let signer = DpopKey::generate(algorithm).expect("a key");
        let jwk = signer.public_jwk();
        let member = |name: &str| pop_core::jose::decode(jwk[name].as_str().expect("text")).expect("base64url");
        let key = match algorithm {
            Algorithm::Ed25519 => ParsedPublicKey::new(&ED25519, member("x")),
            _ => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], member("x"), member("y")].concat()),
        };
        let sign = |number: u16| {
            let mut message = vec![b'm'; len - 2];
            message.extend(number.to_le_bytes());
            let signature = signer.sign(&message).expect("a signature");
            (message, signature)
        };
        Self { key: key.expect("a key"), signed: (0..1000).map(sign).collect(), next: Cell::new(0) }
    }

    pub fn verify(&self) {
        let next = self.next.get();
        self.next.set((next + 1) % self.signed.len());
        let (message, signature) = &self.signed[next];
        self.key.verify_sig(message, signature).expect("a good signature");
    }
}
