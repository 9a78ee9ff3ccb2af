//! A server with an authorization server of its own, and requests that are made by hand.

use std::time::Duration;

use axum::Router;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method};
use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
use pop_client::{Challenge, Proof};
use reqwest::Response;
use rmcp::transport::StreamableHttpServerConfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_pop::{NoncePolicy, PopConfig, Preset};

/// Long enough for every machine: only a hang takes longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) issuer: TestAuthServer,
    pub(crate) url: String,
    pub(crate) key: DpopKey,
    http: reqwest::Client,
}

impl Server {
    /// Without sessions, as the program starts it.
    pub(crate) async fn start(nonce: NoncePolicy) -> Self {
        let transport = StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
        Self::start_with(nonce, transport).await
    }

    pub(crate) async fn start_with(nonce: NoncePolicy, transport: StreamableHttpServerConfig) -> Self {
        Self::start_behind(nonce, transport, |app| app).await
    }

    /// With something in front of the layer.
    pub(crate) async fn start_behind(
        nonce: NoncePolicy,
        transport: StreamableHttpServerConfig,
        front: impl FnOnce(Router) -> Router,
    ) -> Self {
        let issuer = TestAuthServer::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let cfg = PopConfig::builder(issuer.issuer(), &url).preset(Preset::Mcp).nonce(nonce).build().unwrap();
        let app = front(mcp_server::router(&cfg, transport));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let http = reqwest::Client::builder().timeout(LIMIT).build().unwrap();
        Self { issuer, url, key: DpopKey::generate(Algorithm::ES256).unwrap(), http }
    }

    pub(crate) fn token(&self, scope: &str) -> String {
        self.token_for(scope, 300)
    }

    /// A token that is valid for this many seconds.
    pub(crate) fn token_for(&self, scope: &str, lifetime: i64) -> String {
        let token = self.issuer.token().subject("alice").client_id("app").audience(&self.url);
        token.scope(scope).expires_in(lifetime).bound_to(&self.key).mint()
    }

    pub(crate) fn proof(&self, method: &Method, token: &str, nonce: Option<&str>) -> String {
        Proof::new(method.as_str(), &self.url).access_token(token).nonce(nonce).sign(&self.key).unwrap()
    }

    /// Sends a request with these fields. POST has a call of `whoami` as its content, unless it has other content.
    pub(crate) async fn send(&self, method: &Method, fields: HeaderMap, content: Option<Value>) -> Response {
        let request =
            self.http.request(method.clone(), &self.url).header(ACCEPT, "application/json, text/event-stream");
        let content = content.unwrap_or_else(|| call("whoami"));
        let request = request.header(CONTENT_TYPE, "application/json").headers(fields);
        let request = if method == Method::POST { request.body(content.to_string()) } else { request };
        request.send().await.unwrap()
    }

    /// Sends a request with this token and a new proof, and again with a nonce if the server asks for one. `fields` are
    /// sent, too.
    pub(crate) async fn send_signed(
        &self,
        method: &Method,
        token: &str,
        fields: &HeaderMap,
        content: Option<Value>,
    ) -> Response {
        let mut nonce = None;
        loop {
            let proof = self.proof(method, token, nonce.as_deref());
            let mut fields = fields.clone();
            fields.extend(credentials("DPoP", token, &proof));
            let response = self.send(method, fields, content.clone()).await;
            if nonce.is_some() || !challenge(&response).contains("use_dpop_nonce") {
                return response;
            }
            nonce = Some(response.headers()["dpop-nonce"].to_str().unwrap().to_owned());
        }
    }
}

pub(crate) fn credentials(scheme: &str, token: &str, proof: &str) -> HeaderMap {
    let fields = [
        (AUTHORIZATION, format!("{scheme} {token}").parse().unwrap()),
        ("dpop".parse().unwrap(), proof.parse().unwrap()),
    ];
    fields.into_iter().collect()
}

/// A call of a tool, as clients before MCP 2026-07-28 make it.
pub(crate) fn call(tool: &str) -> Value {
    let params = json!({ "name": tool, "arguments": { "text": "buy milk" } });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
}

/// All challenges of a response, in one string.
pub(crate) fn challenge(response: &Response) -> String {
    let challenges = response.headers().get_all("www-authenticate").iter();
    challenges.map(|challenge| challenge.to_str().unwrap()).collect::<Vec<_>>().join(", ")
}

/// A parameter of the DPoP challenge of a response.
pub(crate) fn parameter(response: &Response, name: &str) -> Option<String> {
    let challenges = Challenge::from_headers(response.headers());
    let dpop = challenges.iter().find(|challenge| challenge.is("DPoP"))?;
    dpop.parameter(name).map(str::to_owned)
}
