//! Key encryption by RSAES-OAEP with SHA-256 (RFC 7518 §4.3).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    KeyPairComponents, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey, PublicKeyComponents,
};
use aws_lc_rs::signature::RsaKeyPair;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::Key;
use super::error::UnusableKey;
use super::member::{expect_kty, private, required};
use crate::jose::jwk::{PRIVATE_MEMBERS, rsa_public};
use crate::jose::{JwkError, Object, PublicKey, RsaLimits, base64url};

/// Modulus and exponent, big-endian, without leading zeros.
pub(super) struct Modulus {
    pub(super) n: Box<[u8]>,
    pub(super) e: Box<[u8]>,
}

impl Modulus {
    fn read(object: &Object<'_>) -> Result<Self, UnusableKey> {
        expect_kty(object, "RSA")?;
        match rsa_public(required(object, "n")?, required(object, "e")?, RsaLimits::up_to(8192))? {
            PublicKey::Rsa { n, e } => Ok(Self { n, e }),
            _ => Err(UnusableKey::Inconsistent),
        }
    }

    fn components(&self) -> PublicKeyComponents<&[u8]> {
        PublicKeyComponents { n: &self.n, e: &self.e }
    }

    /// Returns `kty`, `n` and `e`.
    pub(super) fn to_jwk(&self) -> Map<String, Value> {
        [("kty", "RSA".to_owned()), ("n", base64url::encode(&self.n)), ("e", base64url::encode(&self.e))]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    }
}

/// Reads a private JWK. All members of the Chinese remainder theorem are required, and must belong together.
pub(super) fn read_private(object: &Object<'_>) -> Result<(OaepPrivateDecryptingKey, Modulus), UnusableKey> {
    let modulus = Modulus::read(object)?;
    let (d, p, q) = (private(object, "d")?, private(object, "p")?, private(object, "q")?);
    let (dp, dq, qi) = (private(object, "dp")?, private(object, "dq")?, private(object, "qi")?);
    if object.contains("oth") {
        return Err(UnusableKey::Jwk(JwkError::Member));
    }
    let components = KeyPairComponents {
        public_key: modulus.components(),
        d: d.as_slice(),
        p: p.as_slice(),
        q: q.as_slice(),
        dP: dp.as_slice(),
        dQ: dq.as_slice(),
        qInv: qi.as_slice(),
    };
    let pair = RsaKeyPair::from_components(&components).map_err(|_| UnusableKey::Inconsistent)?;
    let key = oaep(&pair).ok_or(UnusableKey::Inconsistent)?;
    Ok((key, modulus))
}

/// Reads a public JWK.
pub(super) fn read_public(object: &Object<'_>) -> Result<OaepPublicEncryptingKey, UnusableKey> {
    if PRIVATE_MEMBERS.iter().any(|name| object.contains(name)) {
        return Err(JwkError::PrivateMember.into());
    }
    let key: Result<PublicEncryptingKey, _> = Modulus::read(object)?.components().try_into();
    key.and_then(OaepPublicEncryptingKey::new).map_err(|_| UnusableKey::Inconsistent)
}

/// Decrypts a content key.
pub(super) fn decrypt(key: &OaepPrivateDecryptingKey, encrypted: &[u8]) -> Option<Key> {
    let mut buffer = Zeroizing::new(vec![0; key.min_output_size()]);
    let decrypted = key.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted, &mut buffer, None).ok()?;
    (&*decrypted).try_into().ok().map(Key::new)
}

/// Encrypts a content key.
pub(super) fn encrypt(key: &OaepPublicEncryptingKey, content_key: &Key) -> Option<Vec<u8>> {
    let mut encrypted = vec![0; key.ciphertext_size()];
    let len = key.encrypt(&OAEP_SHA256_MGF1SHA256, content_key.as_slice(), &mut encrypted, None).ok()?.len();
    encrypted.truncate(len);
    Some(encrypted)
}

/// Converts a key pair. The library erases the DER from memory.
fn oaep(pair: &RsaKeyPair) -> Option<OaepPrivateDecryptingKey> {
    let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(der.as_ref()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::JsonLimits;
    use crate::jose::jwe::tests::{private_jwk, without_private_members};

    /// RFC 7516 §11.5: a content key of another length counts as none.
    #[test]
    fn decrypts_content_keys_of_256_bits_only() {
        let private = private_jwk("rsa");
        let text = private.to_string();
        let (private_key, _) = read_private(&Object::parse(text.as_bytes(), JsonLimits::PROOF).unwrap()).unwrap();
        let text = without_private_members(private).to_string();
        let public = read_public(&Object::parse(text.as_bytes(), JsonLimits::PROOF).unwrap()).unwrap();
        let encrypted = encrypt(&public, &Key::new([1; 32])).unwrap();
        assert_eq!(*decrypt(&private_key, &encrypted).unwrap(), [1; 32]);
        for len in [0, 16, 31, 33, 64] {
            let mut encrypted = vec![0; public.ciphertext_size()];
            public.encrypt(&OAEP_SHA256_MGF1SHA256, &vec![1; len], &mut encrypted, None).unwrap();
            assert!(decrypt(&private_key, &encrypted).is_none(), "{len} bytes");
        }
        for garbage in [&[][..], &[1; 255], &[1; 256], &[0xff; 256], &[1; 257]] {
            assert!(decrypt(&private_key, garbage).is_none());
        }
    }
}
