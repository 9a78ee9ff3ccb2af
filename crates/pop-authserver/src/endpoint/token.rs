//! The token endpoint (RFC 6749 §3.2, RFC 9449 §5). The proof is recorded last, after everything else was found right.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};
use pop_core::jose::{CertThumbprint, encode};
use pop_core::nonce::NonceKeys;
use pop_core::replay::{ReplayEntry, ReplayKey};
use pop_core::target::{Origin, RequestTarget};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tower_pop::PeerCertificate;
use tower_pop::replay::{ReplayAnswer, ReplayStore};
use tower_pop::tls::TlsPeer;

use super::Form;
use crate::authentication::{Assertion, ClientRequest, authenticate};
use crate::client::Client;
use crate::connections::TlsEndpoint;
use crate::error::OAuthError;
use crate::grant::{Binding, Grant, Refresh};
use crate::proof_check::{CheckedProof, TokenEndpoint};
use crate::server::AuthServer;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

pub(super) async fn token(
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

/// Over TLS the endpoints are those of `mtls_endpoint_aliases`: that is what proofs name there.
pub(super) fn origin_of(server: &AuthServer, over_tls: bool) -> &Origin {
    server.tls().filter(|_| over_tls).map_or(&server.inner.origin, TlsEndpoint::origin)
}

/// The response with a nonce for the next proof, where nonces are required.
pub(super) fn with_nonce(server: &AuthServer, outcome: Result<Response, OAuthError>) -> Response {
    let hand_out = match &outcome {
        Ok(_) => server.inner.nonce_required,
        Err(error) => error.needs_nonce,
    };
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    if hand_out {
        let nonce = server.inner.nonces.issue(NonceKeys::step_at(server.now()));
        if let Ok(nonce) = HeaderValue::try_from(nonce) {
            response.headers_mut().insert(DPOP_NONCE, nonce);
        }
    }
    response
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
    let proof = check_proof(server, origin, "/token", headers)?;
    if proof.is_none() && client.dpop_required {
        return Err(OAuthError::invalid_dpop_proof("this client must send a DPoP proof"));
    }
    if certificate.is_none() && client.certificate_bound {
        return Err(OAuthError::invalid_request("this client must show a certificate"));
    }
    let binding = Binding {
        key: proof.as_ref().map(|proof| proof.key),
        certificate: certificate.copied().filter(|_| client.certificate_bound),
    };
    let (grant, renewable) = match form.required("grant_type")? {
        "client_credentials" => (client_credentials(server, client, &form)?, None),
        "authorization_code" => {
            let grant = authorization_code(server, client, &form, proof.as_ref())?;
            (grant.clone(), Some(grant))
        }
        "refresh_token" => {
            let (scope, grant) = refresh_token(server, client, &form, &binding)?;
            (Grant { scope, ..grant.clone() }, Some(grant))
        }
        _ => return Err(OAuthError::unsupported_grant_type()),
    };
    record(server, client, assertion, proof.as_ref())?;
    Ok(respond(server, client, &grant, &binding, renewable))
}

pub(super) fn check_proof(
    server: &AuthServer,
    origin: &Origin,
    endpoint: &str,
    headers: &HeaderMap,
) -> Result<Option<CheckedProof>, OAuthError> {
    let path = format!("{}{endpoint}", server.issuer_path());
    let endpoint = TokenEndpoint {
        origin,
        path: &path,
        policy: &server.inner.policy,
        nonces: server.inner.nonce_required.then_some(&server.inner.nonces),
        now: server.now(),
    };
    endpoint.check(headers)
}

fn client_credentials(server: &AuthServer, client: &Client, form: &Form) -> Result<Grant, OAuthError> {
    Ok(Grant {
        client_id: client.id.clone(),
        subject: client.id.clone(),
        scope: form.scope(client)?,
        audience: form.audience(server)?,
        auth_time: None,
        acr: None,
    })
}

fn authorization_code(
    server: &AuthServer,
    client: &Client,
    form: &Form,
    proof: Option<&CheckedProof>,
) -> Result<Grant, OAuthError> {
    // Taken whatever comes of it: a code serves once (OAuth 2.1 §4.1.3).
    let code = server.codes().take(form.required("code")?, server.now());
    let code = code.ok_or_else(|| OAuthError::invalid_grant("the code is unknown, used or expired"))?;
    let challenge = encode(Sha256::digest(form.required("code_verifier")?));
    let right = code.grant.client_id == client.id
        && form.get("redirect_uri") == Some(&*code.redirect_uri)
        && bool::from(challenge.as_bytes().ct_eq(code.challenge.as_bytes()));
    if !right {
        return Err(OAuthError::invalid_grant("client, redirect_uri or code_verifier do not fit the code"));
    }
    if let Some(jkt) = &code.dpop_jkt
        && proof.is_none_or(|proof| proof.key.to_string() != *jkt)
    {
        return Err(OAuthError::invalid_dpop_proof("the proof's key is not dpop_jkt"));
    }
    form.same_audience(server, &code.grant)?;
    Ok(code.grant)
}

/// The scopes to issue now, and the grant, which keeps all of its own.
fn refresh_token(
    server: &AuthServer,
    client: &Client,
    form: &Form,
    binding: &Binding,
) -> Result<(String, Grant), OAuthError> {
    let unknown = || OAuthError::invalid_grant("the refresh token is unknown, used or expired");
    let token = form.required("refresh_token")?;
    let mut tokens = server.refresh_tokens();
    let refresh = tokens.peek(token, server.now()).filter(|refresh| refresh.grant.client_id == client.id);
    let refresh = refresh.ok_or_else(unknown)?;
    if !refresh.binding.is_satisfied_by(binding) {
        return Err(OAuthError::invalid_grant("the refresh token is bound to another key"));
    }
    form.same_audience(server, &refresh.grant)?;
    let scope = form.narrowed(&refresh.grant.scope)?;
    tokens.take(token, server.now()).map(|refresh| (scope, refresh.grant)).ok_or_else(unknown)
}

/// Proofs and assertions serve once.
pub(super) fn record(
    server: &AuthServer,
    client: &Client,
    assertion: Option<Assertion>,
    proof: Option<&CheckedProof>,
) -> Result<(), OAuthError> {
    if let Some(assertion) = assertion {
        record_assertion(server, client, &assertion)?;
    }
    match proof {
        Some(proof) if !first_use(server, proof.entry) => {
            Err(OAuthError::invalid_dpop_proof("the proof was used before"))
        }
        _ => Ok(()),
    }
}

/// An assertion serves once, at whichever endpoint.
pub(super) fn record_assertion(server: &AuthServer, client: &Client, assertion: &Assertion) -> Result<(), OAuthError> {
    let entry = assertion_entry(server, client, assertion).ok_or_else(OAuthError::invalid_client)?;
    if first_use(server, entry) { Ok(()) } else { Err(OAuthError::invalid_client()) }
}

fn first_use(server: &AuthServer, entry: ReplayEntry) -> bool {
    matches!(server.inner.replay.insert(entry), ReplayAnswer::Now(Ok(_)))
}

fn assertion_entry(server: &AuthServer, client: &Client, assertion: &Assertion) -> Option<ReplayEntry> {
    let owner = pop_core::jose::JwkThumbprint::parse(&encode(Sha256::digest(&client.id))).ok()?;
    let target = RequestTarget::new(&server.inner.origin, "/client-assertion").ok()?;
    let key = ReplayKey::dpop(&owner, &target, &assertion.jti);
    let now = server.now();
    Some(ReplayEntry::new(key, owner, now, assertion.expires_at.saturating_sub(now).max(1), now))
}

fn respond(
    server: &AuthServer,
    client: &Client,
    grant: &Grant,
    binding: &Binding,
    renewable: Option<Grant>,
) -> Response {
    let mut token = server.issue(grant);
    if let Some(cnf) = binding.cnf() {
        token = token.claim("cnf", cnf);
    }
    let mut body = json!({
        "access_token": if client.opaque { server.store(token) } else { token.mint() },
        "token_type": if binding.key.is_some() { "DPoP" } else { "Bearer" },
        "expires_in": server.inner.lifetime.as_secs(),
        "scope": grant.scope,
    });
    if let Some(grant) = renewable {
        // Confidential clients are bound by their authentication (RFC 9449 §5, RFC 8705 §4).
        let binding = if client.is_public() { *binding } else { Binding::default() };
        let refresh = Refresh { grant, binding };
        body["refresh_token"] = server.refresh_tokens().put_refresh(refresh, server.now()).into();
    }
    ([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(body)).into_response()
}
