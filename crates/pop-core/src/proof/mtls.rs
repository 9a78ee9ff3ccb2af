//! The client's certificate as a proxy passes it on, after it verified the handshake (RFC 8705 §6.5, RFC 9440).
//!
//! Only the certificate's digest is taken from here, and only the leaf's. Certificates are hashed as received and never
//! interpreted: chains, names and validity are the proxy's to judge. Who may send such a field at all is decided before.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sfv::{BareItem, Item, Parser};

use crate::CredentialError;
use crate::jose::{CertThumbprint, decode_standard};

/// How a proxy writes a certificate into a header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateFormat {
    /// One structured-field byte sequence of DER: `:MIIB…:` (RFC 9440 §2.1).
    Rfc9440,
    /// PEM, percent-encoded: `$ssl_client_escaped_cert` of nginx.
    EscapedPem,
    /// Elements of `Key=value` pairs with `Hash` or `Cert`: `X-Forwarded-Client-Cert` of Envoy. The last element is the
    /// one that the hop in front of us added. An earlier one with `URI` or `DNS` is refused: Envoy writes these names as
    /// the certificate has them, and a name may hold a comma and what looks like another element.
    Xfcc,
    /// Base64 of DER: `%[ssl_c_der,base64]` of HAProxy.
    Base64Der,
    /// PEM without its first and last line and without line breaks; the leaf comes first, then a comma and its chain:
    /// `X-Forwarded-Tls-Client-Cert` of Traefik.
    Traefik,
}

crate::names::named!("a certificate format", CertificateFormat {
    Rfc9440 = "rfc9440",
    EscapedPem = "escaped-pem",
    Xfcc = "xfcc",
    Base64Der = "base64-der",
    Traefik = "traefik",
});

impl CertificateFormat {
    /// The format that goes with a well-known field name, compared without case: `Client-Cert`,
    /// `X-Forwarded-Client-Cert`, `X-Forwarded-Tls-Client-Cert`, `Ssl-Client-Cert`, `X-Ssl-Client-Cert`,
    /// `X-Ssl-Client-Escaped-Cert`, `X-Ssl-Client-Der`.
    #[must_use]
    pub fn of_field(name: &str) -> Option<Self> {
        const KNOWN: [(&str, CertificateFormat); 7] = [
            ("client-cert", CertificateFormat::Rfc9440),
            ("x-forwarded-client-cert", CertificateFormat::Xfcc),
            ("x-forwarded-tls-client-cert", CertificateFormat::Traefik),
            ("ssl-client-cert", CertificateFormat::EscapedPem),
            ("x-ssl-client-cert", CertificateFormat::EscapedPem),
            ("x-ssl-client-escaped-cert", CertificateFormat::EscapedPem),
            ("x-ssl-client-der", CertificateFormat::Base64Der),
        ];
        KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, format)| *format)
    }

    /// Reads the value of the only field line. An empty value, as proxies send it for clients without a certificate, is
    /// none; for [`Rfc9440`](Self::Rfc9440), where it is no byte sequence, it is malformed.
    ///
    /// # Errors
    /// [`CredentialError::ClientCertificate`].
    pub fn read(self, value: &[u8]) -> Result<Option<CertThumbprint>, CredentialError> {
        if value.is_empty() && self != Self::Rfc9440 {
            return Ok(None);
        }
        let read = match self {
            Self::Rfc9440 => byte_sequence(value),
            Self::EscapedPem => escaped_pem(value),
            Self::Base64Der => base64_der(value),
            Self::Traefik => bare_pem(value),
            Self::Xfcc => return last_element(value).ok_or(CredentialError::ClientCertificate),
        };
        read.map(Some).ok_or(CredentialError::ClientCertificate)
    }
}

fn byte_sequence(value: &[u8]) -> Option<CertThumbprint> {
    let item: Item = Parser::new(value).parse().ok()?;
    match item.bare_item {
        BareItem::ByteSequence(der) if item.params.is_empty() => of_der(&der),
        _ => None,
    }
}

fn base64_der(value: &[u8]) -> Option<CertThumbprint> {
    of_der(&decode_standard(value).ok()?)
}

