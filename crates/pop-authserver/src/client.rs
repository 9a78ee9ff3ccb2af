//! Registered clients and their authentication.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{AlgorithmSet, DecodedJws, JoseHeader, Json, JsonLimits, Jwk, Object, RsaLimits};
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::endpoint::Form;
use crate::error::OAuthError;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A registered client. `Debug` hides secrets.
#[derive(Clone)]
pub struct Client {
    pub(crate) id: String,
    authentication: Authentication,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) dpop_required: bool,
}

#[derive(Clone)]
enum Authentication {
    None,
    Secret(String),
    PrivateKeyJwt(VerifyingKey),
}

impl Client {
    /// A client without authentication; may use every grant, for testing.
    pub fn public(id: impl Into<String>) -> Self {
        Self::new(id.into(), Authentication::None)
    }

    /// A client with a secret (`client_secret_basic`).
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::new(id.into(), Authentication::Secret(secret.into()))
    }

    /// A client that signs assertions with the key of this public JWK (`private_key_jwt`). `None` when the JWK cannot be
    /// used with the algorithm.
    #[must_use]
    pub fn private_key_jwt(id: impl Into<String>, jwk: &Value, algorithm: pop_client::Algorithm) -> Option<Self> {
        let text = jwk.to_string();
        let object = Object::parse(text.as_bytes(), JsonLimits::DOCUMENT).ok()?;
        let jwk = Jwk::parse(&object, RsaLimits::default()).ok()?;
        let key = VerifyingKey::new(jwk.key(), algorithm, CryptoBackend::default()).ok()?;
        Some(Self::new(id.into(), Authentication::PrivateKeyJwt(key)))
    }

    fn new(id: String, authentication: Authentication) -> Self {
        Self { id, authentication, redirect_uris: Vec::new(), scopes: Vec::new(), dpop_required: false }
    }

    /// Adds a redirect URI; requests must name it exactly.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Adds scopes, separated by spaces. Without any, every scope is granted.
    #[must_use]
    pub fn scopes(mut self, scopes: &str) -> Self {
        self.scopes.extend(scopes.split_whitespace().map(ToOwned::to_owned));
        self
    }

    /// Sets `dpop_bound_access_tokens`: token requests without a proof are refused (RFC 9449 §5.2).
    #[must_use]
    pub fn dpop_bound_access_tokens(mut self) -> Self {
        self.dpop_required = true;
        self
    }

    pub(crate) fn is_public(&self) -> bool {
        matches!(self.authentication, Authentication::None)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The assertion of a client, to be recorded so that it serves once.
#[derive(Debug)]
pub(crate) struct Assertion {
    pub(crate) jti: String,
    pub(crate) expires_at: u64,
}

/// Authenticates the client of a token request. A `client_id` beside the credentials must be the same one (RFC 7521 §4.2).
pub(crate) fn authenticate<'c>(
    clients: &'c [Client],
    issuer: &str,
    headers: &HeaderMap,
    form: &Form,
    now: u64,
) -> Result<(&'c Client, Option<Assertion>), OAuthError> {
    let (client, assertion) = check_credentials(clients, issuer, headers, form, now)?;
    if form.get("client_id").is_some_and(|id| id != client.id) {
        return Err(OAuthError::invalid_client());
    }
    Ok((client, assertion))
}

fn check_credentials<'c>(
    clients: &'c [Client],
    issuer: &str,
    headers: &HeaderMap,
    form: &Form,
    now: u64,
) -> Result<(&'c Client, Option<Assertion>), OAuthError> {
    let find = |id: &str| clients.iter().find(|client| client.id == id).ok_or_else(OAuthError::invalid_client);
    if let Some(credentials) = headers.get(AUTHORIZATION) {
        if form.get("client_assertion").is_some() {
            return Err(OAuthError::invalid_request("more than one client authentication"));
        }
        let (id, secret) = basic(credentials.as_bytes()).ok_or_else(OAuthError::invalid_client)?;
        let client = find(&id)?;
        return match &client.authentication {
            Authentication::Secret(own) if bool::from(own.as_bytes().ct_eq(secret.as_bytes())) => Ok((client, None)),
            _ => Err(OAuthError::invalid_client()),
        };
    }
    if let Some(assertion) = form.get("client_assertion") {
        if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(OAuthError::invalid_request("unknown client_assertion_type"));
        }
        return check_assertion(assertion, issuer, now, find).ok_or_else(OAuthError::invalid_client);
    }
    let client = find(form.get("client_id").ok_or_else(OAuthError::invalid_client)?)?;
    if client.is_public() { Ok((client, None)) } else { Err(OAuthError::invalid_client()) }
}

/// RFC 7523 §3, with the issuer as the only acceptable audience.
fn check_assertion<'c>(
    assertion: &str,
    issuer: &str,
    now: u64,
    find: impl Fn(&str) -> Result<&'c Client, OAuthError>,
) -> Option<(&'c Client, Option<Assertion>)> {
    let jws = DecodedJws::parse(assertion, 8192).ok()?;
    let header = JoseHeader::new(Object::parse(jws.header(), JsonLimits::PROOF).ok()?).ok()?;
    let claims = Object::parse(jws.payload(), JsonLimits::PROOF).ok()?;
    let text = |name: &str| claims.get(name).and_then(Json::as_str);
    let client = find(text("sub")?).ok()?;
    let Authentication::PrivateKeyJwt(key) = &client.authentication else {
        return None;
    };
    let fits = header.alg == key.algorithm() && AlgorithmSet::PROOF.contains(header.alg);
    if !fits || key.verify(jws.signing_input(), jws.signature()).is_err() {
        return None;
    }
    let date = |name: &str| claims.get(name).map(|date| date.as_numeric_date().ok_or(())).transpose();
    let expires_at = date("exp").ok()??;
    // AS-28: clocks may differ by up to a minute.
    let begun = |date: Option<u64>| date.is_none_or(|date| date <= now + 60);
    let in_time = expires_at > now && expires_at <= now + 600 && begun(date("iat").ok()?) && begun(date("nbf").ok()?);
    let right = text("iss") == text("sub") && text("aud") == Some(issuer);
    let jti = text("jti").filter(|jti| !jti.is_empty() && jti.len() <= 256)?;
    (in_time && right).then(|| (client, Some(Assertion { jti: jti.to_owned(), expires_at })))
}

/// `Basic` credentials, both parts form-encoded (RFC 6749 §2.3.1).
fn basic(field: &[u8]) -> Option<(String, String)> {
    let field = std::str::from_utf8(field).ok()?;
    let (scheme, encoded) = field.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = String::from_utf8(pop_core::jose::decode_standard(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode =
        |part: &str| form_urlencoded::parse(format!("x={part}").as_bytes()).next().map(|(_, v)| v.into_owned());
    Some((decode(id)?, decode(secret)?))
}
