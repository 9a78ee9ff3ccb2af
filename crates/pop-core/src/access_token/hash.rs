//! The hash of an access token.

use crate::hash::sha256;

/// SHA-256 of an access token as received: the value behind `ath` (RFC 9449 §4.2), and the key of token caches.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessTokenHash([u8; 32]);

impl AccessTokenHash {
    /// Hashes the characters of the token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(sha256(token.as_bytes()))
    }

    /// Returns the digest.
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
