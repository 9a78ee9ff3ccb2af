//! What an authorization server answers when it is asked about a token (RFC 7662), plain or signed (RFC 9701).
//!
//! 1. A document that is no answer (no JSON object, duplicate members, no boolean `active`, a bad signature) means that
//!    the server could not be asked: [`Unavailable::Introspection`].
//! 2. What an answer says of the token is held against this resource as the claims of a JWT are: `iss`, `aud`, `exp`,
//!    `nbf`, `cnf`; a failure makes the token invalid, whatever `active` says.
//! 3. The answer must be about an access token: `token_type` is absent, `DPoP` for a token with `jkt` (RFC 9449 §6.2) or
//!    `Bearer` for every other; `token_use` and `typ`, where they are present, name an access token. Servers answer about
//!    refresh tokens too, and those have a holder who never meant to use them here.

use std::time::Duration;

use crate::access_token::{Expectations, check_times};
use crate::claims::AccessToken;
use crate::error::Found;
use crate::jose::{DecodedJws, HeaderError, JoseHeader, Json, JsonLimits, JwkSet, Object, is_media_type};
use crate::policy::TokenPolicy;
use crate::token_claims::{NO_EXPIRY, TokenClaims};
use crate::{Error, TokenError, Unavailable};

/// Media type of a signed response (RFC 9701 §5), without `application/`.
pub const JWT_TYPE: &str = "token-introspection+jwt";

/// Seconds that a signed response may be old.
const MAX_AGE: u64 = 60;

/// What one resource expects of the answers of one authorization server.
#[derive(Debug, Clone, Copy)]
pub struct IntrospectionExpectations<'e> {
    /// The issuer identifier of the server that was asked.
    pub issuer: &'e str,
    /// Audiences, allowances and leeway.
    pub token: Expectations<'e>,
    /// How long an answer may be cached: the validity of a token whose answer has no `exp`.
    pub cache_for: Duration,
}

/// Reads a response to a question about one token.
///
/// # Errors
/// [`Error::Unavailable`] for what is no answer, [`TokenError::Inactive`] for `active: false`, else [`Error::Token`] or
/// [`Error::Confirmation`].
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

/// The answer is about an access token, of the type that goes with its `cnf`.
fn check_token_type(claims: &TokenClaims<'_>, token: &AccessToken) -> Result<(), TokenError> {
    let bound_to_proof = token.confirmation.is_some_and(|confirmation| confirmation.jkt.is_some());
    let expected = if bound_to_proof { "DPoP" } else { "Bearer" };
    let fits = claims.token_type()?.is_none_or(|token_type| token_type.eq_ignore_ascii_case(expected));
    if fits && claims.may_be_an_access_token()? { Ok(()) } else { Err(TokenError::TokenType) }
}

/// A signed response (RFC 9701 §5), parsed and not yet verified.
#[derive(Debug)]
pub struct SignedIntrospection<'j> {
    jws: &'j DecodedJws<'j>,
    header: JoseHeader<'j>,
    /// As for a plain response, which is one level less deep.
    limits: JsonLimits,
}

impl<'j> SignedIntrospection<'j> {
    /// Parses the header: a JWT of type `token-introspection+jwt`, and of no other.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: the server did not answer as it must.
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

    /// `kid`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it is no string.
    pub fn key_id(&self) -> Result<Option<&str>, Error> {
        Ok(self.header.kid().map_err(|_| Unavailable::Introspection)?)
    }

    /// Verifies the signature with the keys of the server that was asked, and that the answer is for this resource
    /// server: `iss`, `aud` (one of `recipients`) and `iat`. Returns the JSON of `token_introspection`, for [`read`].
    ///
    /// # Errors
    /// [`Error::Unavailable`]: the server did not answer as it must.
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
            .take(crate::access_token::MAX_CANDIDATES)
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
        let answer = claims.get("token_introspection").filter(|answer| answer.as_object().is_some());
        match answer {
            Some(answer) if from_issuer && for_us && fresh => serde_json::to_vec(answer).map_err(|_| unusable()),
            _ => Err(unusable()),
        }
    }
}
