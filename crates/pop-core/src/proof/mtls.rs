//! The client's certificate as a proxy passes it on, after it verified the handshake (RFC 8705 §6.5, RFC 9440).
//!
//! Only the certificate's digest is taken from here, and only the leaf's. Certificates are hashed as received and never
//! interpreted: chains, names and validity are the proxy's to judge. Who may send such a field at all is decided before.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use sfv::{BareItem, Item, Parser};

use super::xfcc;
use crate::CredentialError;
use crate::jose::{CertThumbprint, decode_standard};

/// How a proxy writes a certificate into a header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateFormat {
    /// One structured-field byte sequence of DER: `:MIIB…:` (RFC 9440 §2.1).
    Rfc9440,
    /// One certificate as PEM, percent-encoded: `$ssl_client_escaped_cert` of nginx.
    EscapedPem,
    /// One certificate as PEM in one line: with spaces or other white space for its line breaks, or without any, as
    /// `%{SSL_CLIENT_CERT}s` of Apache httpd; or percent-encoded. `(null)` stands for no certificate.
    Pem,
    /// One element of `Key=value` pairs with `Hash` or `Cert`: `X-Forwarded-Client-Cert` of an Envoy that replaces the
    /// field (`SANITIZE_SET`). A list is malformed.
    ///
    /// # Security
    /// In a list, all elements but the last may be an untrusted client's. Everything that Envoy does not write, and every
    /// field that can be read in two ways, is malformed.
    Xfcc,
    /// As [`Xfcc`](Self::Xfcc), and lists are accepted, of which the last element counts: the one that the proxy in front
    /// of the API appended. An earlier one with `URI` or `DNS` makes the field malformed: Envoy writes these names as the
    /// certificate has them, and a name may hold a comma and what looks like another element.
    ///
    /// # Security
    /// Choose this only where the last proxy appends (`APPEND_FORWARD`) and no other can replace the field. The last
    /// element is the certificate of that proxy's own peer.
    XfccList,
    /// Base64 of DER: `%[ssl_c_der,base64]` of HAProxy.
    Base64Der,
    /// PEM without its first and last line and without line breaks; the leaf comes first, then a comma and its chain:
    /// `X-Forwarded-Tls-Client-Cert` of Traefik.
    ///
    /// # Security
    /// The first certificate counts. Behind a proxy that appends to the field instead of replacing it, that one would be
    /// whatever the client sent, and nothing in the value tells.
    Traefik,
}

