//! The published keys (RFC 7517 §5), and their rotation for tests.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::server::AuthServer;

pub(super) async fn jwks(State(server): State<AuthServer>) -> Json<Value> {
    server.inner.state.jwks_requests.fetch_add(1, Ordering::Relaxed);
    Json(server.keys().jwks())
}

/// `POST /rotate` generates a new key. With `?drop`, older keys are no longer published. Pages of other sites get 403.
pub(super) async fn rotate(
    State(server): State<AuthServer>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if !server.allows_page(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if server.rotate_keys().is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if query.as_deref() == Some("drop") {
        server.drop_old_keys();
    }
    StatusCode::NO_CONTENT.into_response()
}
