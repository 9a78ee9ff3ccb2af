//! AES-256 in Galois/counter mode, for contents and for key wraps (RFC 7518 §4.7, §5.3).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;

use super::Key;

const TAG_LEN: usize = 16;

/// The initialization vector and the tag of what was encrypted.
pub(super) struct Sealed {
    pub(super) iv: [u8; NONCE_LEN],
    pub(super) tag: [u8; TAG_LEN],
}

/// Encrypts in place, with a random initialization vector.
pub(super) fn seal(key: &Key, aad: &[u8], in_out: &mut [u8]) -> Option<Sealed> {
    let mut iv = [0; NONCE_LEN];
    rand::fill(&mut iv).ok()?;
    let nonce = Nonce::assume_unique_for_key(iv);
    let tag = aes(key)?.seal_in_place_separate_tag(nonce, Aad::from(aad), in_out).ok()?;
    Some(Sealed { iv, tag: tag.as_ref().try_into().ok()? })
}

/// Decrypts in place. The tag must be whole.
pub(super) fn open(key: &Key, iv: &[u8], aad: &[u8], tag: &[u8], in_out: &mut [u8]) -> Option<()> {
    let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
    if tag.len() != TAG_LEN {
        return None;
    }
    aes(key)?.open_in_place_separate_tag(nonce, Aad::from(aad), tag, in_out).ok().map(|_| ())
}

fn aes(key: &Key) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.as_slice()).ok().map(LessSafeKey::new)
}
