//! A server of the Model Context Protocol with `rmcp`, behind `PopLayer`. `docs/mcp.md` explains it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use futures_util::StreamExt;
use http::request::Parts;
use rmcp::handler::server::common::Extension;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::ErrorData;
use rmcp::schemars::{self, JsonSchema};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{tool, tool_router};
use serde::Deserialize;
use tower_pop::{PopConfig, PopLayer, Rejection, VerifiedToken};

const WRITE: [&str; 1] = ["notes:write"];

/// Returns the server at `/mcp`, behind the layer, and its metadata (RFC 9728), which every client may read.
pub fn router(cfg: &PopConfig, transport: StreamableHttpServerConfig) -> Router {
    let mcp = StreamableHttpService::new(|| Ok(Notes), Arc::new(LocalSessionManager::default()), transport);
    Router::new()
        .route_service("/mcp", mcp)
        .layer(from_fn(authorize))
        .layer(PopLayer::new(cfg.clone()))
        .merge(cfg.metadata_route())
}

/// Rejects calls whose token lacks a scope, and ends the stream of a response when the token expires.
///
/// Clients of MCP 2026-07-28 name the tool in a header field, so the response can be 403 with the scope that is needed.
/// `rmcp` compares the field with the content. For other clients, the tool rejects the call.
async fn authorize(token: VerifiedToken, request: Request, next: Next) -> Result<Response, Rejection> {
    if request.headers().get("mcp-name").is_some_and(|tool| tool == "add_note") {
        token.require_scopes(&WRITE)?;
    }
    let expiry = UNIX_EPOCH + Duration::from_secs(token.expires_at());
    let expired = tokio::time::sleep(expiry.duration_since(SystemTime::now()).unwrap_or_default());
    Ok(next.run(request).await.map(|body| Body::from_stream(body.into_data_stream().take_until(expired))))
}

struct Notes;

#[derive(Deserialize, JsonSchema)]
struct Note {
    text: String,
}

#[tool_router(server_handler)]
impl Notes {
    #[tool(description = "Says whose token the request has")]
    async fn whoami(&self, Extension(request): Extension<Parts>) -> Result<String, ErrorData> {
        let token = token(&request)?;
        Ok(format!("user {}, client {}", token.subject().unwrap_or("?"), token.client_id().unwrap_or("?")))
    }

    #[tool(description = "Adds a note. Needs the scope notes:write")]
    async fn add_note(
        &self,
        Parameters(note): Parameters<Note>,
        Extension(request): Extension<Parts>,
    ) -> Result<String, ErrorData> {
        let lacks_scope = |rejection: Rejection| ErrorData::invalid_request(rejection.description().to_owned(), None);
        token(&request)?.require_scopes(&WRITE).map_err(lacks_scope)?;
        Ok(format!("noted: {}", note.text))
    }
}

/// Returns the verified token of the request that called a tool.
fn token(request: &Parts) -> Result<&VerifiedToken, ErrorData> {
    let token = request.extensions.get();
    token.ok_or_else(|| ErrorData::internal_error("the service is not behind PopLayer", None))
}
