//! Symmetric proof-of-possession keys, and the one algorithm that they are used with: HMAC with SHA-256 (RFC 2104).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A symmetric key that the authorization server gave to one client and this resource server. It is erased from memory when it is
/// dropped. `Debug` shows nothing of it.
///
/// # Security
/// Whoever can verify with such a key can also sign with it: this server can forge requests of its clients (RFC 9421 §7.3.3).
pub struct SharedKey {
    bytes: Zeroizing<Box<[u8]>>,
    id: [u8; 32],
}

/// A symmetric key is shorter than the hash of its algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key is shorter than 32 bytes")]
pub struct KeyTooShort;

impl SharedKey {
    /// The minimum length of a key in bytes: that of the hash (RFC 7518 §3.2).
    pub const MIN_LEN: usize = 32;

    /// Takes the bytes of a key.
    ///
    /// # Errors
    /// [`KeyTooShort`] for fewer than [`MIN_LEN`](Self::MIN_LEN) bytes.
    pub fn new(key: impl Into<Box<[u8]>>) -> Result<Self, KeyTooShort> {
        let key = Zeroizing::new(key.into());
        if key.len() < Self::MIN_LEN {
            return Err(KeyTooShort);
        }
        let mut key = Self { bytes: key, id: [0; 32] };
        key.id = key.sign(b"poplayer key id");
        Ok(key)
    }

    /// Returns the HMAC of a message with SHA-256.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.mac(message).finalize().into_bytes().into()
    }

    /// Returns whether `mac` is the whole HMAC of the message with SHA-256. The comparison takes constant time.
    #[must_use]
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        self.mac(message).verify_slice(mac).is_ok()
    }

    /// Identifies the key without revealing it: for replay stores.
    #[must_use]
    pub const fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// Returns the bytes of the key.
    ///
    /// # Security
    /// Only for encrypting the key to its recipient.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.bytes).unwrap_or_else(|_| unreachable!("HMAC takes any key"));
        mac.update(message);
        mac
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SYM-05, SYM-09: keys of 32 bytes or more, and whole MACs only.
    #[test]
    fn verifies_whole_macs_with_keys_of_sufficient_length() {
        assert!(SharedKey::new([7; 31]).is_err());
        let key = SharedKey::new([7; 32]).unwrap();
        let mac = key.sign(b"message");
        assert!(key.verify(b"message", &mac));
        assert!(!key.verify(b"massage", &mac));
        assert!(!key.verify(b"message", &mac[..31]));
        assert!(!key.verify(b"message", &[]));
        assert!(!SharedKey::new([8; 32]).unwrap().verify(b"message", &mac));
        assert_eq!(format!("{key:?}"), "SharedKey(..)");
    }
}
