//! The revocation endpoint (RFC 7009).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::request::ClientRequest;
use crate::oauth_error::OAuthError;
use crate::server::AuthServer;

/// Revokes an access or refresh token of the client. The response for an unknown token is the same (RFC 7009 §2.2).
pub(super) async fn revoke(State(server): State<AuthServer>, request: ClientRequest) -> Response {
    let revoke = || -> Result<StatusCode, OAuthError> {
        let (form, client) = request.authenticated(&server)?;
        server.revoke_for(&client.id, form.required("token")?);
        Ok(StatusCode::OK)
    };
    revoke().map_or_else(IntoResponse::into_response, IntoResponse::into_response)
}
