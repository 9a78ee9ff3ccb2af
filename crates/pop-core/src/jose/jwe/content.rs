//! Content encryption: A128CBC-HS256 (RFC 7518 §5.2.3) and A256GCM (RFC 7518 §5.3).

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{hmac, rand};
use zeroize::Zeroizing;

use super::algorithm::ContentEncryption;
use super::{Key, gcm};
use crate::constant_time;

/// The length of a block, of an initialization vector and of a truncated MAC of A128CBC-HS256.
const BLOCK: usize = 16;

/// An encrypted content.
pub(super) struct Encrypted {
    pub(super) iv: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: [u8; 16],
}

/// Encrypts a content, with a random initialization vector.
pub(super) fn encrypt(enc: ContentEncryption, key: &Key, aad: &[u8], plaintext: &[u8]) -> Option<Encrypted> {
    match enc {
        ContentEncryption::A256Gcm => {
            let mut ciphertext = plaintext.to_vec();
            let sealed = gcm::seal(key, aad, &mut ciphertext)?;
            Some(Encrypted { iv: sealed.iv.to_vec(), ciphertext, tag: sealed.tag })
        }
        ContentEncryption::A128CbcHs256 => {
            let mut iv = [0; BLOCK];
            rand::fill(&mut iv).ok()?;
            let (ciphertext, tag) = encrypt_cbc(key, &iv, aad, plaintext)?;
            Some(Encrypted { iv: iv.to_vec(), ciphertext, tag })
        }
    }
}

/// Decrypts a content. Returns `None` if any part of it is not authentic.
pub(super) fn decrypt(
    enc: ContentEncryption,
    key: &Key,
    aad: &[u8],
    iv: &[u8],
    ciphertext: Vec<u8>,
    tag: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(ciphertext);
    match enc {
        ContentEncryption::A256Gcm => gcm::open(key, iv, aad, tag, &mut content)?,
        ContentEncryption::A128CbcHs256 => decrypt_cbc(key, iv, aad, tag, &mut content)?,
    }
    Some(content)
}

fn encrypt_cbc(key: &Key, iv: &[u8; BLOCK], aad: &[u8], plaintext: &[u8]) -> Option<(Vec<u8>, [u8; BLOCK])> {
    let (mac_key, aes_key) = halves(key)?;
    // Room for the padding, so that the plaintext is not moved.
    let mut ciphertext = Vec::with_capacity(plaintext.len().checked_add(BLOCK)?);
    ciphertext.extend_from_slice(plaintext);
    PaddedBlockEncryptingKey::cbc_pkcs7(aes_key)
        .ok()?
        .less_safe_encrypt(&mut ciphertext, EncryptionContext::Iv128(FixedLength::from(iv)))
        .ok()?;
    let tag = mac(&mac_key, aad, iv, &ciphertext)?;
    Some((ciphertext, tag))
}

/// The MAC is verified before anything is decrypted (RFC 7518 §5.2.2.2), so that the padding tells nothing to those who do not
/// know the key.
fn decrypt_cbc(key: &Key, iv: &[u8], aad: &[u8], tag: &[u8], content: &mut Vec<u8>) -> Option<()> {
    let (mac_key, aes_key) = halves(key)?;
    let (iv, tag) = (iv.try_into().ok()?, tag.try_into().ok()?);
    if !constant_time::equal(&mac(&mac_key, aad, iv, content)?, tag) {
        return None;
    }
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let len = PaddedBlockDecryptingKey::cbc_pkcs7(aes_key).ok()?.decrypt(content, context).ok()?.len();
    content.truncate(len);
    Some(())
}

/// Returns the key of the MAC, which comes first, and that of AES (RFC 7518 §5.2.2.1).
fn halves(key: &Key) -> Option<(hmac::Key, UnboundCipherKey)> {
    let (mac, aes) = key.split_at_checked(16)?;
    Some((hmac::Key::new(hmac::HMAC_SHA256, mac), UnboundCipherKey::new(&AES_128, aes).ok()?))
}

