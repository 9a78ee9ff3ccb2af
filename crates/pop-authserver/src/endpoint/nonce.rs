//! Nonces for proofs (RFC 9449 §8).

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use pop_core::nonce::NonceKeys;

use crate::oauth_error::OAuthError;
use crate::server::AuthServer;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Returns the response with a nonce for the next proof, if nonces are required.
pub(super) fn with_nonce(server: &AuthServer, outcome: Result<Response, OAuthError>) -> Response {
    let has_nonce = match &outcome {
        Ok(_) => server.inner.nonce_required,
        Err(error) => error.needs_nonce,
    };
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    if has_nonce {
        let nonce = server.inner.nonces.issue(NonceKeys::step_at(server.now()));
        if let Ok(nonce) = HeaderValue::try_from(nonce) {
            response.headers_mut().insert(DPOP_NONCE, nonce);
        }
    }
    response
}
