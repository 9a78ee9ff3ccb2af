//! The authorization endpoint (OAuth 2.1 §4.1, RFC 9207, RFC 9126 §4). It approves every valid request at once, for the
//! configured user.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};

use super::authorization_request::{CheckedRequest, registered_redirect_uri};
use super::pushed_request::take_pushed_form;
use crate::form::Form;
use crate::oauth_error::OAuthError;
use crate::server::AuthServer;

pub(super) async fn authorize(State(server): State<AuthServer>, RawQuery(query): RawQuery) -> Response {
    redirect(&server, query.unwrap_or_default().as_bytes()).unwrap_or_else(IntoResponse::into_response)
}

/// Returns the redirect to the client, or an error for the browser if the client or its redirect URI is unknown.
fn redirect(server: &AuthServer, query: &[u8]) -> Result<Response, OAuthError> {
    let form = Form::parse(query)?;
    let id = form.required("client_id")?;
    let client = server.inner.clients.iter().find(|client| client.id == id);
    let client = client.ok_or_else(OAuthError::invalid_client)?;
    let form = match form.get("request_uri") {
        // Parameters in the URL do not count (RFC 9126 §4).
        Some(request_uri) => take_pushed_form(server, client, request_uri)?,
        None => form,
    };
    let redirect_uri = registered_redirect_uri(client, &form)?;
    let mut parameters = match CheckedRequest::check(server, client, &form) {
        Ok(checked) => vec![("code", checked.approve(server, redirect_uri))],
        Err(error) => vec![("error", error.code().to_owned())],
    };
    parameters.extend(form.get("state").map(|state| ("state", state.to_owned())));
    parameters.push(("iss", server.issuer().to_owned()));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    let location = HeaderValue::try_from(format!("{redirect_uri}{separator}{query}"))
        .map_err(|_| OAuthError::invalid_request("redirect_uri is not a URI"))?;
    let headers = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::FOUND, headers).into_response())
}
