//! The errors of JWE. Reading keys gives precise errors, because the keys are configuration. Decrypting gives only one.

use std::fmt;

use crate::jose::{JwkError, Malformed};

/// A JWE cannot be decrypted with this server's keys, or its content is not what is expected. The reason is deliberately not
/// given: it would help an attacker to decrypt (RFC 7516 §11.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the JWE cannot be decrypted to a key")]
pub struct JweError;

/// Why a JWE cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// `dir` is allowed with A256GCM only.
    #[error("dir is allowed with A256GCM only")]
    Combination,
    /// The plaintext or the `kid` is so long that recipients would reject the JWE.
    #[error("the JWE is longer than recipients accept")]
    TooLarge,
    /// The crypto library failed, or the operating system returned no random bytes.
    #[error("encryption failed")]
    Failed,
}

/// Why a JWK cannot be used for JWE. Contains nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableKey {
    /// The entry is not an object.
    #[error("not a JSON object")]
    NotObject,
    /// `kid` is missing, not a string or empty.
    #[error("kid is missing")]
    Kid,
    /// An earlier key of the set has the same `kid`.
    #[error("an earlier key has the same kid")]
    DuplicateKid,
    /// `alg` is missing, not on the allowlist, or does not fit `kty`.
    #[error("alg is missing, not allowed, or does not fit kty")]
    Algorithm,
    /// `use` is not `enc`, or `key_ops` does not allow what the key is for.
    #[error("use or key_ops do not allow encryption")]
    Usage,
    /// The key is public. A private key is needed.
    #[error("a public key, where a private key is needed")]
    PublicOnly,
    /// A symmetric key does not have the 32 bytes of its algorithm.
    #[error("a symmetric key must have 32 bytes")]
    OctLength,
    /// The RSA modulus is shorter than 2048 or longer than 8192 bits, or even.
    #[error("the RSA modulus has fewer than 2048 or more than 8192 bits, or is even")]
    RsaModulus,
    /// The parts of the key do not belong together, or the crypto library rejects it.
    #[error("the parts of the key do not belong together")]
    Inconsistent,
    /// A member of the key is malformed.
    #[error("{0}")]
    Jwk(JwkError),
}

impl From<JwkError> for UnusableKey {
    fn from(error: JwkError) -> Self {
        match error {
            JwkError::RsaModulus => Self::RsaModulus,
            error => Self::Jwk(error),
        }
    }
}

/// Why a set of key-encryption keys is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyEncryptionKeysError {
    /// The set is not a JSON object without duplicate members, or exceeds a limit.
    Malformed(Malformed),
    /// `keys` is missing, not an array or empty.
    NoKeys,
    /// The set has more than 64 keys.
    TooMany,
    /// A key cannot be used. This is the first such key of the set.
    Key {
        /// The position in the `keys` array, from 0.
        index: usize,
        /// The `kid`, made safe for logs: the first 64 characters, with `?` for every character that is not printable ASCII.
        kid: Option<Box<str>>,
        /// Why the key cannot be used.
        reason: UnusableKey,
    },
}

impl fmt::Display for KeyEncryptionKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => write!(f, "malformed key set: {malformed}"),
            Self::NoKeys => f.write_str("no keys array, or an empty one"),
            Self::TooMany => f.write_str("more than 64 keys"),
            Self::Key { index, kid: Some(kid), reason } => write!(f, "keys[{index}] (kid {kid:?}): {reason}"),
            Self::Key { index, kid: None, reason } => write!(f, "keys[{index}]: {reason}"),
        }
    }
}

impl std::error::Error for KeyEncryptionKeysError {}

impl From<Malformed> for KeyEncryptionKeysError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}
