//! The authorization endpoint: approves everything at once, for the configured user (OAuth 2.1 §4.1, RFC 7636, RFC 9207,
//! RFC 9126 §4).

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use pop_core::jose::JwkThumbprint;

use super::{Form, pushed};
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
    let form = match form.get("request_uri") {
        // Only what was pushed counts (RFC 9126 §4), once.
        Some(request_uri) => pushed::take(server, client, request_uri)?,
        None => form,
    };
    let redirect_uri = registered_redirect(client, &form)?;
    let mut parameters = match check(server, client, &form) {
        Ok(checked) => vec![("code", approve(server, checked, redirect_uri))],
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

/// Never redirect to a URI that the client did not register.
pub(super) fn registered_redirect<'f>(client: &Client, form: &'f Form) -> Result<&'f str, OAuthError> {
    let redirect_uri = form.required("redirect_uri")?;
    let registered = client.redirect_uris.iter().any(|own| own == redirect_uri);
    if registered { Ok(redirect_uri) } else { Err(OAuthError::invalid_request("redirect_uri is not registered")) }
}

/// An authorization request that may be approved.
pub(super) struct Checked {
    grant: Grant,
    challenge: String,
    dpop_jkt: Option<String>,
}

pub(super) fn check(server: &AuthServer, client: &Client, form: &Form) -> Result<Checked, OAuthError> {
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
    let grant = Grant {
        client_id: client.id.clone(),
        subject: server.inner.user.clone(),
        scope: form.scope(client)?,
        audience: form.audience(server)?,
        auth_time: Some(server.now()),
        // The user meets every demand (RFC 9470 §4).
        acr: form.get("acr_values").and_then(|values| values.split(' ').next()).map(ToOwned::to_owned),
    };
    Ok(Checked { grant, challenge: challenge.to_owned(), dpop_jkt: dpop_jkt.map(ToOwned::to_owned) })
}

fn approve(server: &AuthServer, checked: Checked, redirect_uri: &str) -> String {
    let Checked { grant, challenge, dpop_jkt } = checked;
    let code = Code { grant, redirect_uri: redirect_uri.to_owned(), challenge, dpop_jkt };
    server.codes().put_code(code, server.now())
}