crate::names::named!("a certificate format", CertificateFormat {
    Rfc9440 = "rfc9440",
    EscapedPem = "escaped-pem",
    Pem = "pem",
    Xfcc = "xfcc",
    XfccList = "xfcc-list",
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
            ("x-ssl-client-cert", CertificateFormat::Pem),
            ("x-ssl-client-escaped-cert", CertificateFormat::EscapedPem),
            ("x-ssl-client-der", CertificateFormat::Base64Der),
        ];
        KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, format)| *format)
    }

    /// Reads the value of the only field line. An empty value, as proxies send it for clients without a certificate, is
    /// none; for [`Rfc9440`](Self::Rfc9440), where it is no byte sequence, it is malformed. `(null)` is none for
    /// [`Pem`](Self::Pem) alone.
    ///
    /// # Errors
    /// [`CredentialError::ClientCertificate`].
    pub fn read(self, value: &[u8]) -> Result<Option<CertThumbprint>, CredentialError> {
        if value.is_empty() && self != Self::Rfc9440 {
            return Ok(None);
        }
        let read = match self {
            Self::Rfc9440 => byte_sequence(value),
            Self::EscapedPem => one_escaped_pem(value),
            Self::Pem if value == b"(null)" => return Ok(None),
            Self::Pem => one_escaped_pem(value).or_else(|| one_pem(value)),
            Self::Base64Der => base64_der(value),
            Self::Traefik => bare_pem(value),
            Self::Xfcc | Self::XfccList => {
                let certificate = xfcc::read(value, self == Self::XfccList);
                return certificate.ok_or(CredentialError::ClientCertificate);
            }
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

/// The one certificate of a percent-encoded PEM text.
pub(super) fn one_escaped_pem(value: &[u8]) -> Option<CertThumbprint> {
    if !value.contains(&b'%') {
        return None; // a space or a line break is always escaped
    }
    one_pem(&percent_decoded(value)?)
}

/// The one certificate of a PEM text, and nothing before, between or behind its lines. Parsers of PEM skip what they do
/// not know: of a certificate that a proxy appended to a client's they would see the client's alone.
fn one_pem(pem: &[u8]) -> Option<CertThumbprint> {
    let pem = pem.trim_ascii().strip_prefix(b"-----BEGIN CERTIFICATE-----")?;
    let lines = pem.strip_suffix(b"-----END CERTIFICATE-----")?;
    let base64: Vec<u8> = lines.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    base64_der(&base64)
}

fn bare_pem(value: &[u8]) -> Option<CertThumbprint> {
    let value = percent_decoded(value)?;
    let mut certificates = value.split(|byte| *byte == b',').map(base64_der);
    let leaf = certificates.next()??;
    certificates.all(|issuer| issuer.is_some()).then_some(leaf)
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

    /// MTLS-11, MTLS-14: each format as its proxies write it.
    #[test]
    fn reads_what_proxies_write() {
        use CertificateFormat as F;
        let (base64, own) = (encode_standard(DER), CertThumbprint::of_der(DER));
        let (raw, pem) = (pem(), escaped(&pem()));
        let other = hex(&CertThumbprint::of_der(b"0.."));
        let hash = hex(&own);
        for (format, value) in [
            (F::Rfc9440, format!(":{base64}:")),
            (F::EscapedPem, pem.clone()),
            (F::EscapedPem, escaped(raw.trim_end())),
            (F::EscapedPem, escaped(&raw.replace('\n', "\r\n"))),
            // What `%{SSL_CLIENT_CERT}s` of Apache httpd 2.4 writes, and other ways to write PEM in one line.
            (F::Pem, raw.replace('\n', " ")),
            (F::Pem, raw.trim_end().replace('\n', " ")),
            (F::Pem, raw.replace('\n', "\t")),
            (F::Pem, raw.replace('\n', "  ")),
            (F::Pem, raw.replace('\n', "")),
            (F::Pem, raw.replace(&base64, &format!("{}\n{}", &base64[..4], &base64[4..])).replace('\n', " ")),
            (F::Pem, raw.clone()),
            (F::Pem, pem.clone()),
            (F::Base64Der, base64.clone()),
            (F::Traefik, base64.clone()),
            (F::Traefik, escaped(&base64)),
            (F::Traefik, format!("{base64},MDAw")),
            (F::Xfcc, format!("Hash={hash}")),
            (F::Xfcc, format!("hash={hash};SUBJECT=\"\"")),
            (F::Xfcc, format!("By=spiffe://a;Hash={};Subject=\"CN=x,O=\\\"y;z\\\"\";URI=", hash.to_uppercase())),
            (
                F::Xfcc,
                format!("By=spiffe://a;By=b?c=d;Hash={hash};Cert=\"{pem}\";Chain=\"{pem}{pem}\";URI=a=b;DNS=c;DNS=d"),
            ),
            (F::Xfcc, format!("Hash={hash};URI=\"a,b;c\\\"\"")),
            (F::Xfcc, format!("Hash={hash};Subject=\"CN=a,Hash={other}\"")),
            (F::Xfcc, format!("Cert=\"{pem}\"")),
            (F::Xfcc, format!("Hash={hash};Cert=\"{pem}\"")),
            (F::XfccList, format!("Hash={hash};Cert=\"{pem}\";URI=spiffe://b;DNS=c")),
            (F::XfccList, format!("Hash={other},Hash={hash}")),
            (F::XfccList, format!("Hash={other}, Hash={hash}")),
            (F::XfccList, format!("Hash={other},Cert=\"{pem}\"")),
            (F::XfccList, format!("By=spiffe://a;Hash={other};Subject=\"CN=a\",Hash={hash};URI=spiffe://b;DNS=c")),
            (F::XfccList, format!("Subject=\"CN=a,Hash={other}\",Hash={hash}")),
        ] {
            assert_eq!(format.read(value.as_bytes()), Ok(Some(own)), "{format:?} {value}");
        }
        for value in ["By=spiffe://a", "URI=a;URI=b", "Subject=\"CN=a\";DNS="] {
            assert_eq!(F::Xfcc.read(value.as_bytes()), Ok(None), "an element without a certificate: {value}");
        }
        let without = format!("Hash={hash},By=spiffe://a");
        assert_eq!(F::XfccList.read(without.as_bytes()), Ok(None), "the last element has no certificate");
        for format in [F::EscapedPem, F::Pem, F::Base64Der, F::Traefik, F::Xfcc, F::XfccList] {
            assert_eq!(format.read(b""), Ok(None), "{format:?}");
        }
        assert_eq!(F::Pem.read(b"(null)"), Ok(None), "Apache httpd without a certificate");
    }

    /// MTLS-11, MTLS-14, X-56: what can be read in two ways is malformed.
    #[test]
    fn rejects_everything_else() {
        use CertificateFormat as F;
        let (base64, pem, hash) = (encode_standard(DER), pem(), hex(&CertThumbprint::of_der(DER)));
        let other = hex(&CertThumbprint::of_der(b"0.."));
        let spaced = pem.trim_end().replace('\n', " ");
        for (format, value) in [
            (F::Rfc9440, String::new()),
            (F::Rfc9440, "(null)".to_owned()),
            (F::Rfc9440, base64.clone()),
            (F::Rfc9440, format!(":{base64}")),
            (F::Rfc9440, format!(":{base64}:, :{base64}:")),
            (F::Rfc9440, format!(":{base64}:;a=1")),
            (F::Rfc9440, format!(":{base64}:;a=\",:{base64}:")),
            (F::Rfc9440, escaped(&pem)),
            (F::Rfc9440, "::".to_owned()),
            (F::Rfc9440, ":MA=\u{e9}:".to_owned()),
            (F::EscapedPem, base64.clone()),
            (F::EscapedPem, "(null)".to_owned()),
            (F::EscapedPem, spaced.clone()),
            (F::EscapedPem, escaped(&pem).replace("%0A", "%0")),
            (F::EscapedPem, escaped(&pem).replace("%0A", "%ZZ")),
            (F::EscapedPem, escaped(&format!("{pem}{pem}"))),
            // Of these a lenient parser sees the first certificate alone: what a proxy appended counts for nothing.
            (F::EscapedPem, escaped(&format!("{},{pem}", pem.trim_end()))),
            (F::EscapedPem, format!("{},{}", escaped(pem.trim_end()), escaped(&pem))),
            (F::EscapedPem, escaped(&format!("{pem}x"))),
            (F::EscapedPem, escaped(&format!("x\n{pem}"))),
            (F::EscapedPem, escaped(&pem.replace("END", "BEGIN"))),
            (F::EscapedPem, escaped(&pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE"))),
            (F::EscapedPem, escaped(&pem.replace(&base64, ""))),
            (F::Pem, base64.clone()),
            (F::Pem, "(NULL)".to_owned()),
            (F::Pem, "null".to_owned()),
            (F::Pem, format!("(null) {spaced}")),
            (F::Pem, format!("{spaced} {spaced}")),
            (F::Pem, format!("{spaced}, {spaced}")),
            (F::Pem, format!("{spaced},(null)")),
            (F::Pem, format!("{spaced}{}", escaped(&pem))),
            (F::Pem, spaced.replace(&base64, &format!("{base64} {base64}"))),
            (F::Pem, spaced.replace("END", "END ")),
            (F::Pem, "-----BEGIN CERTIFICATE-----".to_owned()),
            (F::Base64Der, format!("{base64}=")),
            (F::Base64Der, format!("{base64}\n")),
            (F::Base64Der, format!("{base64},{base64}")),
            (F::Base64Der, "(null)".to_owned()),
            (F::Base64Der, base64.trim_end_matches('=').to_owned()),
            (F::Traefik, format!(",{base64}")),
            (F::Traefik, format!("{base64},")),
            (F::Traefik, format!("{base64}, {base64}")),
            (F::Traefik, format!("{base64},(null)")),
            (F::Traefik, spaced.clone()),
        ] {
            assert_eq!(format.read(value.as_bytes()), Err(CredentialError::ClientCertificate), "{format:?} {value}");
        }
        let escaped = escaped(&pem);
        let real = format!("By=spiffe://a;Hash={hash}");
        for value in [
            "Hash".to_owned(),
            "Hash=".to_owned(),
            "Cert=".to_owned(),
            "Cert=\"\"".to_owned(),
            format!("Hash={}", &hash[1..]),
            format!("Hash=+{}", &hash[1..]),
            format!("Hash={hash};Hash={hash}"),
            format!("Cert=\"{escaped}\";Cert=\"{escaped}\""),
            format!("Hash={hash};Subject=\"\";Subject=\"\""),
            format!("Hash={other};Cert=\"{escaped}\""),
            format!("Cert=\"{escaped}{escaped}\""),
            format!("Cert=\"{}\"", &escaped[..escaped.len() - 12]),
            format!("Hash=\"{hash}"),
            format!("Hash={hash}\""),
            format!("Hash=\"{hash}\"x"),
            format!("Hash={hash},"),
            format!(",Hash={hash}"),
            format!("Hash={hash};"),
            format!(";Hash={hash}"),
            format!("By=a;;Hash={hash}"),
            format!("By=a; Hash={hash}"),
            format!("Hash= {hash}"),
            format!("Hash ={hash}"),
            format!(" Hash={hash}"),
            format!("Hash={hash} "),
            format!("Hash={hash};Subject=\"a\" ;DNS=b"),
            format!("Hash={hash};Subject=\"a\tb\""),
            format!("Hash={hash};Subject=\"\u{e9}\""),
            format!("Hash={hash};Subject=\"a\\\""),
            format!("Hash={hash};Serial=1"),
            format!("Hash={hash};=1"),
            format!("Hash={base64}"),
            // Out of a certificate that its owner made, with a comma, a semicolon or a quote in a name: X-56.
            format!("Hash={other};URI=x,Hash={hash}"),
            format!("Hash={other};Subject=\"CN=a\";DNS=x,By=spiffe://a;Hash={hash};DNS=y"),
            format!("Hash={other};URI=x\";DNS=y\",Hash={hash}"),
            format!("Hash={other};URI=x;Hash={hash}"),
            format!("By=a;URI=x;Hash={hash}"),
            format!("By=a;DNS=x;Cert=\"{escaped}\""),
            // A quote that the client opens ends in what the proxy appends: X-56.
            format!("Hash={other};Subject=\"x,{real};Subject=\"CN=\\\"\""),
            format!("Hash={other};Subject=\"x,{real};Subject=\"\""),
            format!("Hash={other};Subject=\"x,{real};URI=y\""),
            format!("Hash={other};Subject=\"x\\,{real};DNS=y\""),
            format!("Hash={other};Subject=\"x\\\\, {real};DNS=y\";DNS=z"),
            format!("Hash={other};Subject=\"x,Hash={hash};URI=y\""),
            format!("Hash={other};Subject=\"x,hash={hash};URI=y\";URI="),
            format!("Hash={other};URI=\"x,{real};Subject=\"CN=a\";URI=y\""),
            format!("Hash={other};Cert=\"x,{real};Cert=\"{escaped}\""),
            format!("Cert=\"{escaped},{real};DNS=\""),
            format!("\"{real};DNS=\",{real}"),
        ] {
            for format in [F::Xfcc, F::XfccList] {
                let read = format.read(value.as_bytes());
                assert_eq!(read, Err(CredentialError::ClientCertificate), "{format:?} {value}");
            }
        }
        assert_eq!(F::Xfcc.read(b"Hash=\xff"), Err(CredentialError::ClientCertificate));
        for list in [format!("Hash={hash},Hash={hash}"), format!("By=a, Hash={hash}")] {
            assert_eq!(F::Xfcc.read(list.as_bytes()), Err(CredentialError::ClientCertificate), "a list: {list}");
            assert!(F::XfccList.read(list.as_bytes()).is_ok(), "the twin");
        }
        for bad_before in [format!("Hash={other};Hash={other},{real}"), format!("Hash={},{real}", &hash[1..])] {
            assert_eq!(
                F::XfccList.read(bad_before.as_bytes()),
                Err(CredentialError::ClientCertificate),
                "{bad_before}"
            );
        }
    }
}
