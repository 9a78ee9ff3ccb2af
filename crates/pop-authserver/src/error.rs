//! Errors: of a server that cannot start, and of requests, as RFC 6749 §5.2 has them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is not on loopback: this server is for development only.
    #[error("{0} is not on loopback: this server is for development only")]
    NotLoopback(std::net::SocketAddr),
    /// The address cannot be bound.
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
    /// No key could be generated.
    #[error(transparent)]
    Key(#[from] pop_client::KeyError),
    /// A resource server without a secret.
    #[error("the resource server {0:?} is not id:secret")]
    ResourceServer(String),
    /// The certificate of the TLS listener could not be made.
    #[error("no certificate for the TLS listener: {0}")]
    Certificate(String),
    /// The issuer is no URL.
    #[error("the issuer {0:?} is not a URL")]
    Issuer(String),
}

/// An error response of the token endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OAuthError {
    status: StatusCode,
    code: &'static str,
    description: &'static str,
    pub(crate) needs_nonce: bool,
}

impl OAuthError {
    const fn new(status: StatusCode, code: &'static str, description: &'static str) -> Self {
        Self { status, code, description, needs_nonce: false }
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    const fn bad(code: &'static str, description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, description)
    }

    pub(crate) const fn invalid_request(description: &'static str) -> Self {
        Self::bad("invalid_request", description)
    }

    pub(crate) const fn invalid_client() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed")
    }

    pub(crate) const fn invalid_grant(description: &'static str) -> Self {
        Self::bad("invalid_grant", description)
    }

    /// RFC 9701 §5: questions that want a JWT are refused with 400.
    pub(crate) const fn into_bad_request(self) -> Self {
        Self { status: StatusCode::BAD_REQUEST, ..self }
    }

    pub(crate) const fn invalid_scope() -> Self {
        Self::bad("invalid_scope", "a scope that this client may not have")
    }

    pub(crate) const fn invalid_target() -> Self {
        Self::bad("invalid_target", "an unknown resource, or more than one")
    }

    pub(crate) const fn unsupported_grant_type() -> Self {
        Self::bad("unsupported_grant_type", "this grant is not supported")
    }

    pub(crate) const fn invalid_dpop_proof(description: &'static str) -> Self {
        Self::bad("invalid_dpop_proof", description)
    }

    pub(crate) const fn use_dpop_nonce() -> Self {
        Self { needs_nonce: true, ..Self::bad("use_dpop_nonce", "Authorization server requires nonce in DPoP proof") }
    }
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
