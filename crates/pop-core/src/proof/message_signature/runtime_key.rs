//! Keys in signatures themselves: `alg` and `pub` (draft-richer-oauth-httpsig).

use super::MessageSignature;
use super::base::registered_name;
use crate::SignatureError;
use crate::jose::crypto::{CryptoBackend, VerifyingKey};
use crate::jose::{Algorithm, EcPoint, Family, PublicKey};

/// The algorithms whose keys `pub` can hold.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Ed25519, Algorithm::ES256, Algorithm::ES384];

/// A public key that a signature brings along, with its algorithm.
///
/// | `alg` | `pub` |
/// |---|---|
/// | `ed25519` | the 32 bytes of the key (RFC 8032 §5.1.5) |
/// | `ecdsa-p256-sha256` | the uncompressed point (SEC 1 §2.3.3): 65 bytes |
/// | `ecdsa-p384-sha384` | the uncompressed point: 97 bytes |
///
/// Other algorithms have no encoding.
///
/// # Security
/// The key proves possession of itself, and nothing else: it is not the key of any particular client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeKey {
    key: PublicKey,
    algorithm: Algorithm,
}

impl RuntimeKey {
    /// Takes a key and its algorithm. `EdDSA` counts as Ed25519.
    ///
    /// # Errors
    /// [`SignatureError::Algorithm`] if the algorithm has no encoding, or the key does not fit it.
    pub fn new(key: PublicKey, algorithm: Algorithm) -> Result<Self, SignatureError> {
        let known = ALGORITHMS.into_iter().find(|known| known.is_same_as(algorithm));
        let algorithm = known.filter(|known| known.family() == key.family()).ok_or(SignatureError::Algorithm)?;
        Ok(Self { key, algorithm })
    }

    /// Reads the values of `alg` and `pub`. Whether a point is on its curve is not checked here, but in
    /// [`verifying_key`](Self::verifying_key).
    ///
    /// # Errors
    /// [`SignatureError::Algorithm`] if the algorithm is unknown or has no encoding. [`SignatureError::InvalidParameter`]
    /// if the key has another length or form.
    pub fn parse(alg: &str, bytes: &[u8]) -> Result<Self, SignatureError> {
        let known = ALGORITHMS.into_iter().find(|known| registered_name(*known) == Some(alg));
        let algorithm = known.ok_or(SignatureError::Algorithm)?;
        let key = match algorithm.family() {
            Family::Ec(curve) => EcPoint::from_sec1(curve, bytes).map(PublicKey::Ec),
            Family::Ed25519 => bytes.try_into().ok().map(PublicKey::Ed25519),
            _ => None,
        };
        Ok(Self { key: key.ok_or(INVALID)?, algorithm })
    }

    /// Returns the key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Imports the key.
    ///
    /// # Errors
    /// [`SignatureError::InvalidParameter`] if the point is not on its curve, is not canonical or has a small order.
    pub fn verifying_key(&self, backend: CryptoBackend) -> Result<VerifyingKey, SignatureError> {
        VerifyingKey::new(&self.key, self.algorithm, backend).map_err(|_| INVALID)
    }

    /// Returns the value of `alg`.
    #[must_use]
    pub fn alg(&self) -> &'static str {
        registered_name(self.algorithm).unwrap_or_default()
    }

    /// Returns the value of `pub`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.key {
            PublicKey::Ec(point) => point.as_sec1(),
            PublicKey::Ed25519(bytes) => bytes,
            _ => &[], // no `RuntimeKey` has one
        }
    }
}

const INVALID: SignatureError = SignatureError::InvalidParameter("pub");

impl MessageSignature<'_> {
    /// Returns the key that the signature brings along, or `None` if it has none. Only signatures of
    /// [`SignatureProfile::TokenRequest`](super::SignatureProfile::TokenRequest) without `keyid` have one.
    ///
    /// # Errors
    /// As for [`RuntimeKey::parse`].
    pub fn runtime_key(&self) -> Result<Option<RuntimeKey>, SignatureError> {
        let parameters = self.signatures.first().map(|signature| &signature.parameters);
        let values = parameters.and_then(|parameters| parameters.alg().zip(parameters.public_key()));
        values.map(|(alg, bytes)| RuntimeKey::parse(alg, bytes)).transpose()
    }
}
