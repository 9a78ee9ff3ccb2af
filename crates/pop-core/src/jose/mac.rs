//! Symmetric proof-of-possession keys, and the one algorithm that they are used with: HMAC with SHA-256 (RFC 2104).

use std::fmt;

use zeroize::Zeroizing;

#[cfg(feature = "aws-lc-rs")]
use self::aws_lc::Hmac;
#[cfg(not(feature = "aws-lc-rs"))]
use self::rust_crypto::Hmac;

/// A symmetric key that the authorization server gave to one client and this resource server. It is erased from memory when it is
/// dropped. `Debug` shows nothing of it.
///
/// # Security
/// A server that can verify with such a key can also sign with it: it can forge requests of its clients (RFC 9421 §7.3.3).
pub struct SharedKey {
    bytes: Zeroizing<Box<[u8]>>,
    hmac: Hmac,
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
        let hmac = Hmac::new(&key);
        let id = hmac.sign(&key, b"poplayer key id");
        Ok(Self { bytes: key, hmac, id })
    }

    /// Returns the HMAC of a message with SHA-256.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.hmac.sign(&self.bytes, message)
    }

    /// Returns whether `mac` is the whole HMAC of the message with SHA-256. The comparison takes constant time.
    #[must_use]
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        self.hmac.verify(&self.bytes, message, mac)
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
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey(..)")
    }
}

/// On processors without instructions for SHA-256, it needs half of the instructions of the crate `hmac`.
#[cfg(feature = "aws-lc-rs")]
mod aws_lc {
    use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};

    /// The key after its first block. It is erased when it is dropped, and boxed so that moving it leaves no copy behind.
    pub(super) struct Hmac(Box<Key>);

    impl Hmac {
        pub(super) fn new(key: &[u8]) -> Self {
            Self(Box::new(Key::new(HMAC_SHA256, key)))
        }

        pub(super) fn sign(&self, _: &[u8], message: &[u8]) -> [u8; 32] {
            let mac = hmac::sign(&self.0, message);
            mac.as_ref().try_into().unwrap_or_else(|_| unreachable!("a MAC of 32 bytes"))
        }

        pub(super) fn verify(&self, _: &[u8], message: &[u8], mac: &[u8]) -> bool {
            hmac::verify(&self.0, message, mac).is_ok()
        }
    }
}

#[cfg(not(feature = "aws-lc-rs"))]
mod rust_crypto {
    use hmac::{KeyInit, Mac};
    use sha2::Sha256;

    /// Nothing of the key: the crate `hmac` would not erase it.
    pub(super) struct Hmac;

    impl Hmac {
        pub(super) const fn new(_: &[u8]) -> Self {
            Self
        }

        pub(super) fn sign(&self, key: &[u8], message: &[u8]) -> [u8; 32] {
            mac(key, message).finalize().into_bytes().into()
        }

        pub(super) fn verify(&self, key: &[u8], message: &[u8], expected: &[u8]) -> bool {
            mac(key, message).verify_slice(expected).is_ok()
        }
    }

    fn mac(key: &[u8], message: &[u8]) -> hmac::Hmac<Sha256> {
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes any key"));
        mac.update(message);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::base64url;

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

    /// The MAC of RFC 4231 §4.7, whose key is longer than a block.
    #[test]
    fn signs_as_the_test_vector_says() {
        let key = SharedKey::new([0xaa; 131]).unwrap();
        let mac = key.sign(b"Test Using Larger Than Block-Size Key - Hash Key First");
        let expected = "YOQxWR7gtn8Niiaqy_W3f44LxiE3KMUUBUYEDw7jf1Q";
        assert_eq!(base64url::encode(mac), expected);
    }
}
