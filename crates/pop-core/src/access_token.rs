//! JWT access tokens (RFC 9068 §4), in this order:
//!
//! 1. strict parsing of header and claims, before any key is looked for;
//! 2. the signature, with a key of the very issuer that `iss` names;
//! 3. `typ`, `aud`, times and the required claims, each of the right JSON type; a wrong type is never "absent".
//!
//! `jku`, `x5u`, `jwk` and `x5c` in the header never select a key.

use std::time::Duration;

use crate::claims::AccessToken;
use crate::error::Found;
use crate::jose::{Algorithm, DecodedJws, HeaderError, JoseHeader, Json, JsonLimits, JwkSet, is_media_type};
use crate::policy::{TokenAllowances, TokenPolicy};
use crate::token_claims::{NO_EXPIRY, TokenClaims};
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
    claims: TokenClaims<'j>,
}

impl<'j> UnverifiedToken<'j> {
    /// Parses header and claims.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] or [`TokenError::Header`].
    pub fn parse(jws: &'j DecodedJws<'_>, policy: &TokenPolicy) -> Result<Self, TokenError> {
        let header = JoseHeader::parse::<TokenError>(jws.header(), JsonLimits::TOKEN)?;
        if !policy.algorithms.contains(header.alg) {
            return Err(HeaderError::Algorithm.into());
        }
        Ok(Self { jws, header, claims: TokenClaims::parse(jws.payload(), policy.json)? })
    }

    /// `iss`, to select the issuer whose keys may verify the token.
    ///
    /// # Errors
    /// [`TokenError::Issuer`] when it is missing or no string.
    pub fn issuer(&self) -> Result<&str, TokenError> {
        self.claims.issuer().ok().flatten().ok_or_else(|| TokenError::Issuer(self.claims.found_issuer()))
    }

    /// `iss` of a JWS that may be no acceptable token at all: to tell whose it claims to be, and for nothing else.
    #[must_use]
    pub fn claimed_issuer(jws: &DecodedJws<'_>, policy: &TokenPolicy) -> Option<Box<str>> {
        TokenClaims::parse(jws.payload(), policy.json).ok()?.issuer().ok()?.map(Into::into)
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
        let token = self.claims.read(self.issuer()?, expected)?;
        if token.audience.spans().is_empty() {
            return Err(TokenError::Audience(Found::Nothing).into());
        }
        let allow = expected.allowances;
        let required = [
            ("exp", token.expires_at != NO_EXPIRY),
            ("iat", allow.missing_iat || token.issued_at.is_some()),
            ("sub", allow.missing_sub || token.subject.is_some()),
            ("client_id", allow.missing_client_id || token.client_id.is_some()),
            ("jti", allow.missing_jti || token.jti.is_some()),
        ];
        if let Some((missing, _)) = required.into_iter().find(|(_, complete)| !complete) {
            return Err(TokenError::MissingClaim(missing).into());
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
        return Err(TokenError::Expired { ago: now.saturating_sub(token.expires_at) });
    }
    if let Some(not_before) = token.not_before.filter(|not_before| *not_before > latest) {
        return Err(TokenError::NotYetValid { ahead: not_before.saturating_sub(now) });
    }
    if let Some(issued_at) = token.issued_at.filter(|issued_at| *issued_at > latest) {
        return Err(TokenError::IssuedInFuture { ahead: issued_at.saturating_sub(now) });
    }
    Ok(())
}

fn check_type(header: &JoseHeader<'_>, allow: TokenAllowances) -> Result<(), TokenError> {
    let accepted = match header.typ() {
        None => allow.typ_jwt,
        Some(Json::String(typ)) => is_media_type(typ, "at+jwt") || (allow.typ_jwt && is_media_type(typ, "jwt")),
        Some(_) => false,
    };
    if accepted { Ok(()) } else { Err(HeaderError::Type(Found::of(header.typ())).into()) }
}
