//! Introspection (RFC 7662), signed on request (RFC 9701), and revocation (RFC 7009).

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use pop_core::access_token::introspection::JWT_TYPE;
use serde_json::{Map, Value, json};
use tower_pop::PeerCertificate;

use super::{Form, authenticated};
use crate::client::Client;
use crate::error::OAuthError;
use crate::server::AuthServer;
use crate::tokens::is_current;

pub(super) async fn introspect(
    State(server): State<AuthServer>,
    certificate: Option<Extension<PeerCertificate>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let signed = wants_jwt(&headers);
    let certificate = certificate.as_ref().map(|Extension(certificate)| certificate);
    let answer = || -> Result<Response, OAuthError> {
        let form = Form::of_request(&headers, &body)?;
        let client = authenticated(&server, &headers, &form, certificate)?;
        // A client that only has an identifier has not authenticated; one without a resource has nothing to ask.
        let audience = client.introspects.as_deref().filter(|_| !client.is_public());
        let audience = audience.ok_or_else(OAuthError::invalid_client)?;
        server.inner.introspections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let known =
            look_up(&server, form.required("token")?).filter(|claims| claims.get("aud") == Some(&audience.into()));
        Ok(respond(&server, client, known, signed))
    };
    answer().unwrap_or_else(|error| if signed { error.into_bad_request() } else { error }.into_response())
}

fn wants_jwt(headers: &HeaderMap) -> bool {
    let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains(JWT_TYPE));
    headers.get_all(ACCEPT).iter().any(accepts)
}

/// The claims of a token of ours that is still good.
fn look_up(server: &AuthServer, token: &str) -> Option<Map<String, Value>> {
    let opaque = server.tokens().get(token).cloned();
    let claims = opaque.or_else(|| server.verified_claims(token))?;
    (is_current(&claims, server.now()) && !server.tokens().is_revoked(&claims)).then_some(claims)
}

fn respond(server: &AuthServer, client: &Client, known: Option<Map<String, Value>>, signed: bool) -> Response {
    let answer = match known {
        None => json!({ "active": false }),
        Some(mut claims) => {
            let proof = claims.get("cnf").is_some_and(|cnf| cnf.get("jkt").is_some());
            claims.insert("active".into(), true.into());
            claims.insert("token_type".into(), if proof { "DPoP" } else { "Bearer" }.into());
            Value::Object(claims)
        }
    };
    let mut response = if signed {
        let jwt = server
            .token()
            .header("typ", JWT_TYPE)
            .without("sub")
            .without("exp")
            .without("jti")
            .claim("aud", client.id.as_str())
            .claim("token_introspection", answer)
            .mint();
        let media_type = HeaderValue::from_static("application/token-introspection+jwt");
        ([(CONTENT_TYPE, media_type)], jwt).into_response()
    } else {
        Json(answer).into_response()
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Revokes an access or a refresh token. Unknown ones are revoked already (RFC 7009 §2.2).
pub(super) async fn revoke(
    State(server): State<AuthServer>,
    certificate: Option<Extension<PeerCertificate>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let certificate = certificate.as_ref().map(|Extension(certificate)| certificate);
    let answer = || -> Result<StatusCode, OAuthError> {
        let form = Form::of_request(&headers, &body)?;
        let client = authenticated(&server, &headers, &form, certificate)?;
        server.revoke_for(&client.id, form.required("token")?);
        Ok(StatusCode::OK)
    };
    answer().map_or_else(IntoResponse::into_response, IntoResponse::into_response)
}
