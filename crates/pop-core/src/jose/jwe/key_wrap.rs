//! Wraps content keys with a 256-bit key: AES key wrap (RFC 7518 §4.4, RFC 3394) and AES-GCM (RFC 7518 §4.7).

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap};

use super::Key;
use super::gcm::{self, Sealed};

/// The length of a wrapped 256-bit key: the key and the integrity check of 64 bits.
const WRAPPED_LEN: usize = 40;

/// Wraps with AES key wrap.
pub(super) fn wrap(kek: &Key, key: &Key) -> Option<Vec<u8>> {
    let mut wrapped = [0; WRAPPED_LEN];
    let wrapped = AesKek::new(&AES_256, kek.as_slice()).ok()?.wrap(key.as_slice(), &mut wrapped).ok()?;
    Some(wrapped.to_vec())
}

/// Unwraps with AES key wrap.
pub(super) fn unwrap(kek: &Key, wrapped: &[u8]) -> Option<Key> {
    if wrapped.len() != WRAPPED_LEN {
        return None;
    }
    let mut key = Key::default();
    AesKek::new(&AES_256, kek.as_slice()).ok()?.unwrap(wrapped, key.as_mut_slice()).ok()?;
    Some(key)
}

/// Wraps with AES-GCM. The second value is the wrapped key.
pub(super) fn wrap_gcm(kek: &Key, key: &Key) -> Option<(Sealed, Vec<u8>)> {
    let mut wrapped = key.to_vec();
    Some((gcm::seal(kek, &[], &mut wrapped)?, wrapped))
}

/// Unwraps with AES-GCM. `iv` and `tag` are from the header.
pub(super) fn unwrap_gcm(kek: &Key, iv: &[u8], tag: &[u8], wrapped: &[u8]) -> Option<Key> {
    let mut key = Key::new(wrapped.try_into().ok()?);
    gcm::open(kek, iv, &[], tag, key.as_mut_slice())?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3394 §4.6: 256 bits of key data with a 256-bit key.
    #[test]
    fn wraps_as_in_the_rfc() {
        let kek = Key::new(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        let key: [u8; 32] = [
            0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x01,
            0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
        ];
        let wrapped = wrap(&kek, &Key::new(key)).unwrap();
        assert_eq!(
            wrapped,
            [
                0x28, 0xc9, 0xf4, 0x04, 0xc4, 0xb8, 0x10, 0xf4, 0xcb, 0xcc, 0xb3, 0x5c, 0xfb, 0x87, 0xf8, 0x26, 0x3f,
                0x57, 0x86, 0xe2, 0xd8, 0x0e, 0xd3, 0x26, 0xcb, 0xc7, 0xf0, 0xe7, 0x1a, 0x99, 0xf4, 0x3b, 0xfb, 0x98,
                0x8b, 0x9b, 0x7a, 0x02, 0xdd, 0x21
            ]
        );
        assert_eq!(*unwrap(&kek, &wrapped).unwrap(), key);
        assert!(unwrap(&Key::new([1; 32]), &wrapped).is_none());
    }

    /// SYM-11: every bit of both kinds of wrap counts, and every byte of their length.
    #[test]
    fn rejects_changed_and_truncated_wraps() {
        let (kek, key) = (Key::new([1; 32]), Key::new([2; 32]));
        let wrapped = wrap(&kek, &key).unwrap();
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(unwrap(&kek, &changed).is_none(), "byte {at}");
            assert!(unwrap(&kek, &wrapped[..at]).is_none(), "{at} bytes");
        }
        let (sealed, wrapped) = wrap_gcm(&kek, &key).unwrap();
        assert_eq!(unwrap_gcm(&kek, &sealed.iv, &sealed.tag, &wrapped).unwrap(), key);
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(unwrap_gcm(&kek, &sealed.iv, &sealed.tag, &changed).is_none(), "byte {at}");
            assert!(unwrap_gcm(&kek, &sealed.iv, &sealed.tag, &wrapped[..at]).is_none(), "{at} bytes");
        }
        for at in 0..sealed.tag.len() {
            assert!(unwrap_gcm(&kek, &sealed.iv, &sealed.tag[..at], &wrapped).is_none(), "a tag of {at} bytes");
        }
        for at in 0..sealed.iv.len() {
            assert!(unwrap_gcm(&kek, &sealed.iv[..at], &sealed.tag, &wrapped).is_none(), "an IV of {at} bytes");
        }
    }
}
