//! Introspection responses (RFC 7662), plain or signed (RFC 9701).
//!
//! 1. A response that is not usable (not a JSON object, duplicate members, no boolean `active`, a wrong signature) means that
//!    the token could not be introspected: [`Unavailable::Introspection`].
//! 2. `iss`, `aud`, `exp`, `nbf` and `cnf` of a usable response are checked as the claims of a JWT are. If one fails, the token
//!    is invalid, whatever `active` says.
//! 3. The response must be about an access token: `token_type` is absent, `DPoP` for a token with `jkt` (RFC 9449 §6.2),
//!    `httpsig` or `PoP` for one with another key, or `Bearer` for every other token; `token_use` and `typ`, where present, name an access token. Servers also introspect
//!    refresh tokens, which must never work at a resource.

use std::time::Duration;

use super::claims::{NO_EXPIRY, TokenClaims};
use super::expectations::Expectations;
use super::times::check_times;
use super::token::AccessToken;
use super::unverified::MAX_CANDIDATES;
use crate::confirmation::{Confirmation, Requirement};
use crate::jose::{DecodedJws, Found, HeaderError, JoseHeader, Json, JsonLimits, JwkSet, Object, is_media_type};
use crate::policy::TokenPolicy;
use crate::{Error, TokenError, Unavailable};

/// The media type of a signed response (RFC 9701 §5), without `application/`.
pub const JWT_TYPE: &str = "token-introspection+jwt";

/// The maximum age of a signed response, in seconds.
const MAX_AGE: u64 = 60;

/// What one resource expects of the introspection responses of one authorization server.
#[derive(Debug, Clone, Copy)]
pub struct IntrospectionExpectations<'e> {
    /// The issuer identifier of the authorization server.
    pub issuer: &'e str,
    /// Audiences, allowances and leeway.
    pub token: Expectations<'e>,
    /// How long a response may be cached. A token whose response has no `exp` is valid for this time.
    pub cache_for: Duration,
}

/// Reads the response about one token. `now` is in seconds since the epoch.
///
/// # Errors
/// [`Error::Unavailable`] if the response is not usable, [`TokenError::Inactive`] for `active: false`, otherwise
/// [`Error::Token`] or [`Error::Confirmation`].
pub fn read(body: &[u8], expected: &IntrospectionExpectations<'_>, now: u64) -> Result<AccessToken, Error> {
    let claims =
        TokenClaims::parse_response(body, expected.token.policy.json).map_err(|_| Unavailable::Introspection)?;
    match claims.is_active() {
        Some(true) => {}
        Some(false) => return Err(TokenError::Inactive.into()),
        None => return Err(Unavailable::Introspection.into()),
    }
    if claims.issuer()?.is_some_and(|issuer| *issuer != *expected.issuer) {
        return Err(TokenError::Issuer(Found::String).into());
    }
    let mut token = claims.read(expected.issuer, &expected.token)?;
    if token.audience.spans().is_empty() && !expected.token.allowances.introspection_without_aud {
        return Err(TokenError::Audience(Found::Nothing).into());
    }
    token.introspected = true;
    if token.expires_at == NO_EXPIRY {
        token.expires_at = now.saturating_add(expected.cache_for.as_secs().max(1));
    }
    check_token_type(&claims, &token)?;
    check_times(&token, expected.token.policy.leeway, now)?;
    Ok(token)
}

/// The response must be about an access token of a type that matches its `cnf`.
fn check_token_type(claims: &TokenClaims<'_>, token: &AccessToken) -> Result<(), TokenError> {
    let expected = token.confirmation().map_or(&["Bearer"][..], token_types);
    let fits = |token_type: &str| expected.iter().any(|name| name.eq_ignore_ascii_case(token_type));
    if !claims.token_type()?.is_none_or(fits) {
        return Err(TokenError::TokenType("token_type"));
    }
    claims.check_no_other_kind()
}

