//! JWT access tokens (RFC 9068 §4), in this order:
//!
//! 1. strict parsing of header and claims, before any key is looked for;
//! 2. the signature, with a key of the very issuer that `iss` names;
//! 3. `typ`, `aud`, times and the required claims, each of the right JSON type; a wrong type is never "absent".
//!
//! `jku`, `x5u`, `jwk` and `x5c` in the header never select a key.

use std::borrow::Cow;
use std::time::Duration;

use crate::claims::{AccessToken, Audience};
use crate::cnf::Confirmation;
use crate::jose::{
    Algorithm, DecodedJws, HeaderError, JoseHeader, Json, JsonLimits, JwkSet, Malformed, Object, is_media_type,
};
use crate::policy::{TokenAllowances, TokenPolicy};
use crate::scope::Scopes;
use crate::texts::{Span, Texts};
use crate::{Error, TokenError};

/// Most keys of a set that are tried for one token (tokens without `kid`, or several keys with one `kid`).
pub(crate) const MAX_CANDIDATES: usize = 8;
/// Longest `kid` that is looked up, in bytes.
const MAX_KID_LEN: usize = 1024;

/// What one resource expects of one issuer's tokens.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'e> {
    /// Identifiers of this resource; one of them must be in `aud`.
    pub audiences: &'e [Box<str>],
    /// The issuer's allowances.
    pub allowances: TokenAllowances,
    /// Algorithms, leeway and limits.
    pub policy: &'e TokenPolicy,
}

/// A strictly parsed access token. Nothing in it may be trusted yet. `Debug` shows the algorithm only.
pub struct UnverifiedToken<'j> {
    jws: &'j DecodedJws<'j>,
    header: JoseHeader<'j>,
    claims: Object<'j>,
}

impl<'j> UnverifiedToken<'j> {
    /// Parses header and claims.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] or [`TokenError::Header`].
    pub fn parse(jws: &'j DecodedJws<'_>, policy: &TokenPolicy) -> Result<Self, TokenError> {
        let header = JoseHeader::new(Object::parse(jws.header(), JsonLimits::TOKEN)?)?;
        if !policy.algorithms.contains(header.alg) {
            return Err(HeaderError::Algorithm.into());
        }
        let claims = Object::parse(jws.payload(), JsonLimits::TOKEN)?;
        Ok(Self { jws, header, claims })
    }

    /// `iss`, to select the issuer whose keys may verify the token.
    ///
    /// # Errors
    /// [`TokenError::Issuer`] when it is missing or no string.
    pub fn issuer(&self) -> Result<&str, TokenError> {
        self.claims.get("iss").and_then(Json::as_str).ok_or(TokenError::Issuer)
    }

    /// `iss` of a JWS that may be no acceptable token at all: to tell whose it claims to be, and for nothing else.
    #[must_use]
    pub fn claimed_issuer(jws: &DecodedJws<'_>) -> Option<Box<str>> {
        Object::parse(jws.payload(), JsonLimits::TOKEN).ok()?.get("iss")?.as_str().map(Into::into)
    }

    /// `alg`.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.header.alg
    }

    /// `kid`.
    ///
    /// # Errors
    /// [`TokenError::Header`] when it is no string; [`TokenError::UnknownKey`] beyond 1,024 bytes.
    pub fn key_id(&self) -> Result<Option<&str>, TokenError> {
        match self.header.kid()? {
            Some(kid) if kid.len() > MAX_KID_LEN => Err(TokenError::UnknownKey),
            kid => Ok(kid),
        }
    }

    /// Verifies the signature with the keys of the issuer; at most eight candidates are tried.
    ///
    /// # Errors
    /// [`TokenError::UnknownKey`] when no key fits `kid` and `alg`, [`TokenError::Signature`] when none verifies.
    pub fn verify_signature(&self, keys: &JwkSet) -> Result<(), TokenError> {
        let mut candidates = keys.candidates(self.key_id()?, self.algorithm()).take(MAX_CANDIDATES).peekable();
        if candidates.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        let (message, signature) = (self.jws.signing_input(), self.jws.signature());
        if candidates.any(|key| key.verify(message, signature).is_ok()) { Ok(()) } else { Err(TokenError::Signature) }
    }

    /// Checks everything but issuer and signature and returns the claims.
    ///
    /// # Errors
    /// [`Error::Token`] or [`Error::Confirmation`].
    pub fn check_claims(&self, expected: &Expectations<'_>, now: u64) -> Result<AccessToken, Error> {
        check_type(&self.header, expected.allowances)?;
        let raw = std::str::from_utf8(self.jws.payload()).map_err(|_| TokenError::from(Malformed::NotJson))?;
        let token = Claims(&self.claims).read(self.issuer()?, raw, expected)?;
        if token.audience.spans().is_empty() {
            return Err(TokenError::Audience.into());
        }
        let allow = expected.allowances;
        let complete = (allow.missing_iat || token.issued_at.is_some())
            && (allow.missing_sub || token.subject.is_some())
            && (allow.missing_client_id || token.client_id.is_some())
            && (allow.missing_jti || token.jti.is_some());
        if token.expires_at == NO_EXPIRY || !complete {
            return Err(TokenError::MissingClaim.into());
        }
        check_times(&token, expected.policy.leeway, now)?;
        Ok(token)
    }
}

impl std::fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnverifiedToken({})", self.header.alg)
    }
}