fn escaped_pem(value: &[u8]) -> Option<CertThumbprint> {
    let pem = percent_decoded(value)?;
    let mut certificates = CertificateDer::pem_slice_iter(&pem);
    let leaf = certificates.next()?.ok()?;
    // Which of several would be the client's is anybody's guess.
    if certificates.next().is_some() { None } else { of_der(&leaf) }
}

fn bare_pem(value: &[u8]) -> Option<CertThumbprint> {
    let value = percent_decoded(value)?;
    base64_der(value.split(|byte| *byte == b',').next()?)
}

/// Percent-decoding in which every `%` must be followed by two hexadecimal digits, and `+` is a plus.
fn percent_decoded(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let well_formed = value
        .split(|byte| *byte == b'%')
        .skip(1)
        .all(|rest| matches!(rest, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()));
    well_formed.then(|| percent_decode(value).into())
}

fn of_der(der: &[u8]) -> Option<CertThumbprint> {
    // What is no certificate is nobody's: no token is bound to its digest.
    (!der.is_empty()).then(|| CertThumbprint::of_der(der))
}

/// The last element of an `X-Forwarded-Client-Cert` list: `Some(None)` when it names no certificate.
fn last_element(value: &[u8]) -> Option<Option<CertThumbprint>> {
    let value = std::str::from_utf8(value).ok()?;
    let mut elements = split_quoted(value, ',')?;
    let element = elements.pop()?;
    for earlier in elements {
        if split_quoted(earlier, ';')?.iter().any(|pair| is_name(pair)) {
            return None;
        }
    }
    let (mut hash, mut certificate) = (None, None);
    for pair in split_quoted(element, ';')? {
        let (key, value) = pair.split_once('=')?;
        let slot = match key.trim() {
            key if key.eq_ignore_ascii_case("Hash") => &mut hash,
            key if key.eq_ignore_ascii_case("Cert") => &mut certificate,
            _ => continue,
        };
        if slot.replace(unquoted(value.trim())?).is_some() {
            return None;
        }
    }
    let hash = match hash {
        Some(hash) => Some(CertThumbprint::from_digest(hex_digest(hash)?)),
        None => None,
    };
    match certificate {
        None => Some(hash),
        Some(pem) => {
            let certificate = escaped_pem(pem.as_bytes())?;
            // A proxy that contradicts itself is not one to be believed.
            hash.is_none_or(|hash| hash == certificate).then_some(Some(certificate))
        }
    }
}

/// Whether a pair holds a name out of the certificate that is written without quotes or escapes.
fn is_name(pair: &str) -> bool {
    let key = pair.split('=').next().unwrap_or(pair).trim();
    key.eq_ignore_ascii_case("URI") || key.eq_ignore_ascii_case("DNS")
}

/// Splits at separators outside of double quotes; `None` when a quote is not closed.
fn split_quoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text
        .split(|c: char| {
            let splits = c == separator && !quoted;
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ => {}
            }
            splits
        })
        .collect();
    (!quoted).then_some(parts)
}

