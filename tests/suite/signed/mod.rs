//! Proofs over the request itself, through a layer that verifies content.

mod content;
mod entra;
mod envelope;
mod explain;
mod hmac;
mod layers;
mod matrix;
mod message;
mod once;
mod response;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use pop_authserver::{Algorithm, DpopKey, TestAuthServer, TokenMint};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::clock::{Clock, ManualClock};
use tower_pop::{ConfigError, Error, IssuerConfig, PopConfig, PopConfigBuilder, PopLayer, VerifiedBody, VerifiedToken};

use crate::support::{self, AUDIENCE, ISSUER, NOW};

pub(crate) const URL: &str = "https://api.example/notes?a=1&b=2";
pub(crate) const CONTENT: &str = r#"{"note":"buy milk"}"#;

/// A protected resource that echoes content.
pub(crate) struct Resource {
    pub(crate) server: TestAuthServer,
    pub(crate) key: DpopKey,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) cfg: PopConfig,
    calls: Arc<AtomicUsize>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) code: Option<&'static str>,
    pub(crate) token: Option<VerifiedToken>,
    pub(crate) content: Bytes,
    calls: usize,
}

impl Resource {
    pub(crate) fn new(configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> Self {
        Self::of(|issuer| issuer, configure).unwrap()
    }

    pub(crate) fn of(
        issuer: impl FnOnce(IssuerConfig) -> IssuerConfig,
        configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder,
    ) -> Result<Self, ConfigError> {
        let server = TestAuthServer::offline_at(ISSUER, NOW);
        let clock = Arc::new(ManualClock::at(NOW));
        let shared: Arc<dyn Clock> = clock.clone();
        let issuer = issuer(support::issuer(&server));
        let cfg = configure(PopConfig::builder(issuer, AUDIENCE).clock(shared)).build()?;
        let key = DpopKey::generate(Algorithm::ES256).unwrap();
        Ok(Self { server, key, clock, cfg, calls: Arc::default() })
    }

    /// A valid token that is bound to nothing yet.
    pub(crate) fn unbound(&self) -> TokenMint {
        self.server.token().audience(AUDIENCE).scope("notes:read").without("cnf")
    }

    /// A valid token with a confirmation.
    pub(crate) fn token(&self, cnf: Value) -> String {
        self.unbound().claim("cnf", cnf).mint()
    }

    /// The public key of the client, with its algorithm.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = self.key.public_jwk();
        jwk["alg"] = json!("ES256");
        jwk
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let before = self.calls.load(Ordering::SeqCst);
        let calls = Arc::clone(&self.calls);
        let echo = service_fn(move |request: Request<VerifiedBody<Full<Bytes>>>| {
            calls.fetch_add(1, Ordering::SeqCst);
            async move {
                let (parts, body) = request.into_parts();
                let content = body.collect().await.unwrap().to_bytes();
                let mut response = Response::new(Full::<Bytes>::from(content));
                response.extensions_mut().extend(parts.extensions);
                Ok::<_, Infallible>(response)
            }
        });
        let response = PopLayer::new(self.cfg.clone()).verify_content().layer(echo).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            code: parts.extensions.get::<Error>().map(Error::code),
            token: parts.extensions.get::<VerifiedToken>().cloned(),
            content: body.collect().await.unwrap().to_bytes(),
            calls: self.calls.load(Ordering::SeqCst) - before,
        }
    }
}

impl Answer {
    pub(crate) fn challenges(&self) -> Vec<&str> {
        self.headers.get_all(WWW_AUTHENTICATE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// Checks that the request reached the application with this content.
    #[track_caller]
    pub(crate) fn accepted(self, content: &str, row: &str) -> Self {
        assert_eq!(self.status, 200, "{row}: {:?} {:?}", self.code, self.challenges());
        assert_eq!((self.calls, &self.content[..]), (1, content.as_bytes()), "{row}");
        self
    }

    /// Checks the error in the first challenge, and that the application was not called.
    #[track_caller]
    pub(crate) fn rejected(self, scheme: &str, error: &str, row: &str) -> Self {
        let context = format!("{row}: {} {:?} {:?}", self.status, self.code, self.challenges());
        assert_eq!((self.status.as_u16(), self.calls), (401, 0), "{context}");
        let first = self.challenges()[0];
        assert!(first.starts_with(scheme) && first.contains(&format!("error=\"{error}\"")), "{context}");
        assert_eq!(self.headers["cache-control"], "no-store", "{context}");
        self
    }
}
