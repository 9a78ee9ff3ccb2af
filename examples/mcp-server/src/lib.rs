//! A server of the Model Context Protocol with `rmcp`, behind `PopLayer`. `docs/mcp.md` explains it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
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

/// Why a tool may not be called. The tool sets it, so that the response is 403 and names the scope that is needed.
type Denied = Arc<OnceLock<Rejection>>;

/// How long a response may last in any case. The layer accepts a token for some seconds after it expires.
const MIN_RESPONSE: Duration = Duration::from_secs(10);

/// Returns the server at `/mcp`, behind the layer, and its metadata (RFC 9728), which every client may read.
pub fn router(cfg: &PopConfig, transport: StreamableHttpServerConfig) -> Router {
    let mcp = StreamableHttpService::new(|| Ok(Notes), Arc::new(LocalSessionManager::default()), transport);
    Router::new()
        .route_service("/mcp", mcp)
        .layer(from_fn(authorize))
        .layer(PopLayer::new(cfg.clone()))
        .merge(cfg.metadata_route())
}

/// Responds as a tool denies, and ends the stream of a response when the token expires.
async fn authorize(token: VerifiedToken, mut request: Request, next: Next) -> Response {
    let denied = Denied::default();
    request.extensions_mut().insert(denied.clone());
    let expiry = UNIX_EPOCH + Duration::from_secs(token.expires_at());
    let remaining = expiry.duration_since(SystemTime::now()).unwrap_or_default().max(MIN_RESPONSE);
    let expired = tokio::time::sleep(remaining);
    let response = next.run(request).await;
    match denied.get() {
        Some(rejection) => rejection.clone().into_response(),
        None => response.map(|body| Body::from_stream(body.into_data_stream().take_until(expired))),
    }
}

struct Notes;

#[derive(Deserialize, JsonSchema)]
struct Note {
    text: String,
}

#[tool_router(server_handler)]
impl Notes {
    #[tool(description = "Says whose token the request has. Needs the scope profile")]
    async fn whoami(&self, Extension(request): Extension<Parts>) -> Result<String, ErrorData> {
        let token = authorized(&request, &["profile"])?;
        Ok(format!("user {}, client {}", token.subject().unwrap_or("?"), token.client_id().unwrap_or("?")))
    }

    #[tool(description = "Adds a note. Needs the scope notes:write")]
    async fn add_note(
        &self,
        Parameters(note): Parameters<Note>,
        Extension(request): Extension<Parts>,
    ) -> Result<String, ErrorData> {
        authorized(&request, &["notes:write"])?;
        Ok(format!("noted: {}", note.text))
    }
}

/// Returns the token of the request that calls a tool, if it has these scopes.
fn authorized<'r>(request: &'r Parts, scopes: &[&str]) -> Result<&'r VerifiedToken, ErrorData> {
    let (Some(token), Some(denied)) = (request.extensions.get::<VerifiedToken>(), request.extensions.get::<Denied>())
    else {
        return Err(ErrorData::internal_error("the service is not behind PopLayer", None));
    };
    token.require_scopes(scopes).map_err(|rejection| {
        let error = ErrorData::invalid_request(rejection.description().to_owned(), None);
        let _ = denied.set(rejection);
        error
    })?;
    Ok(token)
}
