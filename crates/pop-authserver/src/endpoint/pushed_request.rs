//! Pushed authorization requests (RFC 9126) with DPoP (RFC 9449 §10.1): authenticated like token requests, checked like
//! authorization requests, and bound to the key of the proof.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::authorization_request::{CheckedRequest, registered_redirect_uri};
use super::nonce::with_nonce;
use super::request::{ClientRequest, VerifiedRequest};
use crate::client::Client;
use crate::form::Form;
use crate::grant::PushedRequest;
use crate::oauth_error::OAuthError;
use crate::server::AuthServer;

/// RFC 9126 §2.2
const REQUEST_URI_PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

pub(super) async fn push(State(server): State<AuthServer>, request: ClientRequest) -> Response {
    let outcome = request.verified(&server, "/par").and_then(|request| store(&server, request));
    with_nonce(&server, outcome)
}

fn store(server: &AuthServer, request: VerifiedRequest<'_>) -> Result<Response, OAuthError> {
    let VerifiedRequest { form, client, proof, .. } = &request;
    if form.get("request_uri").is_some() {
        return Err(OAuthError::invalid_request("a pushed request must not have a request_uri"));
    }
    let jkt = proof.as_ref().map(|proof| proof.key.to_string());
    if let (Some(requested), Some(jkt)) = (form.get("dpop_jkt"), &jkt)
        && requested != jkt
    {
        return Err(OAuthError::invalid_dpop_proof("dpop_jkt is not the key of the proof"));
    }
    registered_redirect_uri(client, form)?;
    CheckedRequest::check(server, client, form)?;
    request.record(server)?;
    let client_id = client.id.clone();
    let form = request.form.without_credentials().with_dpop_jkt(jkt);
    let pushed = PushedRequest { client_id, form };
    let id = server.pushed_requests().insert(pushed, PushedRequest::LIFETIME, server.now());
    let body = json!({ "request_uri": format!("{REQUEST_URI_PREFIX}{id}"), "expires_in": PushedRequest::LIFETIME });
    let headers = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

/// Returns the parameters that this client pushed, and removes them: a `request_uri` can be used once.
pub(super) fn take_pushed_form(server: &AuthServer, client: &Client, request_uri: &str) -> Result<Form, OAuthError> {
    let unknown = || OAuthError::invalid_request("the request_uri is unknown, used or expired");
    let id = request_uri.strip_prefix(REQUEST_URI_PREFIX).ok_or_else(unknown)?;
    let mut pushed = server.pushed_requests();
    pushed.peek(id, server.now()).filter(|pushed| pushed.client_id == client.id).ok_or_else(unknown)?;
    pushed.take(id, server.now()).map(|pushed| pushed.form).ok_or_else(unknown)
}
