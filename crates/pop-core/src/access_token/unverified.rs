//! JWT access tokens (RFC 9068 §4), in this order:
//!
//! 1. Strict parsing of header and claims, before any key is looked up.
//! 2. The signature, with a key of the issuer that `iss` names.
//! 3. `typ`, `aud`, times and the required claims, each of the right JSON type.
//!
//! `jku`, `x5u`, `jwk` and `x5c` in the header never select a key.

use super::claims::{NO_EXPIRY, TokenClaims};
use super::expectations::Expectations;
use super::times::check_times;
use super::token::AccessToken;
use crate::jose::{
    Algorithm, DecodedJws, Found, HeaderError, JoseHeader, Json, JsonLimits, JwkSet, decode, is_media_type,
};
use crate::policy::{TokenAllowances, TokenPolicy};
use crate::{Error, TokenError};

/// The maximum number of keys that are tried for one token: one without `kid`, or one whose `kid` several keys have.
pub(super) const MAX_CANDIDATES: usize = 8;
/// The maximum length of `kid`, in bytes.
const MAX_KID_LEN: usize = 1024;

/// A strictly parsed access token. Nothing in it is verified yet. `Debug` shows the algorithm only.
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

    /// Returns `iss`, to select the issuer whose keys verify the token.
    ///
    /// # Errors
    /// [`TokenError::Issuer`] if it is missing or not a string.
    pub fn issuer(&self) -> Result<&str, TokenError> {
        self.claims.issuer().ok().flatten().ok_or_else(|| TokenError::Issuer(self.claims.found_issuer()))
    }

    /// Returns `alg`.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.header.alg
    }

    /// Returns `kid`.
    ///
    /// # Errors
    /// [`TokenError::Header`] if it is not a string, [`TokenError::UnknownKey`] if it is longer than 1,024 bytes.
    pub fn key_id(&self) -> Result<Option<&str>, TokenError> {
        match self.header.kid()? {
            Some(kid) if kid.len() > MAX_KID_LEN => Err(TokenError::UnknownKey),
            kid => Ok(kid),
        }
    }

    /// Verifies the signature with the keys of the issuer. At most eight candidates are tried.
    ///
    /// # Errors
    /// [`TokenError::UnknownKey`] if no key matches `kid` and `alg`, [`TokenError::Signature`] if no key verifies.
    pub fn verify_signature(&self, keys: &JwkSet) -> Result<(), TokenError> {
        let mut candidates = keys.candidates(self.key_id()?, self.algorithm()).take(MAX_CANDIDATES).peekable();
        if candidates.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        let (message, signature) = (self.jws.signing_input(), self.jws.signature());
        if candidates.any(|key| key.verify(message, signature).is_ok()) { Ok(()) } else { Err(TokenError::Signature) }
    }

    /// Checks everything except the issuer and the signature, and returns the claims.
    ///
    /// # Errors
    /// [`Error::Token`] or [`Error::Confirmation`].
    pub fn check_claims(&self, expected: &Expectations<'_>, now: u64) -> Result<AccessToken, Error> {
        let typed = check_type(&self.header, expected.allowances)?;
        if !typed {
            self.claims.check_kind(expected)?;
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

/// The issuer that a token names, valid or not. Use it only to decide where the token may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedIssuer {
    /// Not a JWS: the token is opaque or encrypted.
    Opaque,
    /// A JWS whose `iss` is missing or unreadable.
    Unreadable,
    /// A JWS with this `iss`.
    Named(Box<str>),
}

impl ClaimedIssuer {
    /// Reads `iss` from the claims. The signature is not decoded: a malformed one does not make a token opaque.
    #[must_use]
    pub fn of(token: &str, policy: &TokenPolicy) -> Self {
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
        decode(claims).ok().and_then(|claims| issuer(&claims)).map_or(Self::Unreadable, Self::Named)
    }
}

impl std::fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnverifiedToken({})", self.header.alg)
    }
}

/// Checks `typ` and returns whether it names an access token. If the issuer may omit that, the claims must not name another
/// kind of token.
fn check_type(header: &JoseHeader<'_>, allow: TokenAllowances) -> Result<bool, TokenError> {
    let (typed, accepted) = match header.typ() {
        None => (false, allow.typ_jwt),
        Some(Json::String(typ)) if is_media_type(typ, "at+jwt") => (true, true),
        Some(Json::String(typ)) => (false, allow.typ_jwt && is_media_type(typ, "jwt")),
        Some(_) => (false, false),
    };
    if accepted { Ok(typed) } else { Err(HeaderError::Type(Found::of(header.typ())).into()) }
}
