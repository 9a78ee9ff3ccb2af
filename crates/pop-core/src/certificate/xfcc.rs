//! The `X-Forwarded-Client-Cert` field of Envoy:
//!
//! ```text
//! field   = element *( "," *SP element )
//! element = pair *( ";" pair )
//! pair    = key "=" ( bare / quoted )
//! bare    = *( printable ASCII except space, quote, backslash, "," and ";" )
//! quoted  = quote *( printable ASCII except quote and backslash / backslash printable ASCII ) quote
//! ```
//!
//! An untrusted client may have written everything before the element of the last proxy. It also chose the names in its
//! certificate. Therefore a field is accepted only if there is one way to read it:
//!
//! 1. The whole field follows the grammar. Only the keys of Envoy's documentation are accepted. `Hash`, `Cert`, `Chain` and
//!    `Subject` occur at most once in an element.
//! 2. After a `URI` or a `DNS`, other keys and further elements are rejected. Envoy writes these names without quotes, as they
//!    are in the certificate, so what follows may be part of the name.
//! 3. A quoted value does not contain a comma that is followed by a possible element. Otherwise a client could open a quote
//!    that ends inside the proxy's element. With this rule, the proxy's element is always read from its first byte.

use super::pem::one_escaped_pem;
use crate::jose::CertThumbprint;

const HASH: &str = "Hash";
const NAMES: [&str; 2] = ["URI", "DNS"];
const KEYS: [&str; 7] = ["By", HASH, "Cert", "Chain", "Subject", "URI", "DNS"];

/// Reads the only element of a field or, if lists are accepted, the last one. Returns `None` if the field is malformed or
/// ambiguous, and `Some(None)` if the element names no certificate.
pub(super) fn read(field: &[u8], accepts_list: bool) -> Option<Option<CertThumbprint>> {
    let mut rest =
        std::str::from_utf8(field).ok().filter(|text| text.bytes().all(|byte| matches!(byte, b' '..=b'~')))?;
    loop {
        let (element, after) = Element::parse(rest)?;
        let certificate = element.certificate()?;
        match after {
            None => return Some(certificate),
            Some(next) if accepts_list && !element.has_name => rest = next.trim_start_matches(' '),
            Some(_) => return None,
        }
    }
}

/// The values of one element. `Chain` and `Subject` are kept only to reject duplicates.
#[derive(Default)]
struct Element<'f> {
    hash: Option<&'f str>,
    cert: Option<&'f str>,
    chain: Option<&'f str>,
    subject: Option<&'f str>,
    /// Whether the element has a `URI` or a `DNS`.
    has_name: bool,
}

impl<'f> Element<'f> {
    /// Parses the first element of a string. Also returns what follows the comma, if there is one.
    fn parse(text: &'f str) -> Option<(Self, Option<&'f str>)> {
        let (mut element, mut rest) = (Self::default(), text);
        loop {
            let (key, value) = rest.split_once('=')?;
            let (value, after) = match value.strip_prefix('"') {
                Some(inside) => quoted(inside)?,
                None => bare(value)?,
            };
            element.add(key, value)?;
            match after.as_bytes().first() {
                None => return Some((element, None)),
                Some(b';') => rest = after.get(1..)?,
                Some(b',') => return Some((element, after.get(1..))),
                Some(_) => return None,
            }
        }
    }

    /// Adds a pair. Returns `None` if the pair is not allowed here.
    fn add(&mut self, key: &str, value: &'f str) -> Option<()> {
        let known = KEYS.into_iter().find(|known| known.eq_ignore_ascii_case(key))?;
        if NAMES.contains(&known) {
            self.has_name = true;
            return Some(());
        }
        if self.has_name {
            return None;
        }
        let slot = match known {
            HASH => &mut self.hash,
            "Cert" => &mut self.cert,
            "Chain" => &mut self.chain,
            "Subject" => &mut self.subject,
            _ => return Some(()), // `By`: one for each name of the proxy's own certificate
        };
        slot.replace(value).is_none().then_some(())
    }

    /// Returns the thumbprint of the certificate, or `Some(None)` if the element names none. Returns `None` if `Hash` or `Cert`
    /// is malformed, or if they contradict each other.
    fn certificate(&self) -> Option<Option<CertThumbprint>> {
        let hash = match self.hash {
            Some(hash) => Some(CertThumbprint::from_digest(hex_digest(hash)?)),
            None => None,
        };
        let Some(pem) = self.cert else {
            return Some(hash);
        };
        let certificate = one_escaped_pem(pem.as_bytes())?;
        hash.is_none_or(|hash| hash == certificate).then_some(Some(certificate))
    }
}

/// Reads an unquoted value up to the end of its pair. Also returns what follows it.
fn bare(text: &str) -> Option<(&str, &str)> {
    let (value, after) = text.split_at(text.find([',', ';']).unwrap_or(text.len()));
    (!value.contains([' ', '"', '\\'])).then_some((value, after))
}

/// Reads a value up to its closing quote, without unescaping it. Also returns what follows the quote.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            // An escaped comma counts, too: the client may have written the backslash, and the proxy the comma.
            b',' if begins_element(text.get(at + 1..)?) => return None,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((text.get(..at)?, text.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

/// Returns whether the string after a comma could be an element: it begins with a known key. For `Hash`, the value must also
/// be quoted or a digest.
fn begins_element(text: &str) -> bool {
    let text = text.trim_start_matches(' ');
    let value_of = |key: &str| {
        let (start, rest) = text.split_at_checked(key.len())?;
        rest.strip_prefix('=').filter(|_| start.eq_ignore_ascii_case(key))
    };
    let Some((key, value)) = KEYS.into_iter().find_map(|key| Some((key, value_of(key)?))) else {
        return false;
    };
    let digest = value.split([',', ';']).next().unwrap_or_default();
    key != HASH || value.starts_with('"') || hex_digest(digest).is_some()
}

/// Decodes a SHA-256 digest of 64 hexadecimal digits.
fn hex_digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(digest)
}
