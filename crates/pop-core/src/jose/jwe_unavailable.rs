//! What stands for encrypted keys in a build without `aws-lc-rs`: no key-encryption key can be read, so that nothing is ever
//! unwrapped. Private-key operations of the pure Rust crate `rsa` leak the key through their timing (RUSTSEC-2023-0071).

use super::SharedKey;

/// No key-encryption keys: this build cannot decrypt.
#[derive(Debug, Clone)]
pub enum KeyEncryptionKeys {}

/// This build cannot decrypt keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("encrypted keys need the feature `aws-lc-rs`")]
pub struct KeyEncryptionKeysError;

/// Identifies a key-encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEncryptionKeyId {}

/// A key that was unwrapped.
#[derive(Debug)]
pub struct UnwrappedKey {
    /// The key.
    pub key: SharedKey,
    /// The key-encryption key that unwrapped it.
    pub kek: KeyEncryptionKeyId,
}

impl KeyEncryptionKeys {
    /// Fails: this build cannot decrypt.
    ///
    /// # Errors
    /// [`KeyEncryptionKeysError`], always.
    pub fn parse(_: &[u8]) -> Result<Self, KeyEncryptionKeysError> {
        Err(KeyEncryptionKeysError)
    }

    /// Unwraps a key: there is none that could.
    ///
    /// # Errors
    /// Never returns.
    pub fn unwrap(&self, _: &str) -> Result<UnwrappedKey, KeyEncryptionKeysError> {
        match *self {}
    }

    /// Returns whether a key is among these.
    #[must_use]
    pub fn contains(&self, _: &KeyEncryptionKeyId) -> bool {
        match *self {}
    }

    /// Returns the public halves of the keys.
    #[must_use]
    pub fn public_jwks(&self) -> String {
        match *self {}
    }
}
