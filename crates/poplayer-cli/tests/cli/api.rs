//! An authorization server and a protected API on loopback.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::routing::any;
use pop_authserver::{AuthServerBuilder, Client, TestAuthServer};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tower_pop::{ClientCertificates, PopConfig, PopConfigBuilder, PopLayer, ProofKind, RequireScope, VerifiedToken};

use crate::support::{Ran, poplayer, poplayer_with};

/// The servers, which run until it is dropped.
pub(crate) struct Api {
    pub(crate) server: TestAuthServer,
    pub(crate) url: String,
    runtime: Runtime,
}

impl Api {
    /// Starts both, with the client `worker` and its secret `hunter2`.
    pub(crate) fn start(
        of_server: impl FnOnce(AuthServerBuilder) -> AuthServerBuilder,
        of_api: impl FnOnce(PopConfigBuilder) -> PopConfigBuilder,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (server, url) = runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let builder = pop_authserver::AuthServer::builder()
                .client(Client::confidential("worker", "hunter2").redirect_uri("http://127.0.0.1/callback"))
                .audience(&url);
            let server = TestAuthServer::start_with(of_server(builder)).await;
            let builder = PopConfig::builder(server.issuer(), &url)
                .proofs([ProofKind::Dpop, ProofKind::HttpSig, ProofKind::SignedRequest])
                .client_certificates(ClientCertificates::from_connection());
            let cfg = of_api(builder).build().unwrap();
            let scoped = any(async || "scoped").layer(RequireScope::all(["a", "b"]));
            let app = Router::new()
                .route("/echo", any(echo))
                .route("/scoped", scoped)
                .layer(PopLayer::new(cfg.clone()).verify_content());
            let app = app.merge(cfg.metadata_route());
            tokio::spawn(async move { axum::serve(listener, app).await });
            (server, url)
        });
        Self { server, url, runtime }
    }

    pub(crate) fn echo(&self) -> String {
        format!("{}/echo?a=1", self.url)
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Calls the API as `worker`.
    pub(crate) fn call(&self, more: &[&str]) -> Ran {
        let url = self.echo();
        let arguments = [&["call", &url, "--client-id", "worker"], more].concat();
        poplayer_with(&arguments, "", &[("POPLAYER_CLIENT_SECRET", "hunter2")])
    }

    /// Calls the API without a secret in the environment.
    pub(crate) fn call_with(&self, more: &[&str]) -> Ran {
        let url = self.echo();
        poplayer(&[&["call", &url], more].concat())
    }
}

async fn echo(token: VerifiedToken, method: Method, uri: Uri, headers: HeaderMap, content: Bytes) -> String {
    let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
    let content = String::from_utf8_lossy(&content);
    let proof = token.proof().kind();
    format!("{method} {uri} {} {} {content} by {proof:?}", field("content-type"), field("x-own"))
}
