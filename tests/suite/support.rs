//! One protected resource in memory, at a fixed time: mints tokens and proofs, sends requests, checks responses.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, Response, StatusCode};
use pop_authserver::{Algorithm, DpopKey, ProofMint, TestAuthServer, TokenMint, proof};
use pop_core::jose::crypto::CryptoBackend;
use tower::{Layer, ServiceExt, service_fn};
use tower_pop::clock::{Clock, ManualClock};
use tower_pop::replay::{MemoryReplayStore, ReplayAnswer, ReplayEntry, ReplayStore};
use tower_pop::{Error, IssuerConfig, PopConfig, PopConfigBuilder, PopLayer, VerifiedToken};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://as.example";
pub(crate) const AUDIENCE: &str = "https://api.example";
pub(crate) const URL: &str = "https://api.example/notes";

/// The kinds of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Ok,
    NoCredentials,
    BadRequest,
    Token,
    Proof,
    Nonce,
    Down,
}

pub(crate) struct Api {
    pub(crate) server: TestAuthServer,
    pub(crate) key: DpopKey,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) cfg: PopConfig,
    pub(crate) calls: Arc<AtomicUsize>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) code: Option<&'static str>,
    pub(crate) token: Option<VerifiedToken>,
    pub(crate) calls: usize,
}

pub(crate) fn issuer(server: &TestAuthServer) -> IssuerConfig {
    IssuerConfig::new(server.issuer()).static_jwks(server.jwks_json())
}

/// The in-memory store that answers later, as a database does.
#[derive(Default)]
pub(crate) struct Slow(MemoryReplayStore);

impl ReplayStore for Slow {
    fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
        let answer = self.0.insert(entry);
        ReplayAnswer::Later(Box::pin(async move {
            tokio::task::yield_now().await;
            answer.wait().await
        }))
    }
}

/// A resource with default settings.
pub(crate) fn api() -> Api {
    api_with(|builder| builder)
}

/// The backend of every resource that does not set one: `POPLAYER_TEST_BACKEND`, or the default.
fn backend() -> CryptoBackend {
    let Ok(name) = std::env::var("POPLAYER_TEST_BACKEND") else {
        return CryptoBackend::default();
    };
    let is_it = |backend: &&CryptoBackend| format!("{backend:?}").eq_ignore_ascii_case(&name);
    *CryptoBackend::COMPILED_IN.iter().find(is_it).unwrap_or_else(|| panic!("there is no backend {name:?}"))
}

/// A resource with default settings on one backend.
pub(crate) fn api_on(backend: CryptoBackend) -> Api {
    api_with(|builder| builder.crypto_backend(backend))
}

pub(crate) fn api_with(configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> Api {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    let issuer = issuer(&server);
    api_for(server, issuer, configure)
}

pub(crate) fn api_for(
    server: TestAuthServer,
    issuer: IssuerConfig,
    configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder,
) -> Api {
    let clock = Arc::new(ManualClock::at(NOW));
    let dyn_clock: Arc<dyn Clock> = clock.clone();
    let builder = PopConfig::builder(issuer, AUDIENCE).clock(dyn_clock).crypto_backend(backend());
    let cfg = configure(builder).build().unwrap();
    let key = DpopKey::generate(Algorithm::ES256).unwrap();
    Api { server, key, clock, cfg, calls: Arc::default() }
}

impl Api {
    /// A valid token.
    pub(crate) fn token(&self) -> TokenMint {
        self.server.token().audience(AUDIENCE).scope("notes:read").bound_to(&self.key)
    }

    /// A valid proof.
    pub(crate) fn proof(&self, token: &str) -> ProofMint {
        proof(&self.key).url(URL).for_token(token).issued_at(self.clock.now())
    }

    /// Sends `GET /notes` with a token and a valid proof for it.
    pub(crate) async fn with_token(&self, token: &str) -> Answer {
        self.with(token, &self.proof(token).mint()).await
    }

    /// Sends `GET /notes` with a valid token and a proof made from a valid one.
    pub(crate) async fn with_proof(&self, change: impl FnOnce(ProofMint) -> ProofMint) -> Answer {
        let token = self.token().mint();
        self.with(&token, &change(self.proof(&token)).mint()).await
    }

    pub(crate) async fn with(&self, token: &str, proof: &str) -> Answer {
        self.send(request(token, proof)).await
    }

    pub(crate) async fn send(&self, request: Request<()>) -> Answer {
        self.send_through(&self.cfg, request).await
    }

    pub(crate) async fn send_through(&self, cfg: &PopConfig, request: Request<()>) -> Answer {
        let before = self.calls.load(Ordering::SeqCst);
        let calls = Arc::clone(&self.calls);
        let inner = service_fn(move |request: Request<()>| {
            calls.fetch_add(1, Ordering::SeqCst);
            let mut response = Response::new(String::new());
            if let Some(token) = request.extensions().get::<VerifiedToken>() {
                response.extensions_mut().insert(token.clone());
            }
            async move { Ok::<_, Infallible>(response) }
        });
        let response = PopLayer::new(cfg.clone()).layer(inner).oneshot(request).await.unwrap();
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            code: response.extensions().get::<Error>().map(Error::code),
            token: response.extensions().get::<VerifiedToken>().cloned(),
            calls: self.calls.load(Ordering::SeqCst) - before,
        }
    }
}

