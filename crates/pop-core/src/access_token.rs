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
use crate::jose::{Algorithm, DecodedJws, HeaderError, JoseHeader, Json, JsonLimits, JwkSet, decode, is_media_type};
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
        let typed = check_type(&self.header, expected.allowances)?;
        if !typed && !self.claims.may_be_an_access_token()? {
            return Err(TokenError::TokenType.into());
        }
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

/// Whose token a text claims to be, acceptable or not: to decide who may see it, and for nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// Not a JWS: an opaque token, or an encrypted one.
    Opaque,
    /// A JWS whose `iss` is missing or cannot be read.
    Unreadable,
    /// A JWS with this `iss`.
    By(Box<str>),
}

impl Claimed {
    /// Looks at header and claims alone: a signature that cannot be decoded does not make a token another server's.
    #[must_use]
    pub fn by(token: &str, policy: &TokenPolicy) -> Self {
        let mut segments = token.split('.');
        let (Some(header), Some(claims), Some(_), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Self::Opaque;
        };
        let is_object = |header: Vec<u8>| header.trim_ascii_start().first() == Some(&b'{');
        if !decode(header).is_ok_and(is_object) {
            return Self::Opaque;
        }
        let issuer = |claims: &[u8]| Some(TokenClaims::parse(claims, policy.json).ok()?.issuer().ok()??.into());
        decode(claims).ok().and_then(|claims| issuer(&claims)).map_or(Self::Unreadable, Self::By)
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

/// Checks `typ` and returns whether it says that this is an access token. Where the issuer may leave that open, its claims must
/// not say otherwise.
fn check_type(header: &JoseHeader<'_>, allow: TokenAllowances) -> Result<bool, TokenError> {
    let (typed, accepted) = match header.typ() {
        None => (false, allow.typ_jwt),
        Some(Json::String(typ)) if is_media_type(typ, "at+jwt") => (true, true),
        Some(Json::String(typ)) => (false, allow.typ_jwt && is_media_type(typ, "jwt")),
        Some(_) => (false, false),
    };
    if accepted { Ok(typed) } else { Err(HeaderError::Type(Found::of(header.typ())).into()) }
}
