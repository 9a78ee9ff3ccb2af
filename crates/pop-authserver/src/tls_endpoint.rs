//! The TLS listener of a server, which requests client certificates (RFC 8705).

use std::net::SocketAddr;

use pop_core::target::Origin;
use rcgen::CertifiedKey;
use tokio::net::TcpListener;
use tower_pop::tls::{self, TlsListener};

use crate::error::{CertificateError, StartError};

/// The origin of the TLS listener and its certificate.
pub(crate) struct TlsEndpoint {
    origin: Origin,
    certificate_pem: String,
}

impl TlsEndpoint {
    /// Listens with a new self-signed certificate.
    pub(crate) async fn listen(address: SocketAddr) -> Result<(TlsListener, Self), StartError> {
        let names = vec!["localhost".to_owned(), address.ip().to_string()];
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).map_err(CertificateError::new)?;
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = tls::server_config(vec![cert.der().clone()], key.into(), tls::any_client_certificate())
            .map_err(CertificateError::new)?;
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let issuer = format!("https://{}", listener.local_addr().map_err(StartError::LocalAddress)?);
        let origin = match Origin::of(&issuer) {
            Ok(origin) => origin,
            Err(source) => return Err(StartError::Issuer { issuer, source }),
        };
        let endpoint = Self { origin, certificate_pem: cert.pem() };
        Ok((tls::listener(listener, config), endpoint))
    }

    /// Returns `https://` and the address.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }
}
