//! DPoP proofs: the checks of RFC 9449 §4.3, one small function each.
//!
//! | check | where |
//! |---|---|
//! | 1 one header field | [`crate::credentials::present`] |
//! | 2, 3 well-formed JWT with all claims | [`DpopProof::parse`] |
//! | 4, 5 `typ` and `alg` | [`ProofKey::parse`] |
//! | 6 signature | [`DpopProof::verify_signature`] |
//! | 7 no private key | [`ProofKey::parse`] |
//! | 8 `htm` | [`DpopProof::check_method`] |
//! | 9 `htu` | [`DpopProof::check_target`] |
//! | 10 nonce | [`crate::judgement`] with [`DpopProof::nonce`] |
//! | 11 creation time | [`DpopProof::check_time`] |
//! | 12 `ath` and binding | [`DpopProof::check_access_token`], [`crate::judgement`] |

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::ProofError;
use crate::constant_time;
use crate::error::Found;
use crate::jose::{Claim, DecodedJws, Json, JsonLimits, JwkThumbprint, Object, WrongType, decode_array};
use crate::policy::ProofPolicy;
use crate::proof::ProofKey;
use crate::target::RequestTarget;

/// Longest `nonce` that is looked at, in bytes.
const MAX_NONCE_LEN: usize = 1024;
/// The year 2286 in seconds, or 26 April 1970 in milliseconds: what is above cannot be meant as seconds.
const MILLISECONDS_FROM: u64 = 10_000_000_000;

/// SHA-256 of an access token as received: the value behind `ath`, and the key of token caches.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessTokenHash([u8; 32]);

impl AccessTokenHash {
    /// Hashes the token's characters (RFC 9449 §4.2).
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for AccessTokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessTokenHash(..)")
    }
}

/// A strictly parsed proof. Its checks are methods; none is implied by another. `Debug` shows the key only.
pub struct DpopProof<'j> {
    jws: &'j DecodedJws<'j>,
    key: &'j ProofKey,
    jti: Cow<'j, str>,
    htm: Cow<'j, str>,
    htu: Cow<'j, str>,
    iat: u64,
    exp: Option<u64>,
    nbf: Option<u64>,
    ath: Option<Cow<'j, str>>,
    nonce: Option<Cow<'j, str>>,
}

impl<'j> DpopProof<'j> {
    /// Parses the claims of a proof whose header was read as `key`. Unknown claims are ignored.
    ///
    /// # Errors
    /// [`ProofError::Malformed`], [`ProofError::MissingClaim`], [`ProofError::InvalidClaim`] or
    /// [`ProofError::JtiLength`].
    pub fn parse(jws: &'j DecodedJws<'_>, key: &'j ProofKey, policy: &ProofPolicy) -> Result<Self, ProofError> {
        let mut claims = Claims::default();
        Object::walk(jws.payload(), JsonLimits::PROOF, &mut |name, value| claims.take(name, value))?;
        let proof = Self {
            jws,
            key,
            jti: claims.jti.into_text("jti")?.ok_or(ProofError::MissingClaim("jti"))?,
            htm: claims.htm.into_text("htm")?.ok_or(ProofError::MissingClaim("htm"))?,
            htu: claims.htu.into_text("htu")?.ok_or(ProofError::MissingClaim("htu"))?,
            iat: claims.iat.date("iat")?.ok_or(ProofError::MissingClaim("iat"))?,
            exp: claims.exp.date("exp")?,
            nbf: claims.nbf.date("nbf")?,
            ath: claims.ath.into_text("ath")?,
            nonce: claims.nonce.into_text("nonce")?,
        };
        if proof.jti.is_empty() || proof.jti.len() > policy.max_jti_len {
            return Err(ProofError::JtiLength);
        }
        if proof.nonce.as_ref().is_some_and(|nonce| nonce.len() > MAX_NONCE_LEN) {
            return Err(ProofError::InvalidClaim { claim: "nonce", found: Found::String });
        }
        Ok(proof)
    }

    /// Verifies the signature with the proof's own key.
    ///
    /// # Errors
    /// [`ProofError::Signature`].
    pub fn verify_signature(&self) -> Result<(), ProofError> {
        let key = self.key.verifying_key();
        key.verify(self.jws.signing_input(), self.jws.signature()).map_err(|_| ProofError::Signature)
    }

    /// `htm` equals the method on the wire, case-sensitively.
    ///
    /// # Errors
    /// [`ProofError::MethodMismatch`].
    pub fn check_method(&self, method: &str) -> Result<(), ProofError> {
        if self.htm == method { Ok(()) } else { Err(ProofError::MethodMismatch) }
    }

