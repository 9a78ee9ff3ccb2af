//! The formats in which proxies pass the client's certificate in a header field (RFC 8705 §6.5, RFC 9440).
//!
//! The result is the thumbprint of the end-entity certificate. Certificates are hashed as received and never parsed: the
//! proxy verifies chain, names and validity. The caller decides whether the sender of the field is trusted.

use sfv::{BareItem, Item, Parser};

use super::pem::{bare_pem, base64_der, of_der, one_escaped_pem, one_pem};
use super::xfcc;
use crate::CredentialError;
use crate::jose::CertThumbprint;

/// The format of a header field that carries a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateFormat {
    /// One structured-field byte sequence of DER: `:MIIB…:` (RFC 9440 §2.1).
    Rfc9440,
    /// One certificate as PEM, percent-encoded: `$ssl_client_escaped_cert` of nginx.
    EscapedPem,
    /// One certificate as PEM in one line, with or without white space in place of its line breaks, as
    /// `%{SSL_CLIENT_CERT}s` of Apache httpd; or percent-encoded. `(null)` means no certificate.
    Pem,
    /// One element of `Key=value` pairs with `Hash` or `Cert`: `X-Forwarded-Client-Cert` of an Envoy that replaces the
    /// field (`SANITIZE_SET`). A list is malformed.
    ///
    /// # Security
    /// In a list, an untrusted client may have written all elements but the last. Anything that Envoy does not write, and
    /// any field that can be read in two ways, is malformed.
    Xfcc,
    /// Like [`Xfcc`](Self::Xfcc), but a list is accepted. Its last element counts: the one that the proxy in front of the
    /// API appended. An earlier element with `URI` or `DNS` makes the field malformed: Envoy writes these names as they
    /// are in the certificate, and a name may contain a comma and what looks like another element.
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
    /// The first certificate counts. If a proxy appends to the field instead of replacing it, the first certificate is the
    /// one that the client sent, and the value does not show that.
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
    /// Returns the format of a well-known field name, ignoring case: `Client-Cert`,
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

    /// Reads the value of the only field line. Proxies send an empty value for clients without a certificate: it means no
    /// certificate, except for [`Rfc9440`](Self::Rfc9440), where it is malformed. `(null)` means no certificate for
    /// [`Pem`](Self::Pem) only.
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
