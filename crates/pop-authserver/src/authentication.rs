//! Client authentication (RFC 6749 §2.3, RFC 7523, RFC 8705 §2).

use http::HeaderMap;
use http::header::AUTHORIZATION;
use pop_core::TokenError;
use pop_core::jose::{AlgorithmSet, CertThumbprint, DecodedJws, JoseHeader, Json, JsonLimits, Object};
use subtle::ConstantTimeEq;

use crate::client::{Authentication, Client};
use crate::endpoint::Form;
use crate::error::OAuthError;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a client authenticates itself with.
pub(crate) struct ClientRequest<'r> {
    pub(crate) headers: &'r HeaderMap,
    pub(crate) form: &'r Form,
    pub(crate) certificate: Option<&'r CertThumbprint>,
    pub(crate) now: u64,
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
    request: &ClientRequest<'_>,
) -> Result<(&'c Client, Option<Assertion>), OAuthError> {
    let (client, assertion) = check_credentials(clients, issuer, request)?;
    if request.form.get("client_id").is_some_and(|id| id != client.id) {
        return Err(OAuthError::invalid_client());
    }
    Ok((client, assertion))
}

fn check_credentials<'c>(
    clients: &'c [Client],
    issuer: &str,
    request: &ClientRequest<'_>,
) -> Result<(&'c Client, Option<Assertion>), OAuthError> {
    let ClientRequest { headers, form, certificate, now } = request;
    let find = |id: &str| clients.iter().find(|client| client.id == id).ok_or_else(OAuthError::invalid_client);
    if let Some(credentials) = headers.get(AUTHORIZATION) {
        if form.get("client_assertion").is_some() || form.get("client_secret").is_some() {
            return Err(OAuthError::invalid_request("more than one client authentication"));
        }
        let (id, secret) = basic(credentials.as_bytes()).ok_or_else(OAuthError::invalid_client)?;
        return Ok((with_secret(find(&id)?, &secret)?, None));
    }
    if let Some(secret) = form.get("client_secret") {
        if form.get("client_assertion").is_some() {
            return Err(OAuthError::invalid_request("more than one client authentication"));
        }
        let client = find(form.get("client_id").ok_or_else(OAuthError::invalid_client)?)?;
        return Ok((with_secret(client, secret)?, None));
    }
    if let Some(assertion) = form.get("client_assertion") {
        if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(OAuthError::invalid_request("unknown client_assertion_type"));
        }
        return check_assertion(assertion, issuer, *now, find).ok_or_else(OAuthError::invalid_client);
    }
    let client = find(form.get("client_id").ok_or_else(OAuthError::invalid_client)?)?;
    let authenticated = match &client.authentication {
        Authentication::None => true,
        Authentication::Certificate(known) => certificate.is_some_and(|shown| shown == known),
        Authentication::Secret(_) | Authentication::PrivateKeyJwt(_) => false,
    };
    if authenticated { Ok((client, None)) } else { Err(OAuthError::invalid_client()) }
}

/// `client_secret_basic` and `client_secret_post`.
fn with_secret<'c>(client: &'c Client, secret: &str) -> Result<&'c Client, OAuthError> {
    match &client.authentication {
        Authentication::Secret(own) if bool::from(own.as_bytes().ct_eq(secret.as_bytes())) => Ok(client),
        _ => Err(OAuthError::invalid_client()),
    }
}

/// RFC 7523 §3, with the issuer as the only acceptable audience.
fn check_assertion<'c>(
    assertion: &str,
    issuer: &str,
    now: u64,
    find: impl Fn(&str) -> Result<&'c Client, OAuthError>,
) -> Option<(&'c Client, Option<Assertion>)> {
    let jws = DecodedJws::parse(assertion, 8192).ok()?;
    let header = JoseHeader::parse::<TokenError>(jws.header(), JsonLimits::PROOF).ok()?;
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
