//! Proxies that terminate TLS and pass the certificate of the client.

use std::error::Error;

use clap::Args;
use ipnet::IpNet;
use tower_pop::{CertificateFormat, CertificateHeader, ClientCertificates, ProxyTrust};

use super::names::by_name;

#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// A network of proxies whose certificate header is trusted, such as 10.0.0.0/8. Repeatable.
    #[arg(
        long,
        env = "POP_TRUSTED_PROXY",
        value_delimiter = ',',
        requires = "client_cert_header",
        requires = "issuer"
    )]
    trusted_proxy: Vec<IpNet>,
    /// The header field in which the proxies pass the client certificate, such as Client-Cert.
    #[arg(long, env = "POP_CLIENT_CERT_HEADER", requires = "trusted_proxy")]
    client_cert_header: Option<String>,
    /// The format of the header field [default: the usual format of a field with that name].
    #[arg(
        long,
        env = "POP_CLIENT_CERT_FORMAT",
        requires = "client_cert_header",
        value_parser = by_name::<CertificateFormat>(CertificateFormat::ALL.iter().map(|format| format.name()))
    )]
    client_cert_format: Option<CertificateFormat>,
}

impl ProxyArgs {
    /// Returns whether proxies are trusted. They are recognised by their addresses.
    pub(crate) const fn is_trusted(&self) -> bool {
        !self.trusted_proxy.is_empty()
    }

    /// Returns the sources of client certificates, with the trusted proxies added.
    pub(crate) fn add_to(
        &self,
        certificates: Option<ClientCertificates>,
    ) -> Result<Option<ClientCertificates>, Box<dyn Error>> {
        let Some(name) = &self.client_cert_header else {
            return Ok(certificates);
        };
        let header = match self.client_cert_format {
            None => CertificateHeader::new(name)?,
            Some(format) => CertificateHeader::with_format(name, format)?,
        };
        let trust = ProxyTrust::Networks(self.trusted_proxy.clone());
        Ok(Some(match certificates {
            Some(certificates) => certificates.or_from_proxies(trust, header),
            None => ClientCertificates::from_proxies(trust, header),
        }))
    }
}
