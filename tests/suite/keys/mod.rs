//! The keys of an issuer: how they are found, fetched, cached and refreshed. The clock is manual and the HTTP client scripted,
//! so that nothing sleeps.

mod age;
mod connections;
mod discovery;
mod fetching;
mod key_sets;
mod readiness;
mod refresh;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};

use pop_authserver::TestAuthServer;
use tokio::sync::Semaphore;
use tower_pop::clock::ManualClock;
use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
use tower_pop::{IssuerConfig, PopConfigBuilder};

use crate::support::{Api, Expected, ISSUER, NOW, api_for};

const JWKS: &str = "https://as.example/jwks";
const METADATA: &str = "https://as.example/.well-known/oauth-authorization-server";
const OPENID: &str = "https://as.example/.well-known/openid-configuration";

type Document = Result<FetchResponse, FetchError>;

/// Responds from a table, counts requests, and can be made to wait.
#[derive(Clone)]
struct Script {
    documents: Arc<Mutex<HashMap<String, Document>>>,
    urls: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
    /// The URL that never responds.
    hangs: Arc<Mutex<Option<String>>>,
    /// The clock, and the seconds that each response takes on it.
    takes: Arc<OnceLock<(Arc<ManualClock>, u64)>>,
}

impl Script {
    fn new() -> Self {
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { documents: Arc::default(), urls: Arc::default(), gate, hangs: Arc::default(), takes: Arc::default() }
    }

    fn set(&self, url: &str, document: Document) {
        self.documents.lock().unwrap().insert(url.to_owned(), document);
    }

    fn serve(&self, url: &str, body: impl Into<String>) {
        self.set(url, Ok(FetchResponse::new(body.into())));
    }

    fn requests(&self) -> usize {
        self.urls.lock().unwrap().len()
    }

    fn urls(&self) -> Vec<String> {
        self.urls.lock().unwrap().clone()
    }
}

impl HttpFetch for Script {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        self.urls.lock().unwrap().push(request.url.clone());
        let script = self.clone();
        Box::pin(async move {
            let _open = script.gate.acquire().await;
            if script.hangs.lock().unwrap().as_ref() == Some(&request.url) {
                std::future::pending::<()>().await;
            }
            if let Some((clock, seconds)) = script.takes.get() {
                clock.advance(*seconds);
            }
            let document = script.documents.lock().unwrap().get(&request.url).cloned();
            let response = document.unwrap_or(Err(FetchError::Status(404)))?;
            if response.body.len() > request.max_len { Err(FetchError::TooLong) } else { Ok(response) }
        })
    }
}

fn api(script: &Script, configure: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder) -> Api {
    let server = TestAuthServer::offline_at(ISSUER, NOW);
    script.serve(JWKS, server.jwks_json());
    let issuer = IssuerConfig::new(ISSUER).jwks_uri(JWKS);
    api_for(server, issuer, |builder| configure(builder.http_fetch(script.clone())))
}

async fn fetched(script: &Script) -> Api {
    let api = api(script, |builder| builder);
    api.with_token(&api.token().mint()).await.is(Expected::Ok, "the first request fetches");
    assert_eq!(script.requests(), 1);
    api
}

/// Lets background tasks run.
async fn run_background_tasks() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
