//! Opaque tokens (RFC 7662, RFC 9701). The clock is manual and the authorization server scripted, so that nothing sleeps.

mod cache;
mod circuit;
mod lanes;
mod over_http;
mod requests;
mod responses;
mod settings;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use pop_authserver::{DpopKey, TestAuthServer, proof};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower_pop::clock::Clock;
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{Introspection, IssuerConfig, PopConfigBuilder};

use crate::support::{AUDIENCE, Answer, Api, ISSUER, NOW, URL, api_for, issuer, request};

pub(crate) const ENDPOINT: &str = "https://as.example/introspect";
pub(crate) const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

type Reply = Result<FetchResponse, FetchError>;

/// Gives every request the same response until that is changed, records requests, and can be made to wait.
#[derive(Clone)]
pub(crate) struct Server {
    reply: Arc<Mutex<Reply>>,
    pub(crate) seen: Arc<Mutex<Vec<FetchRequest>>>,
    pub(crate) gate: Arc<Semaphore>,
}

impl HttpFetch for Server {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        self.seen.lock().unwrap().push(request);
        let server = self.clone();
        Box::pin(async move {
            let _open = server.gate.acquire().await;
            server.reply.lock().unwrap().clone()
        })
    }
}

impl Server {
    pub(crate) fn new() -> Self {
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { reply: Arc::new(Mutex::new(Err(FetchError::Status(500)))), seen: Arc::default(), gate }
    }

    pub(crate) fn replies(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    pub(crate) fn says(&self, body: impl Into<String>) {
        self.replies(Ok(FetchResponse::new(body.into()).content_type("application/json")));
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

/// An API with an issuer that introspects tokens.
pub(crate) struct Scene {
    pub(crate) api: Api,
    pub(crate) server: Server,
}

fn introspection(server: &Server) -> Introspection {
    Introspection::at(ENDPOINT).client_secret_basic("api", "secret").http_fetch(server.clone())
}

pub(crate) fn scene_with(
    change: impl FnOnce(Introspection) -> Introspection,
    configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder,
) -> Scene {
    scene_of(|issuer, introspection| issuer.introspection(change(introspection)), configure)
}

/// A scene whose issuer is configured by the caller.
pub(crate) fn scene_of(
    change: impl FnOnce(IssuerConfig, Introspection) -> IssuerConfig,
    configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder,
) -> Scene {
    let server = Server::new();
    let authorization_server = TestAuthServer::offline_at(ISSUER, NOW);
    let issuer = change(issuer(&authorization_server), introspection(&server));
    let api = api_for(authorization_server, issuer, configure);
    let scene = Scene { api, server };
    scene.server.says(scene.active().to_string());
    scene
}

pub(crate) fn scene() -> Scene {
    scene_with(|introspection| introspection, |builder| builder)
}

impl Scene {
    /// A valid response.
    pub(crate) fn active(&self) -> Value {
        json!({
            "active": true, "iss": ISSUER, "sub": "alice", "client_id": "app", "aud": AUDIENCE, "scope": "notes:read",
            "exp": NOW + 300, "token_type": "DPoP", "cnf": { "jkt": self.api.key.thumbprint().to_string() },
        })
    }

    pub(crate) fn says(&self, change: impl FnOnce(&mut Value)) {
        let mut answer = self.active();
        change(&mut answer);
        self.server.says(answer.to_string());
    }

    pub(crate) async fn send(&self, token: &str) -> Answer {
        self.api.with_token(token).await
    }
}

pub(crate) fn without(answer: &mut Value, name: &str) {
    answer.as_object_mut().unwrap().remove(name);
}

pub(crate) async fn run_background_tasks() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A request with a token, proven by some key.
async fn send_by(scene: &Scene, key: &DpopKey, token: &str) -> Answer {
    let proof = proof(key).url(URL).for_token(token).issued_at(scene.api.clock.now()).mint();
    scene.api.send(request(token, &proof)).await
}
