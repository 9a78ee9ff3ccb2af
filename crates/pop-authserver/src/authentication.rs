//! Client authentication (RFC 6749 §2.3, RFC 7523, RFC 8705 §2).

use http::HeaderMap;
use http::header::AUTHORIZATION;
use pop_core::TokenError;
use pop_core::jose::{AlgorithmSet, CertThumbprint, DecodedJws, JoseHeader, Json, JsonLimits, Object};
use subtle::ConstantTimeEq;

use crate::client::{Authentication, Client};
use crate::form::Form;
use crate::oauth_error::OAuthError;

/// RFC 7523 §2.2
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The maximum size of an assertion in bytes.
const MAX_ASSERTION_LEN: usize = 8192;
/// The maximum lifetime of an assertion in seconds, so that its `jti` is recorded for a bounded time.
const MAX_ASSERTION_LIFETIME: u64 = 600;
/// The maximum time in seconds that `iat` and `nbf` may lie in the future (FAPI 2.0 Security Profile §5.3.2.1).
const MAX_CLOCK_SKEW: u64 = 60;
/// The maximum size of a `jti` in bytes.
const MAX_JTI_LEN: usize = 256;

/// What a client authenticates with.
pub(crate) struct Credentials<'r> {
    pub(crate) headers: &'r HeaderMap,
    pub(crate) form: &'r Form,
    pub(crate) certificate: Option<&'r CertThumbprint>,
    pub(crate) now: u64,
}

/// The assertion of a client. It must be recorded, because it can be used once.
#[derive(Debug)]
pub(crate) struct Assertion {
    pub(crate) jti: String,
    pub(crate) expires_at: u64,
}

/// Authenticates the client of a request. A `client_id` in the form must name the authenticated client (RFC 7521 §4.2).
pub(crate) fn authenticate<'c>(
    clients: &'c [Client],
    issuer: &str,
    credentials: &Credentials<'_>,
) -> Result<(&'c Client, Option<Assertion>), OAuthError> {
    let (client, assertion) = check_credentials(clients, issuer, credentials)?;
    if credentials.form.get("client_id").is_some_and(|id| id != client.id) {
        return Err(OAuthError::invalid_client());
    }
    Ok((client, assertion))
}

fn check_credentials<'c>(
    clients: &'c [Client],
    issuer: &str,
    credentials: &Credentials<'_>,
) -> Result<(&'c Client, Option<Assertion>), OAuthError> {
    let Credentials { headers, form, certificate, now } = credentials;
    let find = |id: &str| clients.iter().find(|client| client.id == id).ok_or_else(OAuthError::invalid_client);
    if let Some(authorization) = headers.get(AUTHORIZATION) {
        if form.get("client_assertion").is_some() || form.get("client_secret").is_some() {
            return Err(OAuthError::invalid_request("more than one client authentication"));
        }
        let (id, secret) = basic(authorization.as_bytes()).ok_or_else(OAuthError::invalid_client)?;
        return Ok((check_secret(find(&id)?, &secret)?, None));
    }
    if let Some(secret) = form.get("client_secret") {
        if form.get("client_assertion").is_some() {
            return Err(OAuthError::invalid_request("more than one client authentication"));
        }
        let client = find(form.get("client_id").ok_or_else(OAuthError::invalid_client)?)?;
        return Ok((check_secret(client, secret)?, None));
    }
    if let Some(assertion) = form.get("client_assertion") {
        if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(OAuthError::invalid_request("the client_assertion_type is unknown"));
        }
        let (client, assertion) =
            check_assertion(assertion, issuer, *now, find).ok_or_else(OAuthError::invalid_client)?;
        return Ok((client, Some(assertion)));
    }
    let client = find(form.get("client_id").ok_or_else(OAuthError::invalid_client)?)?;
    let authenticated = match &client.authentication {
        Authentication::None => true,
        Authentication::Certificate(registered) => certificate.is_some_and(|presented| presented == registered),
        Authentication::Secret(_) | Authentication::PrivateKeyJwt(_) => false,
    };
    if authenticated { Ok((client, None)) } else { Err(OAuthError::invalid_client()) }
}

/// `client_secret_basic` and `client_secret_post`.
fn check_secret<'c>(client: &'c Client, secret: &str) -> Result<&'c Client, OAuthError> {
    match &client.authentication {
        Authentication::Secret(registered) if bool::from(registered.as_bytes().ct_eq(secret.as_bytes())) => Ok(client),
        _ => Err(OAuthError::invalid_client()),
    }
}

/// RFC 7523 §3. The issuer is the only audience that is accepted.
fn check_assertion<'c>(
    assertion: &str,
    issuer: &str,
    now: u64,
    find: impl Fn(&str) -> Result<&'c Client, OAuthError>,
) -> Option<(&'c Client, Assertion)> {
    let jws = DecodedJws::parse(assertion, MAX_ASSERTION_LEN).ok()?;
    let header = JoseHeader::parse::<TokenError>(jws.header(), JsonLimits::PROOF).ok()?;
    let claims = Object::parse(jws.payload(), JsonLimits::PROOF).ok()?;
    let string = |name: &str| claims.get(name).and_then(Json::as_str);
    let client = find(string("sub")?).ok()?;
    let Authentication::PrivateKeyJwt(key) = &client.authentication else {
        return None;
    };
    let fits = header.alg == key.algorithm() && AlgorithmSet::PROOF.contains(header.alg);
    if !fits || key.verify(jws.signing_input(), jws.signature()).is_err() {
        return None;
    }
    let date = |name: &str| claims.get(name).map(|date| date.as_numeric_date().ok_or(())).transpose();
    let expires_at = date("exp").ok()??;
    let has_begun = |date: Option<u64>| date.is_none_or(|date| date <= now + MAX_CLOCK_SKEW);
    let is_current = expires_at > now
        && expires_at <= now + MAX_ASSERTION_LIFETIME
        && has_begun(date("iat").ok()?)
        && has_begun(date("nbf").ok()?);
    let has_right_names = string("iss") == string("sub") && string("aud") == Some(issuer);
    let jti = string("jti").filter(|jti| !jti.is_empty() && jti.len() <= MAX_JTI_LEN)?;
    (is_current && has_right_names).then(|| (client, Assertion { jti: jti.to_owned(), expires_at }))
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
        |part: &str| form_urlencoded::parse(format!("x={part}").as_bytes()).next().map(|(_, value)| value.into_owned());
    Some((decode(id)?, decode(secret)?))
}
