//! `X-Forwarded-Client-Cert`, as Envoy writes it:
//!
//! ```text
//! field   = element *( "," *SP element )
//! element = pair *( ";" pair )
//! pair    = key "=" ( bare / quoted )
//! bare    = *( printable ASCII but space, quote, backslash, "," and ";" )
//! quoted  = quote *( printable ASCII but quote and backslash / backslash printable ASCII ) quote
//! ```
//!
//! An untrusted client may have written what stands in front of the element of the last proxy, and chose the names in its
//! certificate. So a field is rejected unless there is only one way to read it:
//!
//! 1. Everything follows the grammar. Keys are those of Envoy's documentation; `Hash`, `Cert`, `Chain` and `Subject` occur
//!    once in an element.
//! 2. Envoy writes `URI` and `DNS` without quotes, as the certificate has them. What follows such a name may be part of
//!    it: other keys and other elements are rejected there.
//! 3. No quoted value holds a comma with what could be an element behind it. Otherwise a client could open a quote that
//!    ends in the proxy's element. By this rule the proxy's element is always read from its first byte.

use super::pem::one_escaped_pem;
use crate::jose::CertThumbprint;

const HASH: &str = "Hash";
const NAMES: [&str; 2] = ["URI", "DNS"];
const KEYS: [&str; 7] = ["By", HASH, "Cert", "Chain", "Subject", "URI", "DNS"];

/// Reads a field: the only element, or the last one of a list where that is accepted. `Some(None)` when that element names
/// no certificate, `None` when the field is malformed or ambiguous.
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

/// What counts of an element. `Chain` and `Subject` are kept to reject second ones.
#[derive(Default)]
struct Element<'f> {
    hash: Option<&'f str>,
    cert: Option<&'f str>,
    chain: Option<&'f str>,
    subject: Option<&'f str>,
    /// Whether a `URI` or a `DNS` was read.
    has_name: bool,
}

impl<'f> Element<'f> {
    /// The first element of a text, and what follows its comma, if there is one.
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
            _ => return Some(()), // `By`, of which there are as many as the proxy's own certificate has names
        };
        slot.replace(value).is_none().then_some(())
    }

    /// The certificate, if the element names one: `None` when it is malformed, or `Hash` contradicts `Cert`.
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

/// A value up to the end of its pair.
fn bare(text: &str) -> Option<(&str, &str)> {
    let (value, after) = text.split_at(text.find([',', ';']).unwrap_or(text.len()));
    (!value.contains([' ', '"', '\\'])).then_some((value, after))
}

/// A value up to its closing quote, as it stands, and what follows the quote.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            // Escaped or not: the backslash may be the client's, and the comma the proxy's.
            b',' if begins_element(text.get(at + 1..)?) => return None,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((text.get(..at)?, text.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

/// Whether what follows a comma could be an element: a known key, of `Hash` with a value that could be one.
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
