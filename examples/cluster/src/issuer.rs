//! An authorization server whose metadata and keys can be broken, and whose keys can be replaced.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pop_authserver::{DpopKey, TestAuthServer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How the authorization server responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Works,
    /// With 503.
    Fails,
    /// Never.
    Hangs,
    /// With a page for people.
    Html,
    /// With the metadata of another issuer.
    AnotherIssuer,
    /// With a key set that is empty.
    NoKeys,
    /// With a key set of 20 MB.
    HugeKeys,
}

/// A development authorization server that listens on loopback.
#[derive(Debug)]
pub struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    state: Mutex<Keys>,
}

#[derive(Debug)]
struct Keys {
    mood: Mood,
    /// Those whose keys are published, the oldest first. The last but two signs tokens.
    servers: VecDeque<Arc<TestAuthServer>>,
}

impl Keys {
    fn published(&self) -> Vec<Value> {
        self.servers.iter().flat_map(|server| keys_of(server)).collect()
    }
}

impl Issuer {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let state = Mutex::new(Keys { mood: Mood::Works, servers: [Arc::new(TestAuthServer::offline(&url))].into() });
        let issuer = Self { address, shared: Arc::new(Shared { url, state }), serving: Mutex::new(None) };
        issuer.serve(listener);
        issuer
    }

    fn serve(&self, listener: TcpListener) {
        let app = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/jwks", get(jwks))
            .with_state(Arc::clone(&self.shared));
        let serving = tokio::spawn(async move { drop(axum::serve(listener, app).await) });
        *self.serving.lock().unwrap() = Some(serving);
    }

    /// The issuer identifier.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Changes how it responds from now on.
    pub fn set(&self, mood: Mood) {
        self.shared.state.lock().unwrap().mood = mood;
    }

    /// Stops listening, or listens again.
    pub async fn listens(&self, listens: bool) {
        if let Some(serving) = self.serving.lock().unwrap().take() {
            serving.abort();
        }
        if listens {
            let listener = loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => break listener,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            };
            self.serve(listener);
        }
    }

    /// Publishes one more key, and signs tokens with the one that was published two calls before. Keys stay in the set for two more
    /// calls.
    pub fn rotate(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.servers.push_back(Arc::new(TestAuthServer::offline(self.url())));
        if state.servers.len() > 5 {
            state.servers.pop_front();
        }
    }

    /// A token of this audience, bound to the key.
    pub fn token(&self, audience: &str, key: &DpopKey) -> String {
        let server = {
            let state = self.shared.state.lock().unwrap();
            Arc::clone(&state.servers[state.servers.len().saturating_sub(3)])
        };
        server.token().audience(audience).bound_to(key).expires_in(7200).mint()
    }
}

fn keys_of(server: &TestAuthServer) -> Vec<Value> {
    let set: Value = serde_json::from_str(&server.jwks_json()).unwrap();
    set["keys"].as_array().unwrap().clone()
}

/// Whatever it is, the connection ends with it: the next request finds out whether somebody listens.
async fn respond(shared: &Shared, right: impl FnOnce() -> Value) -> Response {
    let mood = shared.state.lock().unwrap().mood;
    let close = [(CONNECTION, "close")];
    match mood {
        Mood::Fails => (StatusCode::SERVICE_UNAVAILABLE, close).into_response(),
        Mood::Hangs => std::future::pending().await,
        Mood::Html => (close, [(CONTENT_TYPE, "text/html")], "<title>Please log in</title>").into_response(),
        _ => (close, [(CONTENT_TYPE, "application/json")], right().to_string()).into_response(),
    }
}

async fn metadata(State(shared): State<Arc<Shared>>) -> Response {
    let another = shared.state.lock().unwrap().mood == Mood::AnotherIssuer;
    let issuer = if another { "http://127.0.0.1:1" } else { &shared.url };
    respond(&shared, || json!({ "issuer": issuer, "jwks_uri": format!("{}/jwks", shared.url) })).await
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Response {
    respond(&shared, || {
        let state = shared.state.lock().unwrap();
        match state.mood {
            Mood::NoKeys => json!({ "keys": [] }),
            Mood::HugeKeys => json!({ "keys": state.published(), "padding": "x".repeat(20_000_000) }),
            _ => json!({ "keys": state.published() }),
        }
    })
    .await
}