/// Returns the first half of the HMAC of `aad ‖ iv ‖ ciphertext ‖ length of aad in bits`.
fn mac(key: &hmac::Key, aad: &[u8], iv: &[u8; BLOCK], ciphertext: &[u8]) -> Option<[u8; BLOCK]> {
    let mut context = hmac::Context::with_key(key);
    context.update(aad);
    context.update(iv);
    context.update(ciphertext);
    context.update(&u64::try_from(aad.len()).ok()?.checked_mul(8)?.to_be_bytes());
    context.sign().as_ref().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::base64url;

    fn open(enc: ContentEncryption, key: &Key, aad: &[u8], sealed: &Encrypted) -> Option<Vec<u8>> {
        decrypt(enc, key, aad, &sealed.iv, sealed.ciphertext.clone(), &sealed.tag).map(|content| content.to_vec())
    }

    /// RFC 7518 appendix B.1.
    #[test]
    fn encrypts_and_decrypts_the_cbc_example_of_the_rfc() {
        let key = Key::new(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        let iv = [0x1a, 0xf3, 0x8c, 0x2d, 0xc2, 0xb9, 0x6f, 0xfd, 0xd8, 0x66, 0x94, 0x09, 0x23, 0x41, 0xbc, 0x04];
        let plaintext =
            b"A cipher system must not be required to be secret, and it must be able to fall into the hands of \
            the enemy without inconvenience";
        let aad = b"The second principle of Auguste Kerckhoffs";
        let expected = [
            0xc8, 0x0e, 0xdf, 0xa3, 0x2d, 0xdf, 0x39, 0xd5, 0xef, 0x00, 0xc0, 0xb4, 0x68, 0x83, 0x42, 0x79, 0xa2, 0xe4,
            0x6a, 0x1b, 0x80, 0x49, 0xf7, 0x92, 0xf7, 0x6b, 0xfe, 0x54, 0xb9, 0x03, 0xa9, 0xc9, 0xa9, 0x4a, 0xc9, 0xb4,
            0x7a, 0xd2, 0x65, 0x5c, 0x5f, 0x10, 0xf9, 0xae, 0xf7, 0x14, 0x27, 0xe2, 0xfc, 0x6f, 0x9b, 0x3f, 0x39, 0x9a,
            0x22, 0x14, 0x89, 0xf1, 0x63, 0x62, 0xc7, 0x03, 0x23, 0x36, 0x09, 0xd4, 0x5a, 0xc6, 0x98, 0x64, 0xe3, 0x32,
            0x1c, 0xf8, 0x29, 0x35, 0xac, 0x40, 0x96, 0xc8, 0x6e, 0x13, 0x33, 0x14, 0xc5, 0x40, 0x19, 0xe8, 0xca, 0x79,
            0x80, 0xdf, 0xa4, 0xb9, 0xcf, 0x1b, 0x38, 0x4c, 0x48, 0x6f, 0x3a, 0x54, 0xc5, 0x10, 0x78, 0x15, 0x8e, 0xe5,
            0xd7, 0x9d, 0xe5, 0x9f, 0xbd, 0x34, 0xd8, 0x48, 0xb3, 0xd6, 0x95, 0x50, 0xa6, 0x76, 0x46, 0x34, 0x44, 0x27,
            0xad, 0xe5, 0x4b, 0x88, 0x51, 0xff, 0xb5, 0x98, 0xf7, 0xf8, 0x00, 0x74, 0xb9, 0x47, 0x3c, 0x82, 0xe2, 0xdb,
        ];
        let tag = [0x65, 0x2c, 0x3f, 0xa3, 0x6b, 0x0a, 0x7c, 0x5b, 0x32, 0x19, 0xfa, 0xb3, 0xa3, 0x0b, 0xc1, 0xc4];
        assert_eq!(encrypt_cbc(&key, &iv, aad, plaintext), Some((expected.to_vec(), tag)));
        let sealed = Encrypted { iv: iv.to_vec(), ciphertext: expected.to_vec(), tag };
        assert_eq!(open(ContentEncryption::A128CbcHs256, &key, aad, &sealed).unwrap(), plaintext);
    }

    /// RFC 7516 appendix A.3, whose key management (A128KW) is not allowed: its content, with its content key.
    #[test]
    fn decrypts_the_content_of_the_jwe_example() {
        let key = Key::new([
            4, 211, 31, 197, 84, 157, 252, 254, 11, 100, 157, 250, 63, 170, 106, 206, 107, 124, 212, 45, 111, 107, 9,
            219, 200, 177, 0, 240, 143, 156, 44, 207,
        ]);
        let bytes = |segment| base64url::decode(segment).unwrap();
        let sealed = Encrypted {
            iv: bytes("AxY8DCtDaGlsbGljb3RoZQ"),
            ciphertext: bytes("KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY"),
            tag: bytes("U0m_YmjN04DJvceFICbCVQ").try_into().unwrap(),
        };
        let aad = b"eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0";
        let content = open(ContentEncryption::A128CbcHs256, &key, aad, &sealed);
        assert_eq!(content.unwrap(), b"Live long and prosper.");
    }

    /// SYM-11: each part is authenticated, whole.
    #[test]
    fn rejects_every_change_and_every_other_length() {
        for enc in ContentEncryption::ALL {
            let key = Key::new([3; 32]);
            let sealed = encrypt(enc, &key, b"header", b"content of any length").unwrap();
            assert_eq!(open(enc, &key, b"header", &sealed).unwrap(), b"content of any length");
            assert!(open(enc, &Key::new([4; 32]), b"header", &sealed).is_none(), "{enc}: another key");
            assert!(open(enc, &key, b"Header", &sealed).is_none(), "{enc}: another header");
            let parts = [sealed.iv.clone(), sealed.ciphertext.clone(), sealed.tag.to_vec()];
            let check = |parts: &[Vec<u8>; 3], what: &str| {
                let content = decrypt(enc, &key, b"header", &parts[0], parts[1].clone(), &parts[2]);
                assert!(content.is_none(), "{enc}: {what}");
            };
            for (part, bytes) in parts.iter().enumerate() {
                for at in 0..bytes.len() {
                    let mut changed = parts.clone();
                    changed[part][at] ^= 0x80;
                    check(&changed, &format!("part {part}, byte {at}"));
                    let mut truncated = parts.clone();
                    truncated[part].truncate(at);
                    check(&truncated, &format!("part {part}, {at} bytes"));
                }
                let mut longer = parts.clone();
                longer[part].push(0);
                check(&longer, &format!("part {part}, one byte more"));
            }
        }
    }

    /// SYM-11, X-65: only someone with the key can see what the padding does, and gets the same answer.
    #[test]
    fn authentic_contents_with_wrong_padding_fail_like_all_others() {
        let key = Key::new([5; 32]);
        let iv = [6; BLOCK];
        let mut blocks = encrypt_cbc(&key, &iv, b"", &[0; BLOCK]).unwrap().0;
        assert_eq!(blocks.len(), 2 * BLOCK);
        // Without its block of padding, the content ends in a byte that is not a padding length.
        blocks.truncate(BLOCK);
        for ciphertext in [blocks, vec![], vec![7; BLOCK - 1]] {
            let tag = mac(&halves(&key).unwrap().0, b"", &iv, &ciphertext).unwrap();
            assert!(decrypt(ContentEncryption::A128CbcHs256, &key, b"", &iv, ciphertext, &tag).is_none());
        }
    }
}
