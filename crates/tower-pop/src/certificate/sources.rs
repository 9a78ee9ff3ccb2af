//! The configuration of client certificates: from the connection, or from header fields of trusted proxies.

use http::HeaderName;
use http::request::Parts;
use ipnet::IpNet;
use pop_core::certificate::CertificateFormat;
use pop_core::jose::CertThumbprint;

use crate::error::ConfigError;
use crate::peer::{self, UnixSocketPeer};

/// Which peers are proxies that are trusted to pass on the client's certificate.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ProxyTrust {
    /// Peers with an address in these networks. Needs [`PeerAddress`](crate::PeerAddress) or, with feature `axum`,
    /// `ConnectInfo`: serve with `app.into_make_service_with_connect_info::<SocketAddr>()`. A request without an address
    /// counts as one from an untrusted peer, and the log says so once.
    ///
    /// Security: every host that can connect from these networks can claim any certificate.
    Networks(Vec<IpNet>),
    /// Peers on a Unix domain socket: requests with [`UnixSocketPeer`](crate::UnixSocketPeer) in their extensions.
    UnixSocket,
    /// Peers that proved possession of one of these certificates in the TLS handshake.
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
///
/// ```
/// use tower_pop::{CertificateFormat, CertificateHeader};
///
/// let rfc9440 = CertificateHeader::new("Client-Cert")?;
/// let appended = CertificateHeader::with_format("X-Forwarded-Client-Cert", CertificateFormat::XfccList)?.max_len(32 * 1024);
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
///
/// # Security
/// The proxy must replace or remove the field on every request. If it appends, the values that the client sent come first. The
/// layer rejects such a field with 400 where the format shows it, but Traefik's format does not show it. For an Envoy that
/// appends, use [`CertificateFormat::XfccList`].
#[derive(Debug, Clone)]
#[must_use = "give it to ClientCertificates::from_proxies"]
pub struct CertificateHeader {
    pub(super) name: HeaderName,
    pub(super) format: CertificateFormat,
    pub(super) max_len: usize,
}

impl CertificateHeader {
    /// Creates a header field with a known format: `Client-Cert` (RFC 9440), `X-Forwarded-Client-Cert` (Envoy),
    /// `X-Forwarded-Tls-Client-Cert` (Traefik), `Ssl-Client-Cert`, `X-Ssl-Client-Escaped-Cert` (nginx), `X-Ssl-Client-Cert`
    /// (Apache httpd, nginx), `X-Ssl-Client-Der` (HAProxy).
    ///
    /// # Errors
    /// [`ConfigError::CertificateHeader`] for every other name: use [`with_format`](Self::with_format).
    pub fn new(name: &str) -> Result<Self, ConfigError> {
        let format =
            CertificateFormat::of_field(name).ok_or_else(|| ConfigError::CertificateHeader(name.to_owned()))?;
        Self::with_format(name, format)
    }

    /// Creates a header field with this name and format.
    ///
    /// # Errors
    /// [`ConfigError::CertificateHeader`] if the name is not a valid field name.
    pub fn with_format(name: &str, format: CertificateFormat) -> Result<Self, ConfigError> {
        let name = HeaderName::try_from(name).map_err(|_| ConfigError::CertificateHeader(name.to_owned()))?;
        Ok(Self { name, format, max_len: 16 * 1024 })
    }

    /// Sets the maximum length of the value in bytes. Longer values are rejected with 431. Defaults to 16 KiB. The server's own
    /// limit on header fields must be larger.
    pub fn max_len(mut self, bytes: usize) -> Self {
        self.max_len = bytes;
        self
    }
}

/// The sources of client certificates. Turns on tokens that are bound to a client certificate (`cnf.x5t#S256`, RFC 8705).
#[derive(Debug, Clone)]
#[must_use = "give it to PopConfigBuilder::client_certificates"]
pub struct ClientCertificates {
    pub(super) connection: bool,
    /// Each kind of proxy, with the one field that it sets or removes.
    pub(super) proxies: Vec<(ProxyTrust, Option<CertificateHeader>)>,
}

impl ClientCertificates {
    /// Reads certificates from the TLS connection: from [`PeerCertificate`](crate::PeerCertificate).
    pub const fn from_connection() -> Self {
        Self { connection: true, proxies: Vec::new() }
    }

    /// Reads certificates from a header field of trusted proxies.
    ///
    /// [`ProxyTrust::Networks`] needs the address of the peer in each request. With axum, this takes
    /// `into_make_service_with_connect_info`:
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

    /// Also reads certificates from a header field of these proxies. A proxy is trusted in its own field only: it may pass on
    /// the other fields as its clients sent them. A peer of two kinds counts as the kind that was added first.
    pub fn or_from_proxies(mut self, trust: ProxyTrust, header: CertificateHeader) -> Self {
        self.proxies.push((trust, Some(header)));
        self
    }

    /// Also trusts these peers, in the field that was added last.
    ///
    /// Without a field, as after [`from_connection`](Self::from_connection),
    /// [`build`](crate::PopConfigBuilder::build) returns [`ConfigError::CertificateProxies`].
    pub fn trust(mut self, trust: ProxyTrust) -> Self {
        let header = self.proxies.last().and_then(|(_, header)| header.clone());
        self.proxies.push((trust, header));
        self
    }
}
