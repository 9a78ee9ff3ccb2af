//! Error responses (RFC 6749 §5.2).

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use pop_core::SignatureError;
use serde_json::json;

/// An error response of an endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OAuthError {
    status: StatusCode,
    code: &'static str,
    description: Cow<'static, str>,
    pub(crate) needs_nonce: bool,
}

impl OAuthError {
    const fn new(status: StatusCode, code: &'static str, description: &'static str) -> Self {
        Self { status, code, description: Cow::Borrowed(description), needs_nonce: false }
    }

    const fn bad_request(code: &'static str, description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, description)
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) const fn invalid_request(description: &'static str) -> Self {
        Self::bad_request("invalid_request", description)
    }

    pub(crate) const fn invalid_client() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed")
    }

    pub(crate) const fn invalid_grant(description: &'static str) -> Self {
        Self::bad_request("invalid_grant", description)
    }

    pub(crate) fn invalid_scope(description: impl Into<String>) -> Self {
        Self { description: allowed(&description.into()), ..Self::bad_request("invalid_scope", "") }
    }

    /// RFC 8707 §2
    pub(crate) fn invalid_target(description: impl Into<String>) -> Self {
        Self { description: allowed(&description.into()), ..Self::bad_request("invalid_target", "") }
    }

    /// draft-ietf-oauth-pop-key-distribution-07 §6.3
    pub(crate) const fn invalid_token_type(description: &'static str) -> Self {
        Self::bad_request("invalid_token_type", description)
    }

    /// RFC 9200 §5.8.3
    pub(crate) const fn unsupported_pop_key(description: &'static str) -> Self {
        Self::bad_request("unsupported_pop_key", description)
    }

    pub(crate) const fn unsupported_grant_type() -> Self {
        Self::bad_request("unsupported_grant_type", "this grant type is not supported")
    }

    pub(crate) const fn invalid_dpop_proof(description: &'static str) -> Self {
        Self::bad_request("invalid_dpop_proof", description)
    }

    /// A message signature on the request is not accepted.
    pub(crate) fn invalid_signature(error: SignatureError) -> Self {
        let description = format!("the signature of the request is not accepted: {error}").into();
        Self { description, ..Self::invalid_request("") }
    }

    /// RFC 9449 §8
    pub(crate) fn use_dpop_nonce() -> Self {
        let error = Self::bad_request("use_dpop_nonce", "Authorization server requires nonce in DPoP proof");
        Self { needs_nonce: true, ..error }
    }

    /// Changes the status to 400, which RFC 9701 §5 requires for introspection requests that ask for a JWT.
    pub(crate) fn into_bad_request(self) -> Self {
        Self { status: StatusCode::BAD_REQUEST, ..self }
    }
}

/// Replaces what RFC 6749 §5.2 does not allow in a description, which may name what is configured.
fn allowed(description: &str) -> Cow<'static, str> {
    let is_allowed = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    description.chars().map(|c| if is_allowed(c) { c } else { '?' }).collect()
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.code, "error_description": self.description }));
        let mut response = (self.status, body).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"token\""));
        }
        response
    }
}
