//! Each request is counted and logged once, whatever rejects it.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use http::{Request, Response};
use pop_authserver::ProofMint;
use tower::{Layer, Service, ServiceExt};
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{Claims, Mode, PopConfig, PopLayer, RequireClaim, RequireScope, VerifiedToken};

use crate::log;
use crate::recorder::{Notes, Seen};
use crate::support::{self, Api};

/// What was counted and logged since the last check: without the ages of proofs, and only the codes of events.
struct Observed {
    counts: Seen,
    events: Arc<Mutex<Vec<u8>>>,
}

impl Observed {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        log::prepare();
        let counts = Seen::default();
        metrics::set_global_recorder(Notes::to(&counts)).unwrap();
        let events = Arc::<Mutex<Vec<u8>>>::default();
        let written = Arc::clone(&events);
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("tower_pop=debug")
            .with_ansi(false)
            .with_writer(move || Lines(Arc::clone(&written)))
            .finish();
        (Self { counts, events }, tracing::subscriber::set_default(subscriber))
    }

    #[track_caller]
    fn is(&self, row: &str, expected: &[&str]) {
        let counts: Vec<String> = std::mem::take(&mut *self.counts.lock().unwrap())
            .into_iter()
            .filter_map(|count| {
                Some(count.strip_prefix("pop_requests_total ")?.replace("outcome=", "").replace("code=", ""))
            })
            .collect();
        let expected_counts: Vec<String> = expected.iter().map(|expected| format!("{expected} +1")).collect();
        assert_eq!(counts, expected_counts, "{row}");
        let events = String::from_utf8(std::mem::take(&mut *self.events.lock().unwrap())).unwrap();
        let logged = expected.iter().filter(|expected| !expected.starts_with("admitted"));
        assert_eq!(events.lines().count(), logged.clone().count(), "{row}: {events}");
        for (line, expected) in events.lines().zip(logged) {
            let code = expected.split(' ').next_back().unwrap();
            assert!(line.contains(&format!("code=\"{code}\"")), "{row}: {line}");
        }
    }
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(serde::Deserialize)]
struct Tenant {
    #[allow(dead_code)]
    tenant: String,
}

/// Every way in which something behind the layer can reject a request.
fn app(api: &Api) -> Router {
    Router::new()
        .route("/notes", get(|| async { "notes" }))
        .route("/guarded", get(|| async { "guarded" }).layer(RequireScope::all(["none"])))
        .route("/role", get(|| async { "role" }).layer(RequireClaim::any("roles", ["admin"])))
        .route("/token", get(|_: VerifiedToken| async { "token" }))
        .route("/claims", get(|_: Claims<Tenant>| async { "claims" }))
        .route("/handler", get(|token: VerifiedToken| async move { token.require_scopes(&["none"]).map(|()| "no") }))
        .route("/nested", get(|| async { "nested" }).layer(PopLayer::new(api.cfg.with_mode(Mode::Required).unwrap())))
        .route(
            "/lost",
            get(|_: VerifiedToken| async { "lost" }).layer(from_fn(|mut request: Request<Body>, next: Next| {
                request.extensions_mut().clear();
                next.run(request)
            })),
        )
        .layer(PopLayer::new(api.cfg.clone()))
}

async fn send(api: &Api, path: &str, change: impl FnOnce(ProofMint) -> ProofMint) -> u16 {
    let token = api.token().mint();
    let proof = change(api.proof(&token).url(&format!("https://api.example{path}"))).mint();
    let mut request = support::request(&token, &proof).map(|()| Body::empty());
    *request.uri_mut() = path.parse().unwrap();
    app(api).oneshot(request).await.unwrap().status().as_u16()
}

