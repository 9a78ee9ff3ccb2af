//! The key in the header of a proof (RFC 9449 §4.3, checks 4, 5 and 7).

use std::fmt;
use std::sync::Arc;

use crate::DpopError;
use crate::jose::crypto::VerifyingKey;
use crate::jose::{
    Algorithm, Found, HeaderError, JoseHeader, Json, JsonLimits, Jwk, JwkError, JwkThumbprint, Malformed, decode,
};
use crate::policy::DpopPolicy;

/// The parsed header of a proof: algorithm, key, and the thumbprint of the key. It is valid for the policy that it was parsed
/// under.
pub struct ProofKey {
    key: VerifyingKey,
    thumbprint: JwkThumbprint,
}

impl ProofKey {
    /// Parses the encoded header of a compact JWS. Unknown parameters are ignored.
    ///
    /// # Errors
    /// [`DpopError::Malformed`], [`DpopError::Header`] or [`DpopError::Key`].
    pub fn parse(header_segment: &str, policy: &DpopPolicy) -> Result<Self, DpopError> {
        let header = decode(header_segment).map_err(|_| Malformed::NotBase64url)?;
        let header = JoseHeader::parse::<DpopError>(&header, JsonLimits::PROOF)?;
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

    /// Returns `alg`.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// Returns the key, imported for that algorithm.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Returns the RFC 7638 thumbprint of the key.
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

/// Parsed headers by their encoded form. A client sends the same header with every proof, and parsing it costs more than
/// the rest of the proof: base64, JSON, a thumbprint, and the import of a key.
///
/// An implementation must return a key only for the exact string that it was parsed from, under the same policy.
pub trait ProofKeyCache {
    /// Returns the key of an encoded header, if it is known.
    fn get(&self, header: &str) -> Option<Arc<ProofKey>>;
}

/// A cache that is always empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProofKeyCache;

impl ProofKeyCache for NoProofKeyCache {
    fn get(&self, _: &str) -> Option<Arc<ProofKey>> {
        None
    }
}
