//! The configuration of client certificates: from the connection, and from which proxies in which field.

use http::HeaderName;
use http::request::Parts;
use ipnet::IpNet;
use pop_core::certificate::CertificateFormat;
use pop_core::jose::CertThumbprint;

use crate::error::ConfigError;
use crate::peer::{self, UnixSocketPeer};

/// Which peers are proxies that may speak for a client's certificate.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ProxyTrust {
    /// Peers with an address in these networks. Needs [`PeerAddress`](crate::PeerAddress) or, with feature `axum`,
    /// `ConnectInfo`: serve with `app.into_make_service_with_connect_info::<SocketAddr>()`. A request without an address
    /// comes from no proxy, and the log says so once. Whoever can send packets from there can claim any certificate.
    Networks(Vec<IpNet>),
    /// Peers on a Unix domain socket: requests with [`UnixSocketPeer`](crate::UnixSocketPeer).
    UnixSocket,
    /// Peers that proved in the TLS handshake to hold one of these certificates.
    Certificates(Vec<CertThumbprint>),
}

impl ProxyTrust {
    pub(super) fn includes(&self, parts: &Parts) -> bool {
        match self {
            Self::Networks(networks) => peer::address(parts).is_some_and(|peer| peer::is_in(networks, peer)),
            Self::UnixSocket => parts.extensions.get::<UnixSocketPeer>().is_some(),
            Self::Certificates(known) => peer::certificate(parts)
                .is_some_and(|certificate| known.iter().any(|thumbprint| thumbprint == certificate.thumbprint())),
        }
    }
}

/// The header field in which a proxy passes the client's certificate.
#[derive(Debug, Clone)]
pub struct CertificateHeader {
    pub(super) name: HeaderName,
    pub(super) format: CertificateFormat,
    pub(super) max_len: usize,
}

impl CertificateHeader {
    /// A field by name, in the format that goes with it: `Client-Cert` (RFC 9440), `X-Forwarded-Client-Cert` (Envoy),
    /// `X-Forwarded-Tls-Client-Cert` (Traefik), `Ssl-Client-Cert`, `X-Ssl-Client-Escaped-Cert` (nginx), `X-Ssl-Client-Cert`
    /// (Apache httpd, nginx), `X-Ssl-Client-Der` (HAProxy).
    ///
    /// # Security
    /// The proxy must replace the field or remove it, on every request. One that appends leaves what the client sent in
    /// front of its own word. That is answered with 400 where it can be told, and cannot be told in Traefik's format. For
    /// an Envoy that appends choose [`CertificateFormat::XfccList`].
    ///
    /// # Errors
    /// [`ConfigError::CertificateHeader`] for every other name: say its format with [`with_format`](Self::with_format).
    pub fn new(name: &str) -> Result<Self, ConfigError> {
        let format =
            CertificateFormat::of_field(name).ok_or_else(|| ConfigError::CertificateHeader(name.to_owned()))?;
        Self::with_format(name, format)
    }

    /// A field by name, in this format.
    ///
    /// # Errors
    /// [`ConfigError::CertificateHeader`] when the name is none.
    pub fn with_format(name: &str, format: CertificateFormat) -> Result<Self, ConfigError> {
        let name = HeaderName::try_from(name).map_err(|_| ConfigError::CertificateHeader(name.to_owned()))?;
        Ok(Self { name, format, max_len: 16 * 1024 })
    }

    /// Sets the longest value in bytes; a longer one is answered with 431. Defaults to 16 KiB. The server's own limit on
    /// header fields must leave room for it.
    #[must_use]
    pub fn max_len(mut self, bytes: usize) -> Self {
        self.max_len = bytes;
        self
    }
}

/// Turns on tokens that are bound to a client certificate (`cnf.x5t#S256`), and says where certificates come from.
#[derive(Debug, Clone)]
#[must_use = "give it to PopConfigBuilder::client_certificates"]
pub struct ClientCertificates {
    pub(super) connection: bool,
    /// Each with the one field that these proxies set or remove.
    pub(super) proxies: Vec<(ProxyTrust, Option<CertificateHeader>)>,
}

impl ClientCertificates {
    /// From the TLS connection: [`PeerCertificate`].
    pub const fn from_connection() -> Self {
        Self { connection: true, proxies: Vec::new() }
    }

    /// From a header field of trusted proxies.
    ///
    /// [`ProxyTrust::Networks`] needs the address of the peer in each request, which axum gives only when it is asked for:
    ///
    /// ```no_run
    /// # #[cfg(feature = "axum")]
    /// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::net::SocketAddr;
    ///
    /// use axum::{Router, routing::get};
    /// use tower_pop::{CertificateHeader, ClientCertificates, PopConfig, PopLayer, ProxyTrust};
    ///
    /// let proxies = ProxyTrust::Networks(vec!["10.0.0.0/8".parse()?]);
    /// let certificates = ClientCertificates::from_proxies(proxies, CertificateHeader::new("Client-Cert")?);
    /// let cfg =
    ///     PopConfig::builder("https://as.example", "https://api.example").client_certificates(certificates).build()?;
    /// let app = Router::new().route("/", get(|| async { "hello" })).layer(PopLayer::new(cfg));
    /// let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await?;
    /// axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    /// # Ok(()) }
    /// ```
    pub fn from_proxies(trust: ProxyTrust, header: CertificateHeader) -> Self {
        Self { connection: false, proxies: vec![(trust, Some(header))] }
    }

    /// From a header field of trusted proxies as well. Of several kinds of proxies each is believed in its own field only:
    /// in the others it may pass on what its clients invent. A peer that is of two kinds counts as the one said first.
    pub fn or_from_proxies(mut self, trust: ProxyTrust, header: CertificateHeader) -> Self {
        self.proxies.push((trust, Some(header)));
        self
    }

    /// Trusts these peers, too, in the field that was said last.
    pub fn trust(mut self, trust: ProxyTrust) -> Self {
        let header = self.proxies.last().and_then(|(_, header)| header.clone());
        self.proxies.push((trust, header));
        self
    }
}