    /// `htu` stands for the request's target, query and fragment left out on both sides.
    ///
    /// # Errors
    /// [`ProofError::TargetInvalid`] or [`ProofError::TargetMismatch`].
    pub fn check_target(&self, target: &RequestTarget<'_>) -> Result<(), ProofError> {
        match target.matches(&self.htu) {
            Ok(true) => Ok(()),
            Ok(false) => Err(ProofError::TargetMismatch),
            Err(_) => Err(ProofError::TargetInvalid),
        }
    }

    /// `ath` is the hash of the access token in its one canonical spelling, compared in constant time.
    ///
    /// # Errors
    /// [`ProofError::AccessTokenHashMissing`] or [`ProofError::AccessTokenHashMismatch`].
    pub fn check_access_token(&self, token: &AccessTokenHash) -> Result<(), ProofError> {
        let ath = self.ath.as_ref().ok_or(ProofError::AccessTokenHashMissing)?;
        let ath: [u8; 32] = decode_array(ath.as_ref()).map_err(|_| ProofError::AccessTokenHashMismatch)?;
        if constant_time::equal(&ath, &token.0) { Ok(()) } else { Err(ProofError::AccessTokenHashMismatch) }
    }

    /// `iat` lies within the window, and `exp` and `nbf`, where present, do not contradict the present.
    ///
    /// # Errors
    /// [`ProofError::TooOld`], [`ProofError::InFuture`], [`ProofError::Milliseconds`], [`ProofError::Expired`] or
    /// [`ProofError::NotYetValid`].
    pub fn check_time(&self, policy: &ProofPolicy, now: u64) -> Result<(), ProofError> {
        let (age, ahead) = (now.saturating_sub(self.iat), self.iat.saturating_sub(now));
        if age > policy.max_age.as_secs() {
            return Err(ProofError::TooOld { age });
        }
        if ahead > policy.clock_skew.as_secs() {
            let milliseconds = self.iat >= MILLISECONDS_FROM;
            return Err(if milliseconds { ProofError::Milliseconds } else { ProofError::InFuture { ahead } });
        }
        self.check_own_limits(policy, now)
    }

    /// `exp` and `nbf` alone, for proofs whose `iat` a nonce stands in for.
    ///
    /// # Errors
    /// [`ProofError::Expired`] or [`ProofError::NotYetValid`].
    pub fn check_own_limits(&self, policy: &ProofPolicy, now: u64) -> Result<(), ProofError> {
        let skew = policy.clock_skew.as_secs();
        if let Some(exp) = self.exp.filter(|exp| now >= exp.saturating_add(skew)) {
            return Err(ProofError::Expired { ago: now.saturating_sub(exp) });
        }
        if let Some(nbf) = self.nbf.filter(|nbf| *nbf > now.saturating_add(skew)) {
            return Err(ProofError::NotYetValid { ahead: nbf.saturating_sub(now) });
        }
        Ok(())
    }

    /// The thumbprint of the key that made the proof.
    #[must_use]
    pub const fn thumbprint(&self) -> &JwkThumbprint {
        self.key.thumbprint()
    }

    /// `jti`, unescaped.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// `iat`, in seconds since the epoch.
    #[must_use]
    pub const fn issued_at(&self) -> u64 {
        self.iat
    }

    /// `nonce`.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

impl std::fmt::Debug for DpopProof<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DpopProof").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The claims that mean something in a proof, as they came.
#[derive(Default)]
struct Claims<'j> {
    jti: Claim<'j>,
    htm: Claim<'j>,
    htu: Claim<'j>,
    iat: Claim<'j>,
    exp: Claim<'j>,
    nbf: Claim<'j>,
    ath: Claim<'j>,
    nonce: Claim<'j>,
}

impl<'j> Claims<'j> {
    fn take(&mut self, name: &str, value: Json<'j>) {
        let claim = match name {
            "jti" => &mut self.jti,
            "htm" => &mut self.htm,
            "htu" => &mut self.htu,
            "iat" => &mut self.iat,
            "exp" => &mut self.exp,
            "nbf" => &mut self.nbf,
            "ath" => &mut self.ath,
            "nonce" => &mut self.nonce,
            _ => return,
        };
        *claim = value.into();
    }
}

impl From<WrongType> for ProofError {
    fn from(WrongType { claim, found }: WrongType) -> Self {
        Self::InvalidClaim { claim, found }
    }
}
