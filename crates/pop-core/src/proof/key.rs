//! The key that a proof names in its header (RFC 9449 §4.3 checks 4, 5 and 7).

use std::fmt;

use crate::ProofError;
use crate::error::Found;
use crate::jose::crypto::VerifyingKey;
use crate::jose::{
    Algorithm, HeaderError, JoseHeader, Json, JsonLimits, Jwk, JwkError, JwkThumbprint, Malformed, decode,
};
use crate::policy::ProofPolicy;

/// A proof's header, read once: algorithm, key and the key's thumbprint. A client sends the same header with every proof,
/// so whoever keeps what was read, by the header's bytes, need not read it again. Valid for the policy it was read under.
pub struct ProofKey {
    key: VerifyingKey,
    thumbprint: JwkThumbprint,
}

impl ProofKey {
    /// Reads the header of a compact JWS, still encoded. Unknown parameters are ignored.
    ///
    /// # Errors
    /// [`ProofError::Malformed`], [`ProofError::Header`] or [`ProofError::Key`].
    pub fn parse(header_segment: &str, policy: &ProofPolicy) -> Result<Self, ProofError> {
        let header = decode(header_segment).map_err(|_| Malformed::NotBase64url)?;
        let header = JoseHeader::parse::<ProofError>(&header, JsonLimits::PROOF)?;
        if header.typ().and_then(Json::as_str) != Some("dpop+jwt") {
            return Err(HeaderError::Type(Found::of(header.typ())).into());
        }
        if !policy.algorithms.contains(header.alg) {
            return Err(HeaderError::Algorithm.into());
        }
        let jwk = Jwk::parse(header.jwk().ok_or(JwkError::NotObject)?, policy.rsa)?;
        if !jwk.serves(header.alg) {
            return Err(JwkError::Algorithm.into());
        }
        let key = VerifyingKey::new(jwk.key(), header.alg, policy.backend)?;
        Ok(Self { key, thumbprint: jwk.key().thumbprint() })
    }

    /// `alg`.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// The key, imported for that algorithm.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The key's RFC 7638 thumbprint.
    #[must_use]
    pub const fn thumbprint(&self) -> &JwkThumbprint {
        &self.thumbprint
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofKey({}, {})", self.algorithm(), self.thumbprint)
    }
}
