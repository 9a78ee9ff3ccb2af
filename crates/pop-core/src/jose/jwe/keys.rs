//! A resource server's key-encryption keys: read from a JWK Set, selected by `kid`, published without private parts.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::algorithm::KeyManagement;
use super::error::{KeyEncryptionKeysError, UnusableKey};
use super::member;
use super::private_key::PrivateKey;
use crate::jose::jwks::{MAX_KEYS, reported_kid};
use crate::jose::{Json, JsonLimits, Object};

/// What a private key must be allowed to do, if it has `key_ops`.
const OPERATIONS: [&str; 4] = ["decrypt", "unwrapKey", "deriveKey", "deriveBits"];

/// Identifies a key-encryption key: its `kid`, its algorithm and the key itself. The same key has the same identity after it is
/// read again. `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyEncryptionKeyId([u8; 32]);

impl KeyEncryptionKeyId {
    fn of(kid: &str, alg: KeyManagement, key: &PrivateKey) -> Self {
        let mut hash = Sha256::new();
        let [first, second] = key.identity();
        for part in [kid.as_bytes(), alg.name().as_bytes(), first, second] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Debug for KeyEncryptionKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKeyId(..)")
    }
}

/// A key and what selects it.
pub(super) struct Entry {
    pub(super) id: KeyEncryptionKeyId,
    pub(super) key: PrivateKey,
    kid: Box<str>,
    alg: KeyManagement,
}

impl Entry {
    fn read(key: &Json<'_>) -> Result<Self, UnusableKey> {
        let object = key.as_object().ok_or(UnusableKey::NotObject)?;
        let (kid, alg) = member::kid_and_alg(object, &OPERATIONS)?;
        let key = PrivateKey::read(object, alg)?;
        Ok(Self { id: KeyEncryptionKeyId::of(&kid, alg, &key), key, kid, alg })
    }
}

/// The private keys that authorization servers encrypt symmetric keys for. Cheap to clone. `Debug` shows the `kid` and the
/// algorithm of each key.
///
/// ```
/// use pop_core::jose::{ContentEncryption, JsonLimits, KeyEncryptionKeys, Object, Recipient, SharedKey};
///
/// let jwk = r#"{"kty":"oct","kid":"2026-11","alg":"A256KW","k":"ZoRSOrFzN_FzUA5XKMYoVHyzff5oRJxl-IXRtztJ6uE"}"#;
/// let keys = KeyEncryptionKeys::parse(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes())?;
///
/// // The authorization server:
/// let recipient = Recipient::parse(&Object::parse(jwk.as_bytes(), JsonLimits::PROOF)?)?;
/// let key = SharedKey::new([7; 32])?; // in practice, random bytes
/// let jwe = recipient.encrypt(key.to_jwk().as_bytes(), ContentEncryption::A256Gcm)?;
///
/// // This server:
/// let unwrapped = keys.unwrap(&jwe)?;
/// assert!(unwrapped.key.verify(b"message", &key.sign(b"message")));
/// assert!(keys.contains(&unwrapped.kek));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Security
/// To rotate keys, add the new key, publish it, and remove the old one when the last token that was issued for it has expired.
/// Keys that were unwrapped with a removed key must no longer be used: compare [`UnwrappedKey::kek`](super::UnwrappedKey::kek)
/// with [`contains`](Self::contains).
#[derive(Clone, Default)]
pub struct KeyEncryptionKeys {
    entries: Arc<[Entry]>,
}

impl KeyEncryptionKeys {
    /// Reads a JWK Set with private keys. Each key has a unique `kid`, and the `alg` that it is used with:
    ///
    /// | `kty` | `alg` |
    /// |---|---|
    /// | `RSA`, 2048 to 8192 bits, with all of `d`, `p`, `q`, `dp`, `dq` and `qi` | `RSA-OAEP-256` |
    /// | `EC` on P-256, P-384 or P-521; `OKP` on X25519 | `ECDH-ES`, `ECDH-ES+A256KW` |
    /// | `oct`, 32 bytes | `A256KW`, `A256GCMKW`, `dir` |
    ///
    /// # Errors
    /// Any [`KeyEncryptionKeysError`]. One key that cannot be used is an error of the whole set, so that a mistake in the file is
    /// seen at once.
    pub fn parse(jwks: &[u8]) -> Result<Self, KeyEncryptionKeysError> {
        let document = Object::parse(jwks, JsonLimits::DOCUMENT)?;
        let keys = document.get("keys").and_then(Json::as_array).unwrap_or_default();
        if keys.is_empty() {
            return Err(KeyEncryptionKeysError::NoKeys);
        }
        if keys.len() > MAX_KEYS {
            return Err(KeyEncryptionKeysError::TooMany);
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let entry = Entry::read(key).and_then(|entry| {
                let duplicate = entries.iter().any(|earlier| earlier.kid == entry.kid);
                if duplicate { Err(UnusableKey::DuplicateKid) } else { Ok(entry) }
            });
            let rejected = |reason| KeyEncryptionKeysError::Key { index, kid: reported_kid(key), reason };
            entries.push(entry.map_err(rejected)?);
        }
        Ok(Self { entries: entries.into() })
    }

    /// Returns whether the set has this key.
    #[must_use]
    pub fn contains(&self, id: &KeyEncryptionKeyId) -> bool {
        self.entries.iter().any(|entry| entry.id == *id)
    }

    /// Returns the public keys as a JWK Set: what a resource server publishes at its `jwks_uri` (RFC 9728 §2). Each has `kid`,
    /// `alg` and `"use":"enc"`. Symmetric keys are left out.
    #[must_use]
    pub fn public_jwks(&self) -> String {
        let keys = self.entries.iter().filter_map(|entry| {
            let mut jwk = entry.key.public_jwk()?;
            for (name, value) in [("kid", &*entry.kid), ("alg", entry.alg.name()), ("use", "enc")] {
                jwk.insert(name.to_owned(), value.into());
            }
            Some(Value::Object(jwk))
        });
        json!({ "keys": keys.collect::<Vec<_>>() }).to_string()
    }

    /// Returns the number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no keys. Only the default is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the key with this `kid`, if it is for this algorithm.
    pub(super) fn find(&self, kid: &str, alg: KeyManagement) -> Option<&Entry> {
        self.entries.iter().find(|entry| *entry.kid == *kid && entry.alg == alg)
    }
}

impl fmt::Debug for KeyEncryptionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKeys ")?;
        f.debug_map().entries(self.entries.iter().map(|entry| (&entry.kid, entry.alg))).finish()
    }
}
