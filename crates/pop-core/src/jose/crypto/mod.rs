//! Signature verification with one of two libraries. Both run behind the same checks.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(feature = "aws-lc-rs")]
mod der;
mod ed25519;
#[cfg(feature = "rust-crypto")]
mod rust_crypto;

use std::fmt;

use super::{Algorithm, JwkError, PublicKey};

#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
compile_error!("pop-core needs one of the features `aws-lc-rs` (default) and `rust-crypto`");

/// The library that verifies signatures. Both accept and reject the same input, except that only `aws-lc-rs` has ML-DSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CryptoBackend {
    /// AWS-LC, through `aws-lc-rs`. The default if it is compiled in.
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs,
    /// The pure Rust crates `p256`, `p384`, `p521`, `rsa` and `ed25519-dalek`.
    #[cfg(feature = "rust-crypto")]
    RustCrypto,
}

impl CryptoBackend {
    /// The backends that are compiled in. The default comes first.
    pub const COMPILED_IN: &'static [Self] = &[
        #[cfg(feature = "aws-lc-rs")]
        Self::AwsLcRs,
        #[cfg(feature = "rust-crypto")]
        Self::RustCrypto,
    ];

    /// Returns whether the backend verifies signatures of an algorithm. The exception is ML-DSA, which only `aws-lc-rs`
    /// verifies.
    #[must_use]
    pub const fn verifies(self, algorithm: Algorithm) -> bool {
        let has_ml_dsa = match self {
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs => true,
            #[cfg(feature = "rust-crypto")]
            Self::RustCrypto => false,
        };
        has_ml_dsa || !algorithm.is_ml_dsa()
    }
}

/// Returns `aws-lc-rs` if it is compiled in, even if other backends are, too.
impl Default for CryptoBackend {
    fn default() -> Self {
        #[cfg(feature = "aws-lc-rs")]
        return Self::AwsLcRs;
        #[cfg(not(feature = "aws-lc-rs"))]
        return Self::RustCrypto;
    }
}

/// The signature does not verify. The reason is deliberately not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// A public key that is imported for exactly one algorithm (RFC 8725 §3.1). Cheap to clone, `Send` and `Sync`.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    signature_len: usize,
    inner: Inner,
}

#[derive(Clone)]
enum Inner {
    #[cfg(feature = "aws-lc-rs")]
    AwsLc(aws_lc::Key),
    #[cfg(feature = "rust-crypto")]
    RustCrypto(rust_crypto::Key),
}

impl VerifyingKey {
    /// Imports a key for an algorithm.
    ///
    /// # Errors
    /// [`JwkError::Algorithm`] if the kind of key does not fit the algorithm, or the backend does not verify it.
    /// [`JwkError::Point`] if a point is not on its curve, is not canonical or has a small order, or if the library rejects the
    /// key.
    pub fn new(key: &PublicKey, algorithm: Algorithm, backend: CryptoBackend) -> Result<Self, JwkError> {
        if key.family() != algorithm.family() || !backend.verifies(algorithm) {
            return Err(JwkError::Algorithm);
        }
        let signature_len = match key {
            PublicKey::Ec(point) => 2 * point.curve().coordinate_len(),
            PublicKey::Rsa { n, .. } => n.len(),
            PublicKey::Ed25519(point) => {
                if !ed25519::is_canonical(point) || ed25519::is_small_order(point) {
                    return Err(JwkError::Point);
                }
                64
            }
            #[cfg(feature = "ml-dsa")]
            PublicKey::MlDsa(key) => key.parameter_set().signature_len(),
        };
        let inner = match backend {
            #[cfg(feature = "aws-lc-rs")]
            CryptoBackend::AwsLcRs => Inner::AwsLc(aws_lc::Key::import(key, algorithm).ok_or(JwkError::Point)?),
            #[cfg(feature = "rust-crypto")]
            CryptoBackend::RustCrypto => {
                Inner::RustCrypto(rust_crypto::Key::import(key, algorithm).ok_or(JwkError::Point)?)
            }
        };
        Ok(Self { algorithm, signature_len, inner })
    }

    /// Returns the algorithm of the key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Verifies a JWS signature over the signing input.
    ///
    /// # Errors
    /// [`BadSignature`] if the signature does not verify, or does not have the exact length of the algorithm (RFC 7518 §3.4).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        if signature.len() != self.signature_len {
            return Err(BadSignature);
        }
        if matches!(self.algorithm, Algorithm::Ed25519 | Algorithm::EdDSA)
            && !ed25519::is_acceptable_signature(signature)
        {
            return Err(BadSignature);
        }
        let valid = match &self.inner {
            #[cfg(feature = "aws-lc-rs")]
            Inner::AwsLc(key) => key.verify(message, signature),
            #[cfg(feature = "rust-crypto")]
            Inner::RustCrypto(key) => key.verify(message, signature),
        };
        if valid { Ok(()) } else { Err(BadSignature) }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.algorithm)
    }
}
