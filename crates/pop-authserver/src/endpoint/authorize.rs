//! The authorization endpoint: approves everything at once, for the configured user (OAuth 2.1 §4.1, RFC 7636, RFC 9207).

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use pop_core::jose::JwkThumbprint;

use super::Form;
use crate::client::Client;
use crate::error::OAuthError;
use crate::grant::{Code, Grant};
use crate::server::AuthServer;

pub(super) async fn authorize(State(server): State<AuthServer>, RawQuery(query): RawQuery) -> Response {
    answer(&server, query.unwrap_or_default().as_bytes()).unwrap_or_else(IntoResponse::into_response)
}

fn answer(server: &AuthServer, query: &[u8]) -> Result<Response, OAuthError> {
    let form = Form::parse(query)?;
    let id = form.required("client_id")?;
    let client = server.inner.clients.iter().find(|client| client.id == id);
    let client = client.ok_or_else(OAuthError::invalid_client)?;
    let redirect_uri = form.required("redirect_uri")?;
    if !client.redirect_uris.iter().any(|own| own == redirect_uri) {
        // Never redirect to a URI that the client did not register.
        return Err(OAuthError::invalid_request("redirect_uri is not registered"));
    }
    let mut parameters = match approve(server, client, redirect_uri, &form) {
        Ok(code) => vec![("code", code)],
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

fn approve(server: &AuthServer, client: &Client, redirect_uri: &str, form: &Form) -> Result<String, OAuthError> {
    if form.required("response_type")? != "code" {
        return Err(OAuthError::invalid_request("response_type is not code"));
    }
    let challenge = form.required("code_challenge")?;
    if form.required("code_challenge_method")? != "S256" || challenge.len() != 43 {
        return Err(OAuthError::invalid_request("PKCE with S256 is required"));
    }
    let dpop_jkt = form.get("dpop_jkt");
    if dpop_jkt.is_some_and(|jkt| JwkThumbprint::parse(jkt).is_err()) {
        return Err(OAuthError::invalid_request("dpop_jkt is not a thumbprint"));
    }
    let now = server.now();
    let grant = Grant {
        client_id: client.id.clone(),
        subject: server.inner.user.clone(),
        scope: form.scope(client)?,
        audience: form.audience(server)?,
        auth_time: Some(now),
        // The user meets every demand (RFC 9470 §4).
        acr: form.get("acr_values").and_then(|values| values.split(' ').next()).map(ToOwned::to_owned),
    };
    let code = Code {
        grant,
        redirect_uri: redirect_uri.to_owned(),
        challenge: challenge.to_owned(),
        dpop_jkt: dpop_jkt.map(ToOwned::to_owned),
    };
    Ok(server.codes().put_code(code, now))
}
