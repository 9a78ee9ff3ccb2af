//! The token endpoint (RFC 6749 §3.2, RFC 9449 §5, RFC 9201 §3). Proof, signature and assertion are recorded last, after
//! all other checks.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use pop_core::jose::encode;
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::audience::{check_granted_audience, requested_audience};
use super::nonce::with_nonce;
use super::request::{ClientRequest, VerifiedRequest};
use super::requested_token::{RequestedToken, TokenType};
use super::scope::{narrowed_scope, requested_scope};
use super::shared_key::DistributedKey;
use crate::client::Client;
use crate::cnf::{self, Cnf};
use crate::form::Form;
use crate::grant::{Binding, Grant, RefreshToken};
use crate::mint::TokenMint;
use crate::oauth_error::OAuthError;
use crate::resource_server::ResourceServer;
use crate::server::AuthServer;

pub(super) async fn token(State(server): State<AuthServer>, request: ClientRequest) -> Response {
    let outcome = match request.verified_with_signature(&server, "/token") {
        Ok(request) => issue(&server, &request).await,
        Err(error) => Err(error),
    };
    with_nonce(&server, outcome)
}

async fn issue(server: &AuthServer, request: &VerifiedRequest<'_>) -> Result<Response, OAuthError> {
    let VerifiedRequest { form, client, certificate, .. } = request;
    if request.key().is_none() && client.dpop_required {
        return Err(OAuthError::invalid_dpop_proof("this client must send a DPoP proof"));
    }
    if certificate.is_none() && client.certificate_bound {
        return Err(OAuthError::invalid_request("this client must present a certificate"));
    }
    let requested = RequestedToken::read(request)?;
    let binding = Binding { key: request.key(), certificate: certificate.filter(|_| client.certificate_bound) };
    let (mut grant, refreshable) = match form.required("grant_type")? {
        "client_credentials" => (client_credentials(server, client, form)?, None),
        "authorization_code" => {
            let grant = authorization_code(server, request)?;
            (grant.clone(), Some(grant))
        }
        "refresh_token" => {
            let (scope, grant) = refresh_token(server, client, form, &binding)?;
            (Grant { scope, ..grant.clone() }, Some(grant))
        }
        _ => return Err(OAuthError::unsupported_grant_type()),
    };
    grant.names_resource |= form.get("resource").is_some();
    let issued = match requested {
        RequestedToken::OwnKey { token_type, cnf } => IssuedToken { token_type, cnf, response_cnf: None },
        RequestedToken::SharedKey => {
            let DistributedKey { token_cnf, response_cnf } = DistributedKey::generate(server, client, &grant).await?;
            IssuedToken { token_type: TokenType::Pop, cnf: token_cnf, response_cnf: Some(response_cnf) }
        }
    };
    if form.get("grant_type") == Some("refresh_token") {
        use_refresh_token(server, form)?;
    }
    request.record(server)?;
    Ok(token_response(server, client, &grant, &binding, issued, refreshable))
}

/// RFC 6749 §4.4
fn client_credentials(server: &AuthServer, client: &Client, form: &Form) -> Result<Grant, OAuthError> {
    Ok(Grant {
        client_id: client.id.clone(),
        subject: client.id.clone(),
        scope: requested_scope(client, form)?,
        audience: requested_audience(server, form)?,
        names_resource: form.get("resource").is_some(),
        auth_time: None,
        acr: None,
    })
}

/// OAuth 2.1 §4.1.3, RFC 7636 §4.6
fn authorization_code(server: &AuthServer, request: &VerifiedRequest<'_>) -> Result<Grant, OAuthError> {
    let VerifiedRequest { form, client, .. } = request;
    // The code is removed even if the request is rejected: a code can be used once.
    let code = server.codes().take(form.required("code")?, server.now());
    let code = code.ok_or_else(|| OAuthError::invalid_grant("the code is unknown, used or expired"))?;
    let challenge = encode(Sha256::digest(form.required("code_verifier")?));
    let matches = code.grant.client_id == client.id
        && form.get("redirect_uri") == Some(&*code.redirect_uri)
        && bool::from(challenge.as_bytes().ct_eq(code.challenge.as_bytes()));
    if !matches {
        return Err(OAuthError::invalid_grant("client, redirect_uri or code_verifier do not match the code"));
    }
    if let Some(jkt) = &code.dpop_jkt
        && request.key().is_none_or(|key| key.to_string() != *jkt)
    {
        return Err(match &request.signature {
            Some(_) => OAuthError::invalid_grant("dpop_jkt is not the key of the signature"),
            None => OAuthError::invalid_dpop_proof("dpop_jkt is not the key of the proof"),
        });
    }
    check_granted_audience(server, form, &code.grant)?;
    Ok(code.grant)
}

