//! The API: notes in memory. The scope `notes:read` is required to read them, and `notes:write` to add one.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{any, get, post};
use axum::{Json, Router};
use tower_http::cors::CorsLayer;
use tower_pop::{PopConfig, PopLayer, RequireScope, VerifiedToken};

use crate::whoami::whoami;

type Notes = Arc<Mutex<Vec<String>>>;

/// Returns the API. The layer covers everything except the metadata, `/livez`, `/readyz` and `/healthz`. CORS is outside the layer, so that
/// browsers can read challenges. With `cover_content`, proofs may cover the content of requests, which the layer then
/// reads.
pub(crate) fn router(cfg: &PopConfig, cover_content: bool, cors: Option<CorsLayer>) -> Router {
    let app = protected(cfg, cover_content)
        .merge(cfg.metadata_route())
        .merge(cfg.health_routes())
        .route("/healthz", get(|| async { "ok" }));
    match cors {
        Some(cors) => app.layer(cors),
        None => app,
    }
    .with_state(()) // builds the router now, not for each request
}

/// Returns the routes that the layer covers.
pub(crate) fn protected(cfg: &PopConfig, cover_content: bool) -> Router {
    let notes = Notes::new(Mutex::new(vec!["buy milk".to_owned()]));
    let read = get(list).layer(RequireScope::all(["notes:read"]));
    let write = post(add).layer(RequireScope::all(["notes:write"]));
    let routes = Router::new()
        .route("/whoami", any(whoami))
        .route("/whoami/{*rest}", any(whoami))
        .route("/notes", read.merge(write).with_state(notes))
        .route("/echo", post(echo).layer(RequireScope::all(["notes:write"])));
    let layer = PopLayer::new(cfg.clone());
    if cover_content { routes.layer(layer.verify_content()) } else { routes.layer(layer) }
}

/// Responds with the content of the request.
async fn echo(content: Bytes) -> Bytes {
    content
}

async fn list(State(notes): State<Notes>) -> Json<Vec<String>> {
    Json(notes.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

async fn add(State(notes): State<Notes>, token: VerifiedToken, note: String) -> StatusCode {
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    if notes.len() < 1000 && note.len() < 10_000 {
        notes.push(format!("{}: {note}", token.subject().unwrap_or("unknown")));
        StatusCode::CREATED
    } else {
        StatusCode::INSUFFICIENT_STORAGE
    }
}
