//! Pushed authorization requests (RFC 9126), with DPoP (RFC 9449 §10.1): authenticated like token requests, checked like
//! authorization requests, and bound to the proof's key.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};
use pop_core::jose::CertThumbprint;
use pop_core::target::Origin;
use serde_json::json;
use tower_pop::PeerCertificate;
use tower_pop::tls::TlsPeer;

use super::Form;
use super::authorize::{check, registered_redirect};
use super::token::{check_proof, origin_of, record, with_nonce};
use crate::authentication::{ClientRequest, authenticate};
use crate::client::Client;
use crate::error::OAuthError;
use crate::grant::{PUSHED_LIFETIME, Pushed};
use crate::server::AuthServer;

/// RFC 9126 §2.2
const URN: &str = "urn:ietf:params:oauth:request_uri:";

pub(super) async fn push(
    State(server): State<AuthServer>,
    certificate: Option<Extension<PeerCertificate>>,
    tls: Option<Extension<TlsPeer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let origin = origin_of(&server, tls.is_some());
    let certificate = certificate.as_ref().map(|Extension(certificate)| certificate.thumbprint());
    with_nonce(&server, answer(&server, origin, &headers, &body, certificate))
}

fn answer(
    server: &AuthServer,
    origin: &Origin,
    headers: &HeaderMap,
    body: &[u8],
    certificate: Option<&CertThumbprint>,
) -> Result<Response, OAuthError> {
    let form = Form::of_request(headers, body)?;
    let request = ClientRequest { headers, form: &form, certificate, now: server.now() };
    let (client, assertion) = authenticate(&server.inner.clients, server.issuer(), &request)?;
    let proof = check_proof(server, origin, "/par", headers)?;
    if form.get("request_uri").is_some() {
        return Err(OAuthError::invalid_request("a pushed request has no request_uri"));
    }
    let jkt = proof.as_ref().map(|proof| proof.key.to_string());
    if let (Some(named), Some(jkt)) = (form.get("dpop_jkt"), &jkt)
        && named != jkt
    {
        return Err(OAuthError::invalid_dpop_proof("the proof's key is not dpop_jkt"));
    }
    registered_redirect(client, &form)?;
    check(server, client, &form)?;
    record(server, client, assertion, proof.as_ref())?;
    let pushed = Pushed { client_id: client.id.clone(), form: form.without_credentials().bound_to(jkt) };
    let id = server.pushed().put_pushed(pushed, server.now());
    let body = json!({ "request_uri": format!("{URN}{id}"), "expires_in": PUSHED_LIFETIME });
    let headers = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

/// The parameters that this client pushed. They serve once.
pub(super) fn take(server: &AuthServer, client: &Client, request_uri: &str) -> Result<Form, OAuthError> {
    let unknown = || OAuthError::invalid_request("the request_uri is unknown, used or expired");
    let id = request_uri.strip_prefix(URN).ok_or_else(unknown)?;
    let mut pushed = server.pushed();
    pushed.peek(id, server.now()).filter(|pushed| pushed.client_id == client.id).ok_or_else(unknown)?;
    pushed.take(id, server.now()).map(|pushed| pushed.form).ok_or_else(unknown)
}
