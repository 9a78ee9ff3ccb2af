//! The private key-encryption keys, and how each unwraps a content key.

use aws_lc_rs::agreement;
use aws_lc_rs::rsa::OaepPrivateDecryptingKey;
use serde_json::{Map, Value};

use super::Key;
use super::agreement::{PublicPoint, derive};
use super::algorithm::KeyManagement;
use super::error::UnusableKey;
use super::header::JweHeader;
use super::oaep::{self, Modulus};
use super::{key_wrap, member};
use crate::jose::Object;

/// A private or symmetric key. It is used with one algorithm only, that of its JWK.
pub(super) enum PrivateKey {
    Rsa(OaepPrivateDecryptingKey, Modulus),
    Agreement(agreement::PrivateKey, PublicPoint),
    Oct(Key),
}

impl PrivateKey {
    /// Reads the key material for an algorithm.
    pub(super) fn read(object: &Object<'_>, alg: KeyManagement) -> Result<Self, UnusableKey> {
        match alg {
            KeyManagement::RsaOaep256 => oaep::read_private(object).map(|(key, public)| Self::Rsa(key, public)),
            KeyManagement::EcdhEs | KeyManagement::EcdhEsA256Kw => {
                PublicPoint::read_private(object).map(|(key, public)| Self::Agreement(key, public))
            }
            KeyManagement::A256Kw | KeyManagement::A256GcmKw | KeyManagement::Dir => {
                member::oct_key(object).map(Self::Oct)
            }
        }
    }

    /// Unwraps or derives the content key. The caller has compared `alg` of the header with that of the key.
    pub(super) fn content_key(&self, header: &JweHeader<'_>, encrypted: &[u8]) -> Option<Key> {
        match (self, header.alg) {
            (Self::Rsa(key, _), KeyManagement::RsaOaep256) => oaep::decrypt(key, encrypted),
            (Self::Agreement(key, _), KeyManagement::EcdhEs) if encrypted.is_empty() => {
                agree(key, header, header.enc.name())
            }
            (Self::Agreement(key, _), KeyManagement::EcdhEsA256Kw) => {
                key_wrap::unwrap(&agree(key, header, header.alg.name())?, encrypted)
            }
            (Self::Oct(key), KeyManagement::A256Kw) => key_wrap::unwrap(key, encrypted),
            (Self::Oct(key), KeyManagement::A256GcmKw) => {
                key_wrap::unwrap_gcm(key, &header.bytes("iv")?, &header.bytes("tag")?, encrypted)
            }
            (Self::Oct(key), KeyManagement::Dir) if encrypted.is_empty() => Some(key.clone()),
            _ => None,
        }
    }

    /// Returns the public half as a JWK without `kid`, `alg` and `use`. Symmetric keys have none.
    pub(super) fn public_jwk(&self) -> Option<Map<String, Value>> {
        match self {
            Self::Rsa(_, public) => Some(public.to_jwk()),
            Self::Agreement(_, public) => Some(public.to_jwk()),
            Self::Oct(_) => None,
        }
    }

    /// Returns what distinguishes the key from all others: the public half, or the symmetric key itself.
    pub(super) fn identity(&self) -> [&[u8]; 2] {
        match self {
            Self::Rsa(_, public) => [&public.n, &public.e],
            Self::Agreement(_, public) => [public.as_bytes(), &[]],
            Self::Oct(key) => [key.as_slice(), &[]],
        }
    }
}

fn agree(key: &agreement::PrivateKey, header: &JweHeader<'_>, algorithm: &str) -> Option<Key> {
    let epk = PublicPoint::read_public(header.epk()?).ok()?;
    derive(key, &epk, algorithm, &header.optional_bytes("apu")?, &header.optional_bytes("apv")?)
}