/// Returns the token types of tokens with a confirmation.
fn token_types(confirmation: &Confirmation) -> &'static [&'static str] {
    let of = |requirement| match requirement {
        Requirement::DpopKey(_) => Some(&["DPoP"][..]),
        Requirement::SigningKey(_) => Some(&["httpsig", "PoP"][..]),
        Requirement::SharedKey => Some(&["PoP"][..]),
        Requirement::Certificate(_) => None,
    };
    confirmation.requirements().find_map(of).unwrap_or(&["Bearer"])
}

/// A signed response (RFC 9701 §5), parsed but not verified.
#[derive(Debug)]
pub struct SignedIntrospection<'j> {
    jws: &'j DecodedJws<'j>,
    header: JoseHeader<'j>,
    /// The limits of a plain response, plus one level of nesting.
    limits: JsonLimits,
}

impl<'j> SignedIntrospection<'j> {
    /// Parses the header. `typ` must be `token-introspection+jwt`.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: the response is not usable.
    pub fn parse(jws: &'j DecodedJws<'_>, policy: &TokenPolicy) -> Result<Self, Error> {
        let header = || -> Result<JoseHeader<'_>, TokenError> {
            let header = JoseHeader::parse::<TokenError>(jws.header(), JsonLimits::TOKEN)?;
            let typed = matches!(header.typ(), Some(Json::String(typ)) if is_media_type(typ, JWT_TYPE));
            if typed && policy.algorithms.contains(header.alg) {
                Ok(header)
            } else {
                Err(HeaderError::Type(Found::of(header.typ())).into())
            }
        };
        let limits = JsonLimits { depth: policy.json.depth.saturating_add(1), ..policy.json };
        Ok(Self { jws, header: header().map_err(|_| Unavailable::Introspection)?, limits })
    }

    /// Returns `kid`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it is not a string.
    pub fn key_id(&self) -> Result<Option<&str>, Error> {
        Ok(self.header.kid().map_err(|_| Unavailable::Introspection)?)
    }

    /// Verifies the signature with the keys of the authorization server, and checks that the response is for this resource
    /// server: `iss`, `aud` (one of `recipients`) and `iat`. Returns the JSON of `token_introspection`, for [`read`].
    ///
    /// # Errors
    /// [`Error::Unavailable`]: the response is not usable.
    pub fn verify(
        &self,
        keys: &JwkSet,
        issuer: &str,
        recipients: &[&str],
        leeway: Duration,
        now: u64,
    ) -> Result<Vec<u8>, Error> {
        let unusable = || Error::from(Unavailable::Introspection);
        let (message, signature) = (self.jws.signing_input(), self.jws.signature());
        let signed = keys
            .candidates(self.key_id()?, self.header.alg)
            .take(MAX_CANDIDATES)
            .any(|key| key.verify(message, signature).is_ok());
        if !signed {
            return Err(unusable());
        }
        let claims = Object::parse(self.jws.payload(), self.limits).map_err(|_| unusable())?;
        let from_issuer = claims.get("iss").and_then(Json::as_str) == Some(issuer);
        let is_recipient = |aud: &Json<'_>| aud.as_str().is_some_and(|aud| recipients.contains(&aud));
        let for_us = match claims.get("aud") {
            Some(Json::Array(many)) => many.iter().any(is_recipient),
            Some(one) => is_recipient(one),
            None => false,
        };
        let leeway = leeway.as_secs();
        let fresh = claims.get("iat").and_then(Json::as_numeric_date).is_some_and(|issued_at| {
            issued_at <= now.saturating_add(leeway) && now.saturating_sub(issued_at) <= MAX_AGE.saturating_add(leeway)
        });
        let response = claims.get("token_introspection").filter(|response| response.as_object().is_some());
        match response {
            Some(response) if from_issuer && for_us && fresh => serde_json::to_vec(response).map_err(|_| unusable()),
            _ => Err(unusable()),
        }
    }
}
