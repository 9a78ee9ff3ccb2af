//! Decryption of a JWE (RFC 7516 §5.2).

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::compact::CompactJwe;
use super::error::JweError;
use super::header::JweHeader;
use super::keys::{Entry, KeyEncryptionKeyId, KeyEncryptionKeys};
use super::{Key, content};
use crate::jose::{JsonLimits, Object, SharedKey, shared_key_from_jwk};

/// A symmetric key that an authorization server encrypted for this server.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnwrappedKey {
    /// The key.
    pub key: SharedKey,
    /// The key-encryption key that it was encrypted with.
    pub kek: KeyEncryptionKeyId,
}

impl KeyEncryptionKeys {
    /// Decrypts the value of `cnf.jwe` (RFC 7800 §3.3): a compact JWE of a symmetric key as a JWK, which is read by
    /// [`shared_key_from_jwk`].
    ///
    /// # Errors
    /// [`JweError`], whatever the reason.
    ///
    /// # Security
    /// A JWE tells nothing about who encrypted it. The access token around it must be signed by its issuer (RFC 7800 §4).
    pub fn unwrap(&self, jwe: &str) -> Result<UnwrappedKey, JweError> {
        let (jwk, entry) = self.open(jwe)?;
        let object = Object::parse(&jwk, JsonLimits::PROOF).map_err(|_| JweError)?;
        let key = shared_key_from_jwk(&object).map_err(|_| JweError)?;
        Ok(UnwrappedKey { key, kek: entry.id })
    }

    /// Decrypts a compact JWE to one of these keys. The content may be anything.
    ///
    /// # Errors
    /// [`JweError`], whatever the reason.
    pub fn decrypt(&self, jwe: &str) -> Result<Zeroizing<Vec<u8>>, JweError> {
        self.open(jwe).map(|(content, _)| content)
    }

    fn open(&self, jwe: &str) -> Result<(Zeroizing<Vec<u8>>, &Entry), JweError> {
        let jwe = CompactJwe::split(jwe)?;
        let json = jwe.header()?;
        let header = JweHeader::parse(&json)?;
        let entry = self.find(&header.kid, header.alg).ok_or(JweError)?;
        let body = jwe.body()?;
        // The substitute is made in any case, so that a content key that cannot be unwrapped does not show in the time either.
        let mut key = Key::default();
        rand::fill(key.as_mut_slice()).map_err(|_| JweError)?;
        if let Some(content_key) = entry.key.content_key(&header, &body.encrypted_key) {
            key = content_key;
        }
        let content = content::decrypt(header.enc, &key, jwe.aad(), &body.iv, body.ciphertext, &body.tag);
        content.map(|content| (content, entry)).ok_or(JweError)
    }
}
