//! TLS with optional client certificates (RFC 8705), by rustls. Feature `rustls`.
//!
//! The server requests a client certificate but does not require one. Without a certificate the handshake succeeds, and the
//! layer rejects requests whose token is bound to a certificate.
//!
//! ```no_run
//! # #[cfg(feature = "axum")] async fn serve(
//! #     chain: Vec<rustls::pki_types::CertificateDer<'static>>,
//! #     key: rustls::pki_types::PrivateKeyDer<'static>,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//! use tower_pop::tls::{self, TlsPeer};
//! use tower_pop::{ClientCertificates, PopConfig, PopLayer};
//!
//! let cfg = PopConfig::builder("https://as.example", "https://api.example")
//!     .client_certificates(ClientCertificates::from_connection())
//!     .build()?;
//! let app = Router::new().route("/notes", get(|| async { "notes" })).layer(PopLayer::new(cfg));
//!
//! let tls = tls::server_config(chain, key, tls::any_client_certificate())?;
//! let listener = tls::listener(tokio::net::TcpListener::bind("0.0.0.0:443").await?, tls);
//! axum::serve(listener, app.into_make_service_with_connect_info::<TlsPeer>()).await?;
//! # Ok(()) }
//! ```
//!
//! Which certificates are accepted is a choice: [`any_client_certificate`], [`client_certificate_under`] or
//! [`no_client_certificate`]. RFC 8705 §6.2 lets a resource server accept any certificate, because the token is bound to the
//! certificate itself. The handshake always verifies that the client holds the key of its certificate. A resumed session has
//! the certificate of the handshake that it resumes, or none.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, ServerConnection, SignatureScheme,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use crate::peer::TlsPeer;
use crate::peer::{PeerAddress, PeerCertificate};

/// Accepts TCP connections and completes their TLS handshakes: many at the same time, each within ten seconds.
pub type TlsListener = tls_listener::TlsListener<TcpListener, TlsAcceptor>;

/// Returns a configuration for TLS 1.2 and 1.3, with HTTP/2 and HTTP/1.1 by ALPN, and without early data.
///
/// # Errors
/// If the key cannot be used, or does not match the certificate.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    client_certificates: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(client_certificates)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Returns a listener that serves TLS on a TCP listener.
///
/// With feature `axum`, `axum::serve` takes it. With another server, accept connections from it, read the peer with
/// [`TlsPeer::of`], and add the peer to each request of the connection with [`TlsPeer::extend`].
#[must_use]
pub fn listener(tcp: TcpListener, config: ServerConfig) -> TlsListener {
    TlsListener::new(TlsAcceptor::from(Arc::new(config)), tcp)
}

/// Requests a certificate, and accepts any certificate whose key the client proves to hold: also self-signed and expired ones.
///
/// # Security
/// The certificate proves nothing but possession of its key. Use it only for tokens that are bound to a certificate, never its
/// names as the identity of the client.
#[must_use]
pub fn any_client_certificate() -> Arc<dyn ClientCertVerifier> {
    Arc::new(AnyCertificate { provider: provider() })
}

/// Requests no certificate.
#[must_use]
pub fn no_client_certificate() -> Arc<dyn ClientCertVerifier> {
    WebPkiClientVerifier::no_client_auth()
}

/// Requests a certificate. If the client sends one, it must be valid and issued under one of these roots.
///
/// # Errors
/// If there are no roots.
pub fn client_certificate_under(
    roots: impl Into<Arc<RootCertStore>>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).allow_unauthenticated().build()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

impl TlsPeer {
    /// Returns the peer of a connection whose handshake is complete.
    #[must_use]
    pub fn of(stream: &TlsStream<TcpStream>) -> Self {
        let (tcp, connection) = stream.get_ref();
        Self { address: tcp.peer_addr().ok(), certificate: PeerCertificate::of_connection(connection) }
    }

    /// Puts [`PeerAddress`] and [`PeerCertificate`] into the extensions of a request of this connection. Not needed with axum's
    /// `ConnectInfo<TlsPeer>`, which the layer reads itself.
    pub fn extend(&self, extensions: &mut http::Extensions) {
        if let Some(address) = self.address {
            extensions.insert(PeerAddress(address.ip()));
        }
        if let Some(certificate) = &self.certificate {
            extensions.insert(certificate.clone());
        }
    }
}

impl PeerCertificate {
    /// Returns the end-entity certificate of a connection whose handshake is complete; `None` if the client sent none.
    #[must_use]
    pub fn of_connection(connection: &ServerConnection) -> Option<Self> {
        connection.peer_certificates()?.first().map(|certificate| Self::from_der(certificate.as_ref()))
    }
}

#[cfg(feature = "axum")]
impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, TlsListener>> for TlsPeer {
    fn connect_info(stream: axum::serve::IncomingStream<'_, TlsListener>) -> Self {
        // The address from `accept`: the socket does not know it any more if the peer has disconnected.
        Self { address: Some(*stream.remote_addr()), ..Self::of(stream.io()) }
    }
}

/// Verifies the signature of the handshake, which proves possession of the key, and nothing else about the certificate.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
