//! Canonical base64url without padding (RFC 7515 §2, RFC 4648 §3.5).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::Malformed;

/// The engine that decodes segments of a JWS. It uses vector instructions if the processor has them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static SEGMENTS: std::sync::LazyLock<base64::engine::simd::Simd> =
    std::sync::LazyLock::new(|| base64::engine::simd::Simd::url_safe(base64::engine::general_purpose::NO_PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use URL_SAFE_NO_PAD as SEGMENTS;

/// Returns the length of `len` bytes in base64url without padding.
#[cfg(feature = "ml-dsa")]
pub(super) const fn encoded_len(len: usize) -> usize {
    (len * 4).div_ceil(3)
}

/// Encodes as base64url without padding.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Encodes as base64 with the standard alphabet and padding, for `Basic` credentials (RFC 7617).
#[must_use]
pub fn encode_standard(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Decodes base64 with the standard alphabet and padding.
///
/// # Errors
/// [`Malformed::NotBase64url`] for any other input.
pub fn decode_standard(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Malformed> {
    STANDARD.decode(text).map_err(|_| Malformed::NotBase64url)
}

/// Decodes canonical base64url.
///
/// # Errors
/// [`Malformed::NotBase64url`] for padding, whitespace, the standard alphabet and non-zero trailing bits.
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Malformed> {
    SEGMENTS.decode(text).map_err(|_| Malformed::NotBase64url)
}

/// Decodes canonical base64url of exactly `N` bytes.
///
/// # Errors
/// [`Malformed::NotBase64url`] as for [`decode`], and if the length is different.
pub fn decode_array<const N: usize>(text: impl AsRef<[u8]>) -> Result<[u8; N], Malformed> {
    let text = text.as_ref();
    let mut bytes = [0; N];
    if text.len() != (N * 4).div_ceil(3) {
        return Err(Malformed::NotBase64url);
    }
    match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
        Ok(written) if written == N => Ok(bytes),
        _ => Err(Malformed::NotBase64url),
    }
}

/// Appends the decoded bytes to `buffer`.
pub(crate) fn decode_onto(text: &str, buffer: &mut Vec<u8>) -> Result<(), Malformed> {
    SEGMENTS.decode_vec(text, buffer).map_err(|_| Malformed::NotBase64url)
}

/// Encodes into `buffer` without allocating. Returns the encoded bytes, or none if `buffer` is too small.
pub(crate) fn encode_onto<'b>(bytes: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, buffer).unwrap_or(0);
    buffer.get(..written).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JOSE-01: the accepting twin.
    #[test]
    fn accepts_the_canonical_encoding() {
        assert_eq!(decode("AQID").unwrap(), [1, 2, 3]);
        assert_eq!(decode("_-8").unwrap(), [0xff, 0xef]);
        assert_eq!(decode_array::<2>("_-8").unwrap(), [0xff, 0xef]);
    }

    /// JOSE-01: the decoder works in blocks.
    #[test]
    fn long_strings_are_as_strict_at_every_position() {
        let text: String = "Abc-_9".chars().cycle().take(200).collect();
        assert_eq!(encode(decode(&text).unwrap()), text);
        for at in 0..text.len() {
            for wrong in ["=", "+", "/", " ", "\n", ".", "\u{0}", "@", "[", "`", "{", "\u{7f}"] {
                let mut text = text.clone();
                text.replace_range(at..=at, wrong);
                assert!(decode(&text).is_err(), "{wrong:?} at {at}");
            }
            let mut bytes = text.clone().into_bytes();
            bytes[at] |= 0x80;
            assert!(decode(&bytes).is_err(), "a non-ASCII byte at {at}");
        }
    }

    /// JOSE-01: padding, stray bits, whitespace and the standard alphabet.
    #[test]
    fn rejects_every_other_encoding() {
        for text in ["_-8=", "/+8", "_-8\n", " _-8", "_-9", "_-", "_-8A=", "_\u{0}8"] {
            assert!(decode_array::<2>(text).is_err(), "{text:?}");
        }
        for text in ["_-8=", "/+8", "_-8\n", "_-9", "A"] {
            assert!(decode(text).is_err(), "{text:?}");
        }
    }
}