async fn anonymous(api: &Api, path: &str) -> u16 {
    app(api).oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn every_request_is_counted_and_logged_once_whatever_rejects_it() {
    let (observed, _guard) = Observed::start();
    let api = support::api();
    api.with_proof(|proof| proof.issued_at(support::NOW - 7)).await;
    assert!(observed.counts.lock().unwrap().contains(&"pop_proof_age_seconds 7".to_owned()));
    observed.is("the layer, the twin", &["admitted dpop"]);
    api.with_proof(|proof| proof.method("PUT")).await;
    observed.is("the layer", &["rejected proof.htm_mismatch"]);
    for (path, status, expected) in [
        ("/notes", 200, "admitted dpop"),
        ("/guarded", 403, "rejected scope.insufficient"),
        ("/role", 403, "rejected claim.insufficient"),
        ("/token", 200, "admitted dpop"),
        ("/claims", 403, "rejected claim.shape"),
        ("/handler", 403, "rejected scope.insufficient"),
        ("/nested", 200, "admitted dpop"),
        ("/nowhere", 404, "admitted dpop"),
        ("/lost", 500, "rejected layer.missing"),
    ] {
        assert_eq!(send(&api, path, |proof| proof).await, status, "{path}");
        observed.is(path, &[expected]);
    }

    let optional = support::api_with(|builder| builder.mode(Mode::Optional));
    for (path, status, expected) in [
        ("/notes", 200, "admitted anonymous"),
        ("/guarded", 401, "rejected credential.missing"),
        ("/token", 401, "rejected credential.missing"),
        ("/claims", 401, "rejected credential.missing"),
        ("/nested", 401, "rejected credential.missing"),
    ] {
        assert_eq!(anonymous(&optional, path).await, status, "{path}");
        observed.is(path, &[expected]);
    }

    let report = support::api_with(|builder| builder.mode(Mode::ReportOnly));
    for (path, status, expected) in [
        ("/notes", 200, "unproven proof.htm_mismatch"),
        ("/guarded", 403, "rejected scope.insufficient"),
        ("/nested", 401, "rejected proof.htm_mismatch"),
    ] {
        assert_eq!(send(&report, path, |proof| proof.method("PUT")).await, status, "{path}");
        observed.is(path, &[expected]);
    }

    let app = Router::new().route("/token", get(|_: VerifiedToken| async { "open" }));
    let guarded = Router::new().route("/token", get(|| async { "open" }).layer(RequireScope::all(["a"])));
    for app in [app, guarded] {
        let response = app.oneshot(Request::get("/token").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        observed.is("no layer at all", &["rejected layer.missing"]);
    }

    let preflight = support::api_with(tower_pop::PopConfigBuilder::pass_cors_preflight);
    let request = Request::options("/notes").header("origin", "x").header("access-control-request-method", "PUT");
    assert_eq!(preflight.send(request.body(()).unwrap()).await.status, 200);
    observed.is("a preflight", &["admitted preflight"]);
    requests_that_wait_fail_or_are_dropped_are_counted_once_too(&observed).await;

    // The parts that requests use.
    let cfg = PopConfig::builder("https://as.example", "https://api.example").http_fetch(Down).build().unwrap();
    assert!(!cfg.warm_up().await.is_ready());
    let mut counts = observed.counts.lock().unwrap();
    counts.retain(|count| !count.starts_with("pop_step_duration_seconds") && !count.starts_with("pop_replay_store_"));
    let failed = "pop_key_fetches_total issuer=https://as.example outcome=failed +1".to_owned();
    assert_eq!(*counts, [failed], "one failed fetch, and no request");
}

async fn requests_that_wait_fail_or_are_dropped_are_counted_once_too(observed: &Observed) {
    let slow = support::api_with(|builder| builder.replay_store(support::Slow::default()));
    let token = slow.token().mint();
    let proof = slow.proof(&token).mint();
    slow.with(&token, &proof).await;
    observed.is("a verdict that was waited for", &["admitted dpop"]);
    slow.with(&token, &proof).await;
    observed.is("and a rejection", &["rejected replay.replayed"]);

    let service = |inner: Inner| PopLayer::new(slow.cfg.clone()).layer(inner);
    let request = || {
        let token = slow.token().mint();
        support::request(&token, &slow.proof(&token).mint())
    };
    let failed = service(Inner::Fails).oneshot(request()).await;
    assert!(failed.is_err());
    observed.is("the inner service failed", &["admitted dpop"]);
    for (polls, expected) in [(1, "abandoned undecided"), (2, "abandoned dpop")] {
        let mut pending = Box::pin(service(Inner::Hangs).oneshot(request()));
        for _ in 0..polls {
            let poll = std::future::poll_fn(|cx| Poll::Ready(pending.as_mut().poll(cx).is_pending())).await;
            assert!(poll);
        }
        drop(pending);
        observed.is("dropped", &[expected]);
    }

    // A rejection handler that drops the error, in nested layers.
    let forgetful = |rejection: &tower_pop::Rejection, _: &http::request::Parts| {
        Response::builder().status(rejection.status()).body("no".to_owned()).unwrap()
    };
    let optional = support::api_with(|builder| builder.mode(Mode::Optional));
    let inside = PopLayer::new(optional.cfg.with_mode(Mode::Required).unwrap()).on_rejection(forgetful);
    let nested = PopLayer::new(optional.cfg.clone()).layer(inside.layer(Inner::Fails));
    let response = nested.oneshot(Request::get("/notes").body(()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 401);
    observed.is("a rejection handler that drops the error", &["rejected credential.missing"]);

    let api = support::api();
    let token = api.token().mint();
    for (proof, expected) in
        [(api.proof(&token).mint(), "admitted dpop"), ("x".to_owned(), "rejected proof.not_compact")]
    {
        let (parts, ()) = support::request(&token, &proof).into_parts();
        assert!(matches!(api.cfg.verify(&parts), tower_pop::Verification::Now(_)));
        observed.is("without tower", &[expected]);
    }
}

#[derive(Clone, Copy)]
enum Inner {
    Fails,
    Hangs,
}

impl Service<Request<()>> for Inner {
    type Response = Response<String>;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, &'static str>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        match self {
            Self::Fails => Box::pin(async { Err("broken") }),
            Self::Hangs => Box::pin(std::future::pending()),
        }
    }
}

/// An authorization server that is down.
pub(crate) struct Down;

impl HttpFetch for Down {
    fn fetch(&self, _: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        Box::pin(async { Err(FetchError::Status(500)) })
    }
}