/// A valid proof by another key.
pub(crate) fn proof_for(key: &DpopKey, token: &str) -> String {
    proof(key).url(URL).for_token(token).issued_at(NOW).mint()
}

pub(crate) fn request(token: &str, proof: &str) -> Request<()> {
    Request::get("/notes").header(AUTHORIZATION, format!("DPoP {token}")).header("DPoP", proof).body(()).unwrap()
}

impl Answer {
    pub(crate) fn challenges(&self) -> Vec<&str> {
        self.headers.get_all(WWW_AUTHENTICATE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// Checks status and challenge, and that the inner service was called for [`Expected::Ok`] alone.
    #[track_caller]
    pub(crate) fn is(self, expected: Expected, row: &str) -> Self {
        let challenges = self.challenges();
        let context = format!("{row}: {} {:?} {challenges:?}", self.status, self.code);
        let (status, error) = match expected {
            Expected::Ok => (200, None),
            Expected::NoCredentials => (401, None),
            Expected::BadRequest => (400, Some("invalid_request")),
            Expected::Token => (401, Some("invalid_token")),
            Expected::Proof => (401, Some("invalid_dpop_proof")),
            Expected::Nonce => (401, Some("use_dpop_nonce")),
            Expected::Down => (503, None),
        };
        assert_eq!(self.status, status, "{context}");
        assert_eq!(self.calls, usize::from(expected == Expected::Ok), "ERR-16 inner calls, {context}");
        assert_eq!(self.token.is_some(), expected == Expected::Ok, "{context}");
        let errors: Vec<bool> = challenges.iter().map(|challenge| challenge.contains("error=")).collect();
        match error {
            Some(error) => {
                let quoted = format!("error=\"{error}\"");
                assert!(challenges[0].contains(&quoted), "D-13 some clients read only the first challenge, {context}");
            }
            None => assert!(!errors.contains(&true), "{context}"),
        }
        if status == 401 {
            let is_dpop = |challenge: &&str| challenge.starts_with("DPoP ") && challenge.contains("algs=\"");
            assert!(challenges.iter().any(is_dpop), "ERR-01 DPOP-34 {context}");
        }
        if expected != Expected::Ok {
            assert_eq!(self.headers["cache-control"], "no-store", "ERR-12 {context}");
        }
        if expected == Expected::Down {
            assert!(self.headers.contains_key("retry-after") && challenges.is_empty(), "ERR-13 {context}");
        }
        let nonces = self.headers.get_all("dpop-nonce").iter().count();
        assert!(nonces <= 1 && (expected != Expected::Nonce || nonces == 1), "NONCE-03 {context}");
        self
    }

    #[track_caller]
    pub(crate) fn coded(self, code: &str, row: &str) -> Self {
        assert_eq!(self.code, Some(code), "{row}");
        self
    }
}
