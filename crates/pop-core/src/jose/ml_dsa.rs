//! ML-DSA keys (FIPS 204): JWKs with `"kty":"AKP"` (RFC 9964). Requires the feature `ml-dsa`.
//!
//! 1. The algorithm is part of the key: `alg` is required, and the key serves this algorithm only (RFC 9964 §3).
//! 2. A public key has the exact length of its parameter set. Every string of this length is a valid key.
//! 3. Signatures are of "pure" ML-DSA with an empty context string (RFC 9964 §5), and have the exact length of the set.

use std::fmt;

use super::{Malformed, base64url};

/// A parameter set of ML-DSA (FIPS 204 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MlDsa {
    /// ML-DSA-44, of security category 2.
    MlDsa44,
    /// ML-DSA-65, of security category 3.
    MlDsa65,
    /// ML-DSA-87, of security category 5.
    MlDsa87,
}

impl MlDsa {
    /// Returns the registered name of the algorithm (RFC 9964 §5).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::MlDsa44, Self::MlDsa65, Self::MlDsa87].into_iter().find(|set| set.name() == name)
    }

    /// Returns the length of a public key, in bytes.
    #[must_use]
    pub const fn public_key_len(self) -> usize {
        match self {
            Self::MlDsa44 => 1312,
            Self::MlDsa65 => 1952,
            Self::MlDsa87 => 2592,
        }
    }

    /// Returns the length of a signature, in bytes.
    #[must_use]
    pub const fn signature_len(self) -> usize {
        match self {
            Self::MlDsa44 => 2420,
            Self::MlDsa65 => 3309,
            Self::MlDsa87 => 4627,
        }
    }

    /// Returns the length of a signature as a segment of a compact JWS.
    pub(super) const fn signature_segment_len(self) -> usize {
        base64url::encoded_len(self.signature_len())
    }

    /// Returns the length of a public key within the header of a JWS: it is encoded as a member of the JWK, and again with the
    /// header.
    pub(super) const fn embedded_key_len(self) -> usize {
        base64url::encoded_len(base64url::encoded_len(self.public_key_len()))
    }
}

/// The public key of ML-DSA, of the exact length of its parameter set.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MlDsaPublicKey {
    set: MlDsa,
    bytes: Box<[u8]>,
}

impl MlDsaPublicKey {
    /// Decodes the member `pub` of a JWK. A string of another length is rejected before it is decoded.
    pub(super) fn decode(set: MlDsa, text: &str) -> Result<Self, Malformed> {
        if text.len() != base64url::encoded_len(set.public_key_len()) {
            return Err(Malformed::NotBase64url);
        }
        let bytes = base64url::decode(text)?;
        let is_whole = bytes.len() == set.public_key_len();
        is_whole.then(|| Self { set, bytes: bytes.into() }).ok_or(Malformed::NotBase64url)
    }

    /// Returns the parameter set.
    #[must_use]
    pub const fn parameter_set(&self) -> MlDsa {
        self.set
    }

    /// Returns the encoded key (FIPS 204 §7.2): the value of `pub`, decoded.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for MlDsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MlDsaPublicKey({})", self.set.name())
    }
}