/// RFC 6749 §6. Returns the scopes of the new token, and the grant, which keeps all its scopes. The refresh token is not
/// used up until [`use_refresh_token`].
fn refresh_token(
    server: &AuthServer,
    client: &Client,
    form: &Form,
    binding: &Binding,
) -> Result<(String, Grant), OAuthError> {
    let tokens = server.refresh_tokens();
    let refresh = tokens.peek(form.required("refresh_token")?, server.now());
    let refresh = refresh.filter(|refresh| refresh.grant.client_id == client.id).ok_or_else(unknown_refresh_token)?;
    if !refresh.binding.is_satisfied_by(binding) {
        return Err(OAuthError::invalid_grant("the refresh token is bound to another key or certificate"));
    }
    check_granted_audience(server, form, &refresh.grant)?;
    let scope = narrowed_scope(form, &refresh.grant.scope)?;
    Ok((scope, refresh.grant.clone()))
}

/// Removes the refresh token of a request. Rejects it if another request has used it in the meantime.
fn use_refresh_token(server: &AuthServer, form: &Form) -> Result<(), OAuthError> {
    let taken = server.refresh_tokens().take(form.required("refresh_token")?, server.now());
    taken.map(drop).ok_or_else(unknown_refresh_token)
}

const fn unknown_refresh_token() -> OAuthError {
    OAuthError::invalid_grant("the refresh token is unknown, used or expired")
}

/// What a token is bound to besides a certificate.
struct IssuedToken {
    token_type: TokenType,
    cnf: Cnf,
    /// The key as the client gets it.
    response_cnf: Option<Cnf>,
}

/// RFC 6749 §5.1
fn token_response(
    server: &AuthServer,
    client: &Client,
    grant: &Grant,
    binding: &Binding,
    issued: IssuedToken,
    refreshable: Option<Grant>,
) -> Response {
    let IssuedToken { token_type, mut cnf, response_cnf } = issued;
    // RFC 9201 §3.2, §5: for a key of the client and one resource server only.
    let is_target = |resource: &&ResourceServer| resource.identifier == grant.audience && !resource.is_group;
    let resource = server.inner.resources.iter().find(is_target).filter(|_| token_type == TokenType::Pop);
    let rs_cnf = resource.and_then(|resource| resource.public_key.as_ref()).map(|jwk| json!({ "jwk": jwk }));
    cnf.extend(binding.certificate.map(cnf::x5t).unwrap_or_default());
    let mut token = access_token(server, grant);
    if !cnf.is_empty() {
        token = token.claim("cnf", cnf);
    }
    // The claims of an opaque token are its introspection response. Those of a JWT have no type.
    let token = if client.opaque { server.store(token.claim("token_type", token_type.name())) } else { token.mint() };
    let mut body = json!({
        "access_token": token,
        "token_type": token_type.name(),
        "expires_in": server.inner.token_lifetime.as_secs(),
        "scope": grant.scope,
    });
    match (response_cnf, rs_cnf) {
        (Some(cnf), _) => body["cnf"] = cnf.into(),
        (None, Some(rs_cnf)) => body["rs_cnf"] = rs_cnf,
        (None, None) => {}
    }
    if let Some(grant) = refreshable {
        // Refresh tokens of confidential clients are bound by client authentication (RFC 9449 §5, RFC 8705 §4).
        let binding = if client.is_public() { *binding } else { Binding::default() };
        let refresh = RefreshToken { grant, binding };
        let token = server.refresh_tokens().insert(refresh, RefreshToken::LIFETIME, server.now());
        body["refresh_token"] = token.into();
    }
    ([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(body)).into_response()
}

/// Returns the token for a grant (RFC 9068 §2.2), without its binding.
fn access_token(server: &AuthServer, grant: &Grant) -> TokenMint {
    // `AuthServerBuilder` rejects longer lifetimes.
    let lifetime = i64::try_from(server.inner.token_lifetime.as_secs()).unwrap_or(i64::MAX);
    let mut token = server
        .token()
        .subject(&grant.subject)
        .client_id(&grant.client_id)
        .audience(&grant.audience)
        .expires_in(lifetime);
    if !grant.scope.is_empty() {
        token = token.scope(&grant.scope);
    }
    if let Some(auth_time) = grant.auth_time {
        token = token.claim("auth_time", auth_time);
    }
    if let Some(acr) = &grant.acr {
        token = token.claim("acr", acr.as_str());
    }
    token
}
