//! What a replay store is asked, and the evidence it gives back (RFC 9449 §11.1).

use std::fmt;

use sha2::{Digest, Sha256};

use crate::jose::JwkThumbprint;
use crate::target::RequestTarget;

/// Identifies one use of one key: SHA-256 over the key's thumbprint, the canonical target and the `jti` as unescaped.
/// Spellings of `htu`, `htm` or of the proof's bytes never enter, so that none of them gives a second key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    /// The key of a DPoP proof.
    #[must_use]
    pub fn dpop(jkt: &JwkThumbprint, target: &RequestTarget<'_>, jti: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"dpop\0");
        hash.update(jkt.as_bytes());
        hash.update(target.origin().as_str());
        hash.update(target.path());
        hash.update([0]); // no URI holds a NUL
        hash.update(jti);
        Self(hash.finalize().into())
    }

    /// A digest over everything that identifies the use, made elsewhere: for tests of stores. It must be as good as random.
    #[must_use]
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
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
    /// A client of an issuer, with all its keys.
    #[must_use]
    pub fn client(issuer: &str, client_id: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"client\0");
        hash.update((issuer.len() as u64).to_be_bytes());
        hash.update(issuer);
        hash.update(client_id);
        Self(hash.finalize().into())
    }

    /// The digest.
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

/// One proof to be remembered. All times are seconds since the epoch.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ReplayEntry {
    /// What must be used only once.
    pub key: ReplayKey,
    /// Whose proof it is: quotas are counted by this. For one and the same proof it is always the same.
    pub client: QuotaOwner,
    /// The proof's `iat`, or the present where a nonce stands in for it.
    pub issued_at: u64,
    /// From this second on the proof is refused for its age, so that it need not be remembered.
    pub expires_at: u64,
    /// The present, by the clock that judged the proof.
    pub now: u64,
}

impl ReplayEntry {
    /// An entry; `expires_at` is `issued_at + lifetime`.
    #[must_use]
    pub fn new(key: ReplayKey, client: impl Into<QuotaOwner>, issued_at: u64, lifetime: u64, now: u64) -> Self {
        Self::until(key, client, issued_at, issued_at.saturating_add(lifetime), now)
    }

    /// An entry that must be remembered until this second. For one and the same proof it must always be the same second.
    #[must_use]
    pub fn until(key: ReplayKey, client: impl Into<QuotaOwner>, issued_at: u64, expires_at: u64, now: u64) -> Self {
        Self { key, client: client.into(), issued_at, expires_at, now }
    }
}

/// Evidence that a store has recorded an entry which it did not hold before. It is asserted in words, never made by
/// accident:
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
    /// Asserts that the entry was not in the store and now is, in one atomic step. To be called by replay stores only:
    /// whoever calls it without that lets proofs be replayed.
    #[must_use]
    pub const fn assertion() -> Self {
        Self(())
    }
}
