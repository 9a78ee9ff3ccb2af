//! TLS, and proxies that terminate it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use ipnet::IpNet;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tower_pop::{CertificateFormat, CertificateHeader, ClientCertificates, ProxyTrust, tls};

use super::by_name;

/// TLS of our own.
#[derive(Debug, Args)]
pub(crate) struct TlsArgs {
    /// Serve TLS with this certificate chain (PEM).
    #[arg(long, env = "POP_TLS_CERT", requires = "tls_key", requires = "issuer")]
    tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert (PEM).
    #[arg(long, env = "POP_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Ask for client certificates under these authorities (PEM).
    #[arg(long, env = "POP_CLIENT_CA", requires = "tls_cert", conflicts_with = "client_cert_any")]
    client_ca: Option<PathBuf>,
    /// Ask for client certificates and accept any, self-signed ones included: tokens are bound to the certificate itself.
    #[arg(long, env = "POP_CLIENT_CERT_ANY", requires = "tls_cert")]
    client_cert_any: bool,
}

impl TlsArgs {
    pub(crate) const fn asks_for_certificates(&self) -> bool {
        self.client_cert_any || self.client_ca.is_some()
    }

    /// The TLS configuration, if there is to be TLS.
    pub(crate) fn server_config(&self) -> Result<Option<ServerConfig>, Box<dyn Error>> {
        let (Some(chain), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| named(key, &error))?;
        let chain = certificates(chain)?;
        let config = match &self.client_ca {
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| named(path, &error))?;
                }
                tls::server_config(chain, key, tls::client_certificate_under(Arc::new(roots))?)?
            }
            None if self.client_cert_any => tls::server_config(chain, key, tls::any_client_certificate())?,
            None => tls::server_config(chain, key, tls::no_client_certificate())?,
        };
        Ok(Some(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Box<dyn Error>> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let chain = read().map_err(|error| named(path, &error))?;
    if chain.is_empty() { Err(named(path, &"no certificate")) } else { Ok(chain) }
}

fn named(path: &Path, error: &dyn std::fmt::Display) -> Box<dyn Error> {
    format!("{}: {error}", path.display()).into()
}

/// A proxy that terminates TLS and passes the client's certificate.
#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// Network of proxies that may speak for a client's certificate; may be repeated.
    #[arg(
        long,
        env = "POP_TRUSTED_PROXY",
        value_delimiter = ',',
        requires = "client_cert_header",
        requires = "issuer"
    )]
    trusted_proxy: Vec<IpNet>,
    /// Header field in which they pass it, such as Client-Cert.
    #[arg(long, env = "POP_CLIENT_CERT_HEADER", requires = "trusted_proxy")]
    client_cert_header: Option<String>,
    /// How they write it [default: as is usual in a field of that name].
    #[arg(
        long,
        env = "POP_CLIENT_CERT_FORMAT",
        requires = "client_cert_header",
        value_parser = by_name::<CertificateFormat>(CertificateFormat::ALL.iter().map(|format| format.name()))
    )]
    client_cert_format: Option<CertificateFormat>,
}

impl ProxyArgs {
    /// Whether there are proxies at all, which are told by their addresses.
    pub(crate) const fn is_trusted(&self) -> bool {
        !self.trusted_proxy.is_empty()
    }

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
