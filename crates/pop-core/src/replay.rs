//! What a replay store records, and the evidence that it returns (RFC 9449 §11.1).

use std::fmt;

use crate::hash::sha256_of;
use crate::jose::JwkThumbprint;
use crate::target::RequestTarget;

/// Identifies one use of one key: SHA-256 over the thumbprint of the key, the canonical target and the unescaped `jti`. Other
/// encodings of `htu`, `htm` or the proof result in the same key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    /// Returns the key of a DPoP proof.
    #[must_use]
    pub fn dpop(jkt: &JwkThumbprint, target: &RequestTarget<'_>, jti: impl AsRef<[u8]>) -> Self {
        let (origin, path) = (target.origin().as_str().as_bytes(), target.path().as_bytes());
        Self(sha256_of(&[b"dpop\0", jkt.as_bytes(), origin, path, b"\0", jti.as_ref()])) // no URI holds a NUL
    }

    /// Returns the key of the `nonce` or `jti` that a client gave a proof over its request. `key` identifies the key of the
    /// proof.
    #[must_use]
    pub fn signature(key: &[u8; 32], nonce: &str) -> Self {
        Self(sha256_of(&[b"nonce\0", key, nonce.as_bytes()]))
    }

    /// Returns the key of a signed HTTP request without a nonce of its own: what it signs is accepted once.
    #[must_use]
    pub fn envelope(key: &[u8; 32], signing_input: &[u8]) -> Self {
        Self(sha256_of(&[b"input\0", key, signing_input]))
    }

    /// Takes a digest over everything that identifies the use, for tests of stores. It must look random.
    #[must_use]
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Returns the digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplayKey(..)")
    }
}

/// Whose share of a store an entry counts against: a key, or a client of an issuer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct QuotaOwner([u8; 32]);

impl QuotaOwner {
    /// Returns the owner for a client of an issuer, with all its keys.
    #[must_use]
    pub fn client(issuer: &str, client_id: &str) -> Self {
        let length = (issuer.len() as u64).to_be_bytes();
        Self(sha256_of(&[b"client\0", &length, issuer.as_bytes(), client_id.as_bytes()]))
    }

    /// Returns the owner for a key: the thumbprint of a public key, or [`SharedKey::id`](crate::jose::SharedKey::id).
    #[must_use]
    pub const fn key(id: [u8; 32]) -> Self {
        Self(id)
    }

    /// Returns the digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The key of a DPoP proof.
impl From<JwkThumbprint> for QuotaOwner {
    fn from(jkt: JwkThumbprint) -> Self {
        Self(*jkt.as_bytes())
    }
}

impl fmt::Debug for QuotaOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuotaOwner(..)")
    }
}

/// The times of a [`ReplayEntry`], in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayTimes {
    /// `iat` of the proof, or the current time if a nonce replaces it.
    pub issued_at: u64,
    /// The first second in which the proof is rejected for its age. It must be remembered until then. For one proof it must
    /// always be the same second.
    pub expires_at: u64,
    /// The current time, by the clock that the proof was verified with.
    pub now: u64,
}

/// One proof to remember.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ReplayEntry {
    /// What must be used only once.
    pub key: ReplayKey,
    /// Whose proof it is: quotas count by this. For one proof it is always the same.
    pub client: QuotaOwner,
    /// `iat` of the proof, or the current time if a nonce replaces it, in seconds since the epoch.
    pub issued_at: u64,
    /// The first second in which the proof is rejected for its age, in seconds since the epoch. It must be remembered until then.
    pub expires_at: u64,
    /// The current time, by the clock that the proof was verified with, in seconds since the epoch.
    pub now: u64,
}

impl ReplayEntry {
    /// Creates an entry.
    #[must_use]
    pub fn new(key: ReplayKey, client: impl Into<QuotaOwner>, times: ReplayTimes) -> Self {
        let ReplayTimes { issued_at, expires_at, now } = times;
        Self { key, client: client.into(), issued_at, expires_at, now }
    }
}

/// Evidence that a store recorded an entry that it did not hold before. It is asserted in words, never made by accident:
///
/// ```
/// let _ = pop_core::replay::FirstUse::assertion();
/// ```
///
/// ```compile_fail
/// let _ = pop_core::replay::FirstUse(());
/// ```
#[derive(Debug)]
pub struct FirstUse(());

impl FirstUse {
    /// Asserts that the entry was not in the store and now is, in one atomic step.
    ///
    /// # Security
    /// Only replay stores may call this. Without a recorded entry, proofs can be replayed.
    #[must_use]
    pub const fn assertion() -> Self {
        Self(())
    }
}
