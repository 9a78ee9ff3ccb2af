//! JWE compact serialization (RFC 7516 §7.1).

use super::error::JweError;
use crate::jose::base64url;

/// The maximum length of a compact JWE, in bytes.
pub(super) const MAX_LEN: usize = 8 * 1024;
/// The maximum length of a decoded header, in bytes.
pub(super) const MAX_HEADER: usize = 4 * 1024;
/// The maximum length of a decoded ciphertext, in bytes.
pub(super) const MAX_CIPHERTEXT: usize = 4 * 1024;

/// The five segments of a compact JWE, before they are decoded.
pub(super) struct CompactJwe<'t> {
    header: &'t str,
    encrypted_key: &'t str,
    iv: &'t str,
    ciphertext: &'t str,
    tag: &'t str,
}

/// The decoded segments after the header.
pub(super) struct Body {
    pub(super) encrypted_key: Vec<u8>,
    pub(super) iv: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

impl<'t> CompactJwe<'t> {
    /// Splits a compact JWE and checks the lengths. Only the encrypted key may be empty.
    pub(super) fn split(text: &'t str) -> Result<Self, JweError> {
        if text.len() > MAX_LEN {
            return Err(JweError);
        }
        let mut segments = text.split('.');
        let mut segment = || segments.next().ok_or(JweError);
        let jwe = Self {
            header: segment()?,
            encrypted_key: segment()?,
            iv: segment()?,
            ciphertext: segment()?,
            tag: segment()?,
        };
        let too_long = jwe.header.len() > encoded_len(MAX_HEADER) || jwe.ciphertext.len() > encoded_len(MAX_CIPHERTEXT);
        let empty = [jwe.header, jwe.iv, jwe.ciphertext, jwe.tag].into_iter().any(str::is_empty);
        if segments.next().is_some() || too_long || empty { Err(JweError) } else { Ok(jwe) }
    }

    /// Returns the additional authenticated data: the header as received (RFC 7516 §5.2).
    pub(super) const fn aad(&self) -> &'t [u8] {
        self.header.as_bytes()
    }

    /// Decodes the header.
    pub(super) fn header(&self) -> Result<Vec<u8>, JweError> {
        decode(self.header)
    }

    /// Decodes everything else.
    pub(super) fn body(&self) -> Result<Body, JweError> {
        Ok(Body {
            encrypted_key: decode(self.encrypted_key)?,
            iv: decode(self.iv)?,
            ciphertext: decode(self.ciphertext)?,
            tag: decode(self.tag)?,
        })
    }
}

const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

fn decode(segment: &str) -> Result<Vec<u8>, JweError> {
    base64url::decode(segment).map_err(|_| JweError)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// by length, before anything is decoded.
    #[test]
    fn accepts_five_segments_within_the_limits() {
        let jwe = |header: usize, ciphertext: usize| {
            CompactJwe::split(&format!("{}.AA.AA.{}.AA", "A".repeat(header), "A".repeat(ciphertext))).is_ok()
        };
        assert!(jwe(2, 2) && jwe(encoded_len(MAX_HEADER), 2) && jwe(2, encoded_len(MAX_CIPHERTEXT)));
        assert!(!jwe(encoded_len(MAX_HEADER) + 1, 2));
        assert!(!jwe(2, encoded_len(MAX_CIPHERTEXT) + 1));
        assert!(!jwe(4000, 4500), "longer than 8 KiB together");
    }

    #[test]
    fn rejects_any_other_number_of_segments_and_empty_ones() {
        for text in ["AA..AA.AA.AA", "AA.AA.AA.AA.AA"] {
            assert!(CompactJwe::split(text).is_ok(), "{text}");
        }
        for text in [
            "",
            ".",
            "AA.AA.AA",
            "AA.AA.AA.AA",
            "AA.AA.AA.AA.AA.AA",
            "AA.AA.AA.AA.AA.",
            ".AA.AA.AA.AA",
            "AA.AA..AA.AA",
            "AA.AA.AA..AA",
            "AA.AA.AA.AA.",
            "....",
        ] {
            assert!(CompactJwe::split(text).is_err(), "{text:?}");
        }
    }

    /// JOSE-01: one encoding only.
    #[test]
    fn rejects_other_encodings_of_a_segment() {
        let jwe = CompactJwe::split("AA.AA.AA.AA.AA").unwrap();
        assert!(jwe.header().is_ok() && jwe.body().is_ok());
        for wrong in ["AA=", "AB", "A", "+A", "A A", "AA\n"] {
            assert!(CompactJwe::split(&format!("{wrong}.AA.AA.AA.AA")).unwrap().header().is_err(), "{wrong:?}");
            for at in 0..4 {
                let mut segments = ["AA"; 4];
                segments[at] = wrong;
                let text = format!("AA.{}", segments.join("."));
                assert!(CompactJwe::split(&text).unwrap().body().is_err(), "{text:?}");
            }
        }
    }
}
