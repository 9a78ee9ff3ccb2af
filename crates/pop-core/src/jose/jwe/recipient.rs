//! Encryption to a JWE (RFC 7516 §5.1), for authorization servers.

use std::fmt;

use aws_lc_rs::rand;
use aws_lc_rs::rsa::OaepPublicEncryptingKey;
use serde_json::{Map, Value};

use super::agreement::{PublicPoint, derive};
use super::algorithm::{ContentEncryption, KeyManagement};
use super::compact::{MAX_CIPHERTEXT, MAX_HEADER, MAX_LEN};
use super::error::{EncryptError, UnusableKey};
use super::{Key, content, key_wrap, member, oaep};
use crate::jose::{Object, base64url};

/// What a public key must be allowed to do, if it has `key_ops`.
const OPERATIONS: [&str; 4] = ["encrypt", "wrapKey", "deriveKey", "deriveBits"];

/// A key that content is encrypted for: the public key of a resource server or a client, or a key that is shared with it.
/// `Debug` shows the `kid` and the algorithm.
pub struct Recipient {
    kid: Box<str>,
    alg: KeyManagement,
    key: RecipientKey,
}

enum RecipientKey {
    Rsa(OaepPublicEncryptingKey),
    Agreement(PublicPoint),
    Oct(Key),
}

impl Recipient {
    /// Reads a public JWK, or a symmetric one, with `kid` and `alg`. The kinds of keys are those of
    /// [`KeyEncryptionKeys::parse`](super::KeyEncryptionKeys::parse).
    ///
    /// # Errors
    /// Any [`UnusableKey`] that concerns one key. A key pair is rejected: the private half does not belong here.
    pub fn parse(object: &Object<'_>) -> Result<Self, UnusableKey> {
        let (kid, alg) = member::kid_and_alg(object, &OPERATIONS)?;
        let key = match alg {
            KeyManagement::RsaOaep256 => RecipientKey::Rsa(oaep::read_public(object)?),
            KeyManagement::EcdhEs | KeyManagement::EcdhEsA256Kw => {
                let point = PublicPoint::read_public(object)?;
                if !point.is_valid() {
                    return Err(UnusableKey::Inconsistent);
                }
                RecipientKey::Agreement(point)
            }
            KeyManagement::A256Kw | KeyManagement::A256GcmKw | KeyManagement::Dir => {
                RecipientKey::Oct(member::oct_key(object)?)
            }
        };
        Ok(Self { kid, alg, key })
    }

    /// Returns the `kid` of the key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the algorithm of the key.
    #[must_use]
    pub const fn algorithm(&self) -> KeyManagement {
        self.alg
    }

    /// Encrypts content to a compact JWE. For a symmetric proof-of-possession key, the content is
    /// [`SharedKey::to_jwk`](crate::jose::SharedKey::to_jwk).
    ///
    /// # Errors
    /// Any [`EncryptError`].
    pub fn encrypt(&self, plaintext: &[u8], enc: ContentEncryption) -> Result<String, EncryptError> {
        if !self.alg.allows(enc) {
            return Err(EncryptError::Combination);
        }
        if plaintext.len() >= MAX_CIPHERTEXT {
            return Err(EncryptError::TooLarge);
        }
        let mut header = Map::new();
        for (name, value) in [("alg", self.alg.name()), ("enc", enc.name()), ("kid", &*self.kid)] {
            header.insert(name.to_owned(), value.into());
        }
        let (key, encrypted_key) = self.content_key(enc, &mut header).ok_or(EncryptError::Failed)?;
        let header = Value::Object(header).to_string();
        if header.len() > MAX_HEADER {
            return Err(EncryptError::TooLarge);
        }
        let header = base64url::encode(header);
        let body = content::encrypt(enc, &key, header.as_bytes(), plaintext).ok_or(EncryptError::Failed)?;
        let [encrypted_key, iv, ciphertext, tag] =
            [&encrypted_key, &body.iv, &body.ciphertext, &body.tag[..]].map(base64url::encode);
        let jwe = [header, encrypted_key, iv, ciphertext, tag].join(".");
        if jwe.len() > MAX_LEN { Err(EncryptError::TooLarge) } else { Ok(jwe) }
    }

    /// Makes a content key. Returns it with its encryption, and adds what the recipient needs to the header.
    fn content_key(&self, enc: ContentEncryption, header: &mut Map<String, Value>) -> Option<(Key, Vec<u8>)> {
        let random = || {
            let mut key = Key::default();
            rand::fill(key.as_mut_slice()).ok().map(|()| key)
        };
        match &self.key {
            RecipientKey::Rsa(public) => {
                let key = random()?;
                let encrypted = oaep::encrypt(public, &key)?;
                Some((key, encrypted))
            }
            RecipientKey::Agreement(public) => {
                let (private, epk) = public.generate_peer()?;
                header.insert("epk".to_owned(), epk.to_jwk().into());
                if self.alg == KeyManagement::EcdhEs {
                    return Some((derive(&private, public, enc.name(), &[], &[])?, Vec::new()));
                }
                let (key, kek) = (random()?, derive(&private, public, self.alg.name(), &[], &[])?);
                let wrapped = key_wrap::wrap(&kek, &key)?;
                Some((key, wrapped))
            }
            RecipientKey::Oct(shared) if self.alg == KeyManagement::Dir => Some((shared.clone(), Vec::new())),
            RecipientKey::Oct(kek) if self.alg == KeyManagement::A256GcmKw => {
                let key = random()?;
                let (sealed, wrapped) = key_wrap::wrap_gcm(kek, &key)?;
                header.insert("iv".to_owned(), base64url::encode(sealed.iv).into());
                header.insert("tag".to_owned(), base64url::encode(sealed.tag).into());
                Some((key, wrapped))
            }
            RecipientKey::Oct(kek) => {
                let key = random()?;
                let wrapped = key_wrap::wrap(kek, &key)?;
                Some((key, wrapped))
            }
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({:?}, {})", self.kid, self.alg)
    }
}
