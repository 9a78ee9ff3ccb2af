//! Certificates as PEM and as base64 of DER.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::jose::{CertThumbprint, decode_standard};

pub(super) fn base64_der(value: &[u8]) -> Option<CertThumbprint> {
    of_der(&decode_standard(value).ok()?)
}

/// Reads the one certificate of a percent-encoded PEM text.
pub(super) fn one_escaped_pem(value: &[u8]) -> Option<CertThumbprint> {
    if !value.contains(&b'%') {
        return None; // a space or a line break is always escaped
    }
    one_pem(&percent_decoded(value)?)
}

/// Reads the one certificate of a PEM text, without anything before, between or after its lines. PEM parsers skip what they
/// do not know: if a proxy appends its certificate to that of a client, they see only the client's.
pub(super) fn one_pem(pem: &[u8]) -> Option<CertThumbprint> {
    let pem = pem.trim_ascii().strip_prefix(b"-----BEGIN CERTIFICATE-----")?;
    let lines = pem.strip_suffix(b"-----END CERTIFICATE-----")?;
    let base64: Vec<u8> = lines.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    base64_der(&base64)
}

pub(super) fn bare_pem(value: &[u8]) -> Option<CertThumbprint> {
    let value = percent_decoded(value)?;
    let mut certificates = value.split(|byte| *byte == b',').map(base64_der);
    let leaf = certificates.next()??;
    certificates.all(|issuer| issuer.is_some()).then_some(leaf)
}

/// Percent-decodes. Every `%` must be followed by two hexadecimal digits; `+` is a plus sign.
fn percent_decoded(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let well_formed = value
        .split(|byte| *byte == b'%')
        .skip(1)
        .all(|rest| matches!(rest, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()));
    well_formed.then(|| percent_decode(value).into())
}

pub(super) fn of_der(der: &[u8]) -> Option<CertThumbprint> {
    // Empty DER matches no token.
    (!der.is_empty()).then(|| CertThumbprint::of_der(der))
}
