//! Introspection (RFC 7662). The response is signed on request (RFC 9701).

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use pop_core::access_token::introspection::JWT_TYPE;
use serde_json::{Map, Value, json};

use super::request::ClientRequest;
use crate::client::Client;
use crate::oauth_error::OAuthError;
use crate::server::AuthServer;
use crate::tokens::is_current;

pub(super) async fn introspect(State(server): State<AuthServer>, request: ClientRequest) -> Response {
    let signed = accepts_jwt(request.headers());
    let outcome = introspection_response(&server, &request, signed);
    outcome.unwrap_or_else(|error| if signed { error.into_bad_request() } else { error }.into_response())
}

fn introspection_response(server: &AuthServer, request: &ClientRequest, signed: bool) -> Result<Response, OAuthError> {
    let (form, client) = request.authenticated(server)?;
    // A public client has not authenticated. A client without an audience must not introspect.
    let audience = client.introspects.as_deref().filter(|_| !client.is_public());
    let audience = audience.ok_or_else(OAuthError::invalid_client)?;
    server.inner.state.introspections.fetch_add(1, Ordering::Relaxed);
    let claims = active_claims(server, form.required("token")?);
    let claims = claims.filter(|claims| claims.get("aud") == Some(&audience.into()));
    Ok(respond(server, client, introspection(claims), signed))
}

fn accepts_jwt(headers: &HeaderMap) -> bool {
    let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains(JWT_TYPE));
    headers.get_all(ACCEPT).iter().any(accepts)
}

/// Returns the claims of a token that this server issued, if it is neither expired nor revoked.
fn active_claims(server: &AuthServer, token: &str) -> Option<Map<String, Value>> {
    let opaque = server.tokens().get(token).cloned();
    let claims = opaque.or_else(|| server.verified_claims(token))?;
    (is_current(&claims, server.now()) && !server.tokens().is_revoked(&claims)).then_some(claims)
}

/// RFC 7662 §2.2: a response about an inactive token says nothing else about it.
fn introspection(claims: Option<Map<String, Value>>) -> Value {
    let Some(mut claims) = claims else {
        return json!({ "active": false });
    };
    claims.insert("active".into(), true.into());
    if let (false, Some(token_type)) = (claims.contains_key("token_type"), token_type(claims.get("cnf"))) {
        claims.insert("token_type".into(), token_type.into());
    }
    Value::Object(claims)
}

/// Returns the type of a token. Returns `None` for a token with `cnf.jwk`, which message signatures and signed requests
/// have in common.
fn token_type(cnf: Option<&Value>) -> Option<&'static str> {
    let has = |name: &str| cnf.is_some_and(|cnf| cnf.get(name).is_some());
    if has("jkt") {
        Some("DPoP")
    } else if has("kid") || has("jwe") {
        Some("PoP")
    } else if has("jwk") {
        None
    } else {
        Some("Bearer")
    }
}

fn respond(server: &AuthServer, client: &Client, introspection: Value, signed: bool) -> Response {
    let mut response = if signed {
        // RFC 9701 §5
        let jwt = server
            .token()
            .header("typ", JWT_TYPE)
            .without("sub")
            .without("exp")
            .without("jti")
            .claim("aud", client.id.as_str())
            .claim("token_introspection", introspection)
            .mint();
        let media_type = HeaderValue::from_static("application/token-introspection+jwt");
        ([(CONTENT_TYPE, media_type)], jwt).into_response()
    } else {
        Json(introspection).into_response()
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
