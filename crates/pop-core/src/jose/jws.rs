//! JWS compact serialization (RFC 7515 §7.1).

use std::ops::Range;

use super::{Malformed, base64url};

/// The three segments of a compact JWS, before they are decoded.
#[derive(Clone, Copy)]
pub struct CompactJws<'a> {
    text: &'a str,
    payload_at: usize,
    signature_at: usize,
}

impl<'a> CompactJws<'a> {
    /// Splits a compact JWS. `max_len` is the maximum length in bytes; it is checked first.
    ///
    /// # Errors
    /// [`Malformed::TooLarge`]; [`Malformed::Encrypted`] for five segments; [`Malformed::NotCompact`] for any number of
    /// segments but three or five, and for an empty segment.
    pub fn split(text: &'a str, max_len: usize) -> Result<Self, Malformed> {
        if text.len() > max_len {
            return Err(Malformed::TooLarge);
        }
        let mut dots = memchr::memchr_iter(b'.', text.as_bytes());
        let (first, second, more) = (dots.next(), dots.next(), dots.count());
        let (Some(first), Some(second)) = (first, second) else {
            return Err(Malformed::NotCompact);
        };
        match more {
            0 if first > 0 && second > first + 1 && text.len() > second + 1 => {
                Ok(Self { text, payload_at: first + 1, signature_at: second + 1 })
            }
            2 => Err(Malformed::Encrypted),
            _ => Err(Malformed::NotCompact),
        }
    }

    /// Returns the bytes that the signature covers: `header.payload` as received (RFC 7515 §5.2).
    #[must_use]
    pub fn signing_input(&self) -> &'a [u8] {
        self.text.as_bytes().get(..self.signature_at - 1).unwrap_or_default()
    }

    /// Returns the header as received, still encoded.
    #[must_use]
    pub fn header_segment(&self) -> &'a str {
        self.text.get(..self.payload_at - 1).unwrap_or_default()
    }

    /// Decodes all three segments into one buffer.
    ///
    /// # Errors
    /// [`Malformed::NotBase64url`] if a segment is not canonical base64url.
    pub fn decode(self) -> Result<DecodedJws<'a>, Malformed> {
        self.decode_after(self.header_segment())
    }

    /// Decodes the payload and the signature, for callers that know the header by its segment. [`DecodedJws::header`] is then
    /// empty.
    ///
    /// # Errors
    /// [`Malformed::NotBase64url`] if a segment is not canonical base64url.
    pub fn decode_body(self) -> Result<DecodedJws<'a>, Malformed> {
        self.decode_after("")
    }

    fn decode_after(self, header: &str) -> Result<DecodedJws<'a>, Malformed> {
        let segment = |range: Range<usize>| self.text.get(range).ok_or(Malformed::NotCompact);
        let mut bytes = Vec::with_capacity((header.len() + self.text.len() - self.payload_at) / 4 * 3 + 6);
        base64url::decode_onto(header, &mut bytes)?;
        let payload_at = bytes.len();
        base64url::decode_onto(segment(self.payload_at..self.signature_at - 1)?, &mut bytes)?;
        let signature_at = bytes.len();
        base64url::decode_onto(segment(self.signature_at..self.text.len())?, &mut bytes)?;
        Ok(DecodedJws { compact: self, bytes, payload_at, signature_at })
    }
}

/// A compact JWS and its decoded segments. `Debug` shows only the length.
pub struct DecodedJws<'a> {
    compact: CompactJws<'a>,
    bytes: Vec<u8>,
    payload_at: usize,
    signature_at: usize,
}

impl<'a> DecodedJws<'a> {
    /// Splits and decodes a compact JWS. `max_len` is the maximum length in bytes.
    ///
    /// # Errors
    /// As for [`CompactJws::split`] and [`CompactJws::decode`].
    pub fn parse(text: &'a str, max_len: usize) -> Result<Self, Malformed> {
        CompactJws::split(text, max_len)?.decode()
    }

    /// Returns the bytes that the signature covers: `header.payload` as received (RFC 7515 §5.2).
    #[must_use]
    pub fn signing_input(&self) -> &'a [u8] {
        self.compact.signing_input()
    }

    /// Returns the header as received, still encoded.
    #[must_use]
    pub fn header_segment(&self) -> &'a str {
        self.compact.header_segment()
    }

    /// Returns the payload in the buffer that holds it. Nothing is allocated.
    #[must_use]
    pub fn into_payload(self) -> Vec<u8> {
        let mut bytes = self.bytes;
        bytes.truncate(self.signature_at);
        bytes.drain(..self.payload_at.min(bytes.len()));
        bytes
    }

    /// Returns the decoded header. It is empty after [`CompactJws::decode_body`].
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.bytes.get(..self.payload_at).unwrap_or_default()
    }

    /// Returns the decoded payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload_at..self.signature_at).unwrap_or_default()
    }

    /// Returns the decoded signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.bytes.get(self.signature_at..).unwrap_or_default()
    }
}

impl std::fmt::Debug for CompactJws<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CompactJws({} bytes)", self.text.len())
    }
}

impl std::fmt::Debug for DecodedJws<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DecodedJws({} bytes)", self.compact.text.len())
    }
}
