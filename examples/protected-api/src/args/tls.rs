//! TLS in this program.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tower_pop::tls;

#[derive(Debug, Args)]
pub(crate) struct TlsArgs {
    /// Serve TLS with this certificate chain (PEM file).
    #[arg(long, env = "POP_TLS_CERT", requires = "tls_key", requires = "issuer")]
    tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert (PEM file).
    #[arg(long, env = "POP_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Request client certificates that these CAs issued (PEM file).
    #[arg(long, env = "POP_CLIENT_CA", requires = "tls_cert", conflicts_with = "client_cert_any")]
    client_ca: Option<PathBuf>,
    /// Request client certificates and accept any, including self-signed ones. Tokens are bound to the certificate
    /// itself.
    #[arg(long, env = "POP_CLIENT_CERT_ANY", requires = "tls_cert")]
    client_cert_any: bool,
}

impl TlsArgs {
    pub(crate) const fn requests_certificates(&self) -> bool {
        self.client_cert_any || self.client_ca.is_some()
    }

    /// Returns the TLS configuration, if TLS is on.
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

/// Returns an error that names the file.
fn named(path: &Path, error: &dyn std::fmt::Display) -> Box<dyn Error> {
    format!("{}: {error}", path.display()).into()
}