/// Checks `exp`, `nbf` and `iat` against the present: on first sight and again whenever a verified token comes from a
/// cache. `exp` has no tolerance where the authorization server itself was asked a moment ago.
///
/// # Errors
/// [`TokenError::Expired`], [`TokenError::NotYetValid`] or [`TokenError::IssuedInFuture`].
pub fn check_times(token: &AccessToken, leeway: Duration, now: u64) -> Result<(), TokenError> {
    let leeway = leeway.as_secs();
    let latest = now.saturating_add(leeway);
    if now >= token.expires_at.saturating_add(if token.introspected { 0 } else { leeway }) {
        return Err(TokenError::Expired);
    }
    if token.not_before.is_some_and(|not_before| not_before > latest) {
        return Err(TokenError::NotYetValid);
    }
    if token.issued_at.is_some_and(|issued_at| issued_at > latest) {
        return Err(TokenError::IssuedInFuture);
    }
    Ok(())
}

fn check_type(header: &JoseHeader<'_>, allow: TokenAllowances) -> Result<(), TokenError> {
    let accepted = match header.typ() {
        None => allow.typ_jwt,
        Some(Json::String(typ)) => is_media_type(typ, "at+jwt") || (allow.typ_jwt && is_media_type(typ, "jwt")),
        Some(_) => false,
    };
    if accepted { Ok(()) } else { Err(HeaderError::Type.into()) }
}

/// Stands for a missing `exp` until whoever reads the claims has judged that.
pub(crate) const NO_EXPIRY: u64 = u64::MAX;

/// The claims that signed tokens (RFC 9068) and introspection responses (RFC 7662) have in common.
pub(crate) struct Claims<'c>(pub(crate) &'c Object<'c>);

impl Claims<'_> {
    /// Reads every claim that is known, each of the right JSON type, and checks the audience. What may be missing, and
    /// times, are the caller's to judge.
    pub(crate) fn read(&self, issuer: &str, raw: &str, expected: &Expectations<'_>) -> Result<AccessToken, Error> {
        let mut texts = Texts::of(raw);
        let mut kept = |text: Option<&str>| text.map(|text| texts.keep(text, raw));
        let token = AccessToken {
            issuer: kept(Some(issuer)).unwrap_or_default(),
            audience: self.audience(expected, &mut |one| kept(Some(one)).unwrap_or_default())?,
            expires_at: self.date("exp")?.unwrap_or(NO_EXPIRY),
            not_before: self.date("nbf")?,
            issued_at: self.date("iat")?,
            subject: kept(self.text("sub")?),
            client_id: kept(self.text("client_id")?),
            jti: kept(self.text("jti")?),
            scope: kept(self.scope(expected.allowances.scope_array)?.as_deref()).unwrap_or_default(),
            auth_time: self.date("auth_time")?,
            acr: kept(self.text("acr")?),
            confirmation: Confirmation::from_claims(self.0)?,
            introspected: false,
            texts,
        };
        self.check_authorization_details()?;
        Ok(token)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, TokenError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::InvalidClaim),
        }
    }

    fn date(&self, name: &str) -> Result<Option<u64>, TokenError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => value.as_numeric_date().map(Some).ok_or(TokenError::InvalidClaim),
        }
    }

    fn audience(
        &self,
        expected: &Expectations<'_>,
        keep: &mut dyn FnMut(&str) -> Span,
    ) -> Result<Audience, TokenError> {
        let all = match self.0.get("aud") {
            Some(one @ Json::String(_)) => std::slice::from_ref(one),
            Some(Json::Array(many)) => many.as_slice(),
            None => return Ok(Audience::Many(Box::default())),
            _ => return Err(TokenError::Audience),
        };
        let is_ours = |one: &str| expected.audiences.iter().any(|own| **own == *one);
        if let [Json::String(one)] = all {
            return if is_ours(one) { Ok(Audience::One(keep(one))) } else { Err(TokenError::Audience) };
        }
        let all = all.iter().map(Json::as_str).collect::<Option<Vec<_>>>().ok_or(TokenError::Audience)?;
        if !all.iter().any(|one| is_ours(one)) {
            return Err(TokenError::Audience);
        }
        Ok(Audience::Many(all.into_iter().map(keep).collect()))
    }

    fn scope(&self, array_allowed: bool) -> Result<Option<Cow<'_, str>>, TokenError> {
        let scope: Cow<'_, str> = match self.0.get("scope") {
            None => return Ok(None),
            Some(Json::String(text)) => Cow::Borrowed(text),
            Some(Json::Array(list)) if array_allowed => {
                let list = list.iter().map(Json::as_str).collect::<Option<Vec<_>>>();
                list.ok_or(TokenError::InvalidClaim)?.join(" ").into()
            }
            Some(_) => return Err(TokenError::InvalidClaim),
        };
        if Scopes::parse(&scope).is_some() { Ok(Some(scope)) } else { Err(TokenError::InvalidClaim) }
    }

    /// `authorization_details` is an array of objects with a `type` (RFC 9396 §2).
    fn check_authorization_details(&self) -> Result<(), TokenError> {
        let Some(details) = self.0.get("authorization_details") else {
            return Ok(());
        };
        let typed = |detail: &Json<'_>| detail.as_object().and_then(|detail| detail.get("type")?.as_str()).is_some();
        match details.as_array() {
            Some(details) if details.iter().all(typed) => Ok(()),
            _ => Err(TokenError::InvalidClaim),
        }
    }
}
