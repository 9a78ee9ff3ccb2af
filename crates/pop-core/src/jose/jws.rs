//! The compact serialisation (RFC 7515 §7.1) and the header parameters every JWS of ours must satisfy.

use std::ops::Range;

use super::{Algorithm, Json, Malformed, Object, base64url};

/// Three segments of a compact JWS, not yet decoded.
#[derive(Clone, Copy)]
pub struct CompactJws<'a> {
    text: &'a str,
    payload_at: usize,
    signature_at: usize,
}

impl<'a> CompactJws<'a> {
    /// Splits a compact JWS. The length is checked before anything else is looked at.
    ///
    /// # Errors
    /// [`Malformed::TooLarge`], [`Malformed::Encrypted`] for five segments, [`Malformed::NotCompact`] for any other
    /// number and for an empty one.
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

    /// The bytes the signature covers: `header.payload` as received (RFC 7515 §5.2).
    #[must_use]
    pub fn signing_input(&self) -> &'a [u8] {
        self.text.as_bytes().get(..self.signature_at - 1).unwrap_or_default()
    }

    /// The header as received, still encoded.
    #[must_use]
    pub fn header_segment(&self) -> &'a str {
        self.text.get(..self.payload_at - 1).unwrap_or_default()
    }

    /// Decodes all three segments into one buffer.
    ///
    /// # Errors
    /// [`Malformed::NotBase64url`].
    pub fn decode(self) -> Result<DecodedJws<'a>, Malformed> {
        self.decode_after(self.header_segment())
    }

    /// Decodes payload and signature, for a header that is known from its segment. [`DecodedJws::header`] is then empty.
    ///
    /// # Errors
    /// [`Malformed::NotBase64url`].
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

/// A compact JWS and its decoded segments. `Debug` shows lengths only.
pub struct DecodedJws<'a> {
    compact: CompactJws<'a>,
    bytes: Vec<u8>,
    payload_at: usize,
    signature_at: usize,
}

impl<'a> DecodedJws<'a> {
    /// Splits and decodes.
    ///
    /// # Errors
    /// As for [`CompactJws::split`] and [`CompactJws::decode`].
    pub fn parse(text: &'a str, max_len: usize) -> Result<Self, Malformed> {
        CompactJws::split(text, max_len)?.decode()
    }

    /// The bytes the signature covers.
    #[must_use]
    pub fn signing_input(&self) -> &'a [u8] {
        self.compact.signing_input()
    }

    /// The header's JSON.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.bytes.get(..self.payload_at).unwrap_or_default()
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload_at..self.signature_at).unwrap_or_default()
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.bytes.get(self.signature_at..).unwrap_or_default()
    }
}

impl std::fmt::Debug for JoseHeader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JoseHeader({})", self.alg)
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

/// Why a JOSE header is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// `alg` is missing, not a string, unknown, or not on the allowlist.
    #[error("algorithm not allowed")]
    Algorithm,
    /// `typ` is missing, not a string or another type.
    #[error("wrong typ")]
    Type,
    /// `crit` names an extension, or is malformed: none is understood here (RFC 7515 §4.1.11).
    #[error("crit is not understood")]
    Critical,
    /// `b64: false`, `zip` or `enc`: never part of a JWT of ours (RFC 7797 §7, RFC 8725 §3.6).
    #[error("unencoded, compressed or encrypted payload")]
    Encoding,
    /// A parameter has the wrong JSON type.
    #[error("parameter of the wrong type")]
    Parameter,
}

/// The header parameters that concern every JWS; others stay in the object.
pub struct JoseHeader<'h> {
    object: Object<'h>,
    /// The signature algorithm.
    pub alg: Algorithm,
}

impl<'h> JoseHeader<'h> {
    /// Reads `alg` and refuses every parameter that would change what the signature means.
    ///
    /// # Errors
    /// Any [`HeaderError`] except [`HeaderError::Type`].
    pub fn new(object: Object<'h>) -> Result<Self, HeaderError> {
        if object.contains("crit") {
            return Err(HeaderError::Critical);
        }
        if object.contains("zip")
            || object.contains("enc")
            || matches!(object.get("b64"), Some(b64) if *b64 != Json::Bool(true))
        {
            return Err(HeaderError::Encoding);
        }
        let alg =
            object.get("alg").and_then(Json::as_str).and_then(Algorithm::from_name).ok_or(HeaderError::Algorithm)?;
        Ok(Self { object, alg })
    }

    /// The `typ` parameter.
    #[must_use]
    pub fn typ(&self) -> Option<&Json<'h>> {
        self.object.get("typ")
    }

    /// The `kid` parameter; a value that is not a string is an error.
    ///
    /// # Errors
    /// [`HeaderError::Parameter`].
    pub fn kid(&self) -> Result<Option<&str>, HeaderError> {
        match self.object.get("kid") {
            None => Ok(None),
            Some(Json::String(kid)) => Ok(Some(kid)),
            Some(_) => Err(HeaderError::Parameter),
        }
    }

    /// The `jwk` parameter.
    #[must_use]
    pub fn jwk(&self) -> Option<&Object<'h>> {
        self.object.get("jwk").and_then(Json::as_object)
    }
}

/// Whether a `typ` is this media type, `application/` left out or not, in any case (RFC 7515 §4.1.9).
pub(crate) fn is_media_type(typ: &str, expected: &str) -> bool {
    const PREFIX: &str = "application/";
    let subtype = match typ.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => typ.get(PREFIX.len()..).unwrap_or_default(),
        _ => typ,
    };
    subtype.eq_ignore_ascii_case(expected)
}