/// A value with or without its quotes. What needs escapes is neither a digest nor a certificate.
fn unquoted(value: &str) -> Option<&str> {
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    (!inner.contains(['"', '\\'])).then_some(inner)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::encode_standard;

    const DER: &[u8] = &[0x30, 0x03, 0x02, 0x01, 0xff];

    fn pem() -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", encode_standard(DER))
    }

    fn escaped(text: &str) -> String {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    }

    fn hex(thumbprint: &CertThumbprint) -> String {
        thumbprint.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn mtls_11_mtls_14_reads_what_proxies_write() {
        use CertificateFormat as F;
        let (base64, own) = (encode_standard(DER), CertThumbprint::of_der(DER));
        let (pem, other) = (escaped(&pem()), hex(&CertThumbprint::of_der(b"0..")));
        let hash = hex(&own);
        for (format, value) in [
            (F::Rfc9440, format!(":{base64}:")),
            (F::EscapedPem, pem.clone()),
            (F::Base64Der, base64.clone()),
            (F::Traefik, base64.clone()),
            (F::Traefik, escaped(&base64)),
            (F::Traefik, format!("{base64},MDAw")),
            (F::Xfcc, format!("Hash={hash}")),
            (F::Xfcc, format!("By=spiffe://a;Hash={};Subject=\"CN=x,O=\\\"y;z\\\"\";URI=", hash.to_uppercase())),
            (F::Xfcc, format!("Cert=\"{pem}\"")),
            (F::Xfcc, format!("Hash={hash};Cert=\"{pem}\"")),
            (F::Xfcc, format!("Hash={other},Hash={hash}")),
            (F::Xfcc, format!("By=spiffe://a;Hash={other};Subject=\"CN=a\",Hash={hash};URI=spiffe://b;DNS=c")),
            (F::Xfcc, format!("Subject=\"CN=a,Hash={other}\",Hash={hash}")),
        ] {
            assert_eq!(format.read(value.as_bytes()), Ok(Some(own)), "{format:?} {value}");
        }
        for value in ["By=spiffe://a", "URI=a;URI=b"] {
            assert_eq!(F::Xfcc.read(value.as_bytes()), Ok(None), "an element without a certificate: {value}");
        }
        for format in [F::EscapedPem, F::Base64Der, F::Traefik, F::Xfcc] {
            assert_eq!(format.read(b""), Ok(None), "{format:?}");
        }
    }

    #[test]
    fn mtls_11_mtls_14_refuses_everything_else() {
        use CertificateFormat as F;
        let (base64, pem, hash) = (encode_standard(DER), pem(), hex(&CertThumbprint::of_der(DER)));
        let other = hex(&CertThumbprint::of_der(b"0.."));
        for (format, value) in [
            (F::Rfc9440, String::new()),
            (F::Rfc9440, base64.clone()),
            (F::Rfc9440, format!(":{base64}")),
            (F::Rfc9440, format!(":{base64}:, :{base64}:")),
            (F::Rfc9440, format!(":{base64}:;a=1")),
            (F::Rfc9440, escaped(&pem)),
            (F::Rfc9440, "::".to_owned()),
            (F::Rfc9440, ":MA=\u{e9}:".to_owned()),
            (F::EscapedPem, base64.clone()),
            (F::EscapedPem, escaped(&pem).replace("%0A", "%0")),
            (F::EscapedPem, escaped(&pem).replace("%0A", "%ZZ")),
            (F::EscapedPem, escaped(&format!("{pem}{pem}"))),
            (F::EscapedPem, escaped(&pem.replace("END", "BEGIN"))),
            (F::Base64Der, format!("{base64}=")),
            (F::Base64Der, format!("{base64}\n")),
            (F::Base64Der, base64.trim_end_matches('=').to_owned()),
            (F::Traefik, format!(",{base64}")),
            (F::Xfcc, "Hash".to_owned()),
            (F::Xfcc, format!("Hash={}", &hash[1..])),
            (F::Xfcc, format!("Hash=+{}", &hash[1..])),
            (F::Xfcc, format!("Hash={hash};Hash={hash}")),
            (F::Xfcc, format!("Hash={other};Cert=\"{}\"", escaped(&pem))),
            (F::Xfcc, format!("Hash=\"{hash}")),
            (F::Xfcc, format!("Hash={hash},")),
            (F::Xfcc, format!("Hash={base64}")),
            // Out of a certificate that its owner made, with a comma in a name: X-56.
            (F::Xfcc, format!("Hash={other};URI=x,Hash={hash}")),
            (F::Xfcc, format!("Hash={other};Subject=\"CN=a\";DNS=x,By=spiffe://a;Hash={hash};DNS=y")),
            (F::Xfcc, format!("Hash={other};URI=x\";DNS=y\",Hash={hash}")),
            (F::Xfcc, format!("Hash={other};URI=x;Hash={hash}")),
        ] {
            assert_eq!(format.read(value.as_bytes()), Err(CredentialError::ClientCertificate), "{format:?} {value}");
        }
        assert_eq!(F::Xfcc.read(b"Hash=\xff"), Err(CredentialError::ClientCertificate));
    }
}
