//! Where the client's certificate of a request comes from (RFC 8705 §6.5, RFC 9440).
//!
//! 1. From the TLS connection: [`PeerCertificate`] in the request extensions, put there by [`tls`](crate::tls) or by an
//!    acceptor of one's own.
//! 2. From a header field of a proxy that terminates TLS, and only from a proxy that the configuration trusts. On its
//!    requests the certificate of the connection is the proxy's and never counts as the client's.
//! 3. From anybody else such fields count as absent, and [`PopLayer`](crate::PopLayer) removes them before the
//!    application sees them.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use moka::sync::Cache;
use pop_core::CredentialError;
use pop_core::jose::CertThumbprint;
use pop_core::proof::mtls::CertificateFormat;

use crate::config::ConfigError;
use crate::origin::{NoAddress, UnixSocketPeer, peer, trusts};

/// Bytes of header values whose thumbprints are remembered.
const REMEMBERED: u64 = 8 << 20;

/// Fields in which proxies and load balancers put certificates or what they read in them. From others they are removed.
const FIELDS: [&str; 28] = [
    "client-cert",
    "client-cert-chain",
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
    "ssl-client-cert",
    "x-ssl-client-cert",
    "x-ssl-client-escaped-cert",
    "x-ssl-client-der",
    "x-ssl-client-verify",
    "x-ssl-client-fingerprint",
    "x-ssl-client-dn",
    "x-client-cert",
    "x-ssl-cert",
    "x-ssl-client-s-dn",
    "x-ssl-client-i-dn",
    "x-ssl-client-sha1",
    "x-ssl-client-serial",
    "ssl-client-verify",
    "ssl-client-subject-dn",
    "ssl-client-issuer-dn",
    "x-arr-clientcert",
    "x-amzn-mtls-clientcert",
    "x-amzn-mtls-clientcert-leaf",
    "x-amzn-mtls-clientcert-serial-number",
    "x-amzn-mtls-clientcert-issuer",
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-validity",
];

/// The end-entity certificate that the client proved to hold in the TLS handshake. Its thumbprint is computed once, when
/// it is made: once per connection. `Debug` shows the thumbprint.
///
/// Put it into the request extensions only when the handshake verified the client's `CertificateVerify`.
#[derive(Clone)]
pub struct PeerCertificate(Arc<Inner>);

struct Inner {
    der: Box<[u8]>,
    thumbprint: CertThumbprint,
}

impl PeerCertificate {
    /// A certificate as DER, which is hashed as it is.
    #[must_use]
    pub fn from_der(der: impl Into<Box<[u8]>>) -> Self {
        let der = der.into();
        let thumbprint = CertThumbprint::of_der(&der);
        Self(Arc::new(Inner { der, thumbprint }))
    }

    /// The DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The SHA-256 of the DER: what `cnf.x5t#S256` holds.
    #[must_use]
    pub fn thumbprint(&self) -> &CertThumbprint {
        &self.0.thumbprint
    }
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerCertificate({})", self.thumbprint())
    }
}

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
    fn includes(&self, parts: &Parts) -> bool {
        match self {
            Self::Networks(networks) => peer(parts).is_some_and(|peer| trusts(networks, peer)),
            Self::UnixSocket => parts.extensions.get::<UnixSocketPeer>().is_some(),
            Self::Certificates(known) => of_connection(parts)
                .is_some_and(|certificate| known.iter().any(|thumbprint| thumbprint == certificate.thumbprint())),
        }
    }
}

/// The header field in which a proxy passes the client's certificate.
#[derive(Debug, Clone)]
pub struct CertificateHeader {
    name: HeaderName,
    format: CertificateFormat,
    max_len: usize,
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
    connection: bool,
    /// Each with the one field that these proxies set or remove.
    proxies: Vec<(ProxyTrust, Option<CertificateHeader>)>,
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

    pub(crate) fn build(self, no_address: Arc<NoAddress>) -> Result<CertificatePolicy, ConfigError> {
        let proxies = self.proxies.into_iter().map(|(trust, header)| {
            let nobody = match &trust {
                ProxyTrust::Networks(networks) => networks.is_empty(),
                ProxyTrust::Certificates(known) => known.is_empty(),
                ProxyTrust::UnixSocket => false,
            };
            let header = header.filter(|_| !nobody).ok_or(ConfigError::CertificateProxies)?;
            Ok(Proxies::new(trust, header))
        });
        let proxies = proxies.collect::<Result<_, _>>()?;
        Ok(CertificatePolicy { connection: self.connection, proxies, no_address })
    }
}

/// The certificate of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) thumbprint: Option<CertThumbprint>,
    /// What a response that depends on the certificate must say in `Vary` (RFC 9440 §2.4).
    pub(crate) vary: Option<HeaderValue>,
}

/// The sources as the pipeline uses them.
#[derive(Debug)]
pub(crate) struct CertificatePolicy {
    connection: bool,
    proxies: Vec<Proxies>,
    no_address: Arc<NoAddress>,
}

impl CertificatePolicy {
    /// The client's certificate, from whom it may come.
    pub(crate) fn evidence(&self, parts: &Parts) -> Result<Evidence, CredentialError> {
        if let Some(proxies) = self.proxies_of(parts) {
            return Ok(Evidence { thumbprint: proxies.read(parts)?, vary: proxies.vary.clone() });
        }
        let by_address = |proxies: &Proxies| matches!(proxies.trust, ProxyTrust::Networks(_));
        if self.proxies.iter().any(by_address) && peer(parts).is_none() {
            self.no_address.warn(parts);
        }
        let certificate = of_connection(parts).filter(|_| self.connection);
        Ok(Evidence { thumbprint: certificate.map(|certificate| *certificate.thumbprint()), vary: None })
    }

    /// The kind of proxy that a request comes from.
    fn proxies_of(&self, parts: &Parts) -> Option<&Proxies> {
        self.proxies.iter().find(|proxies| proxies.trust.includes(parts))
    }

    /// Leaves of what claims to be the client's certificate only what is: removes every field that was not set by a
    /// trusted proxy, and puts the certificate of the connection where the application finds it.
    pub(crate) fn settle(&self, parts: &mut Parts) {
        let trusted = self.proxies_of(parts).map(|proxies| proxies.header.name.clone());
        let may_stay = |name: &str| {
            let chain = name == "client-cert-chain" && trusted.as_ref().is_some_and(|name| name == "client-cert");
            chain || trusted.as_ref().is_some_and(|trusted| trusted == name)
        };
        let configured = self.proxies.iter().map(|proxies| proxies.header.name.as_str());
        for name in FIELDS.into_iter().chain(configured).filter(|name| !may_stay(name)) {
            parts.headers.remove(name);
        }
        if self.connection
            && trusted.is_none()
            && parts.extensions.get::<PeerCertificate>().is_none()
            && let Some(certificate) = of_connection(parts).cloned()
        {
            parts.extensions.insert(certificate);
        }
    }
}

/// Proxies of one kind.
struct Proxies {
    trust: ProxyTrust,
    header: CertificateHeader,
    vary: Option<HeaderValue>,
    /// What was read before: a certificate is decoded and hashed once for each distinct value.
    seen: Cache<Box<[u8]>, Option<CertThumbprint>>,
}

impl Proxies {
    fn new(trust: ProxyTrust, header: CertificateHeader) -> Self {
        #[allow(clippy::borrowed_box)] // the signature that the cache asks for
        let weigh = |value: &Box<[u8]>, _: &Option<CertThumbprint>| {
            u32::try_from(value.len()).unwrap_or(u32::MAX).saturating_add(64)
        };
        let vary = HeaderValue::from_str(header.name.as_str()).ok();
        Self { trust, header, vary, seen: Cache::builder().max_capacity(REMEMBERED).weigher(weigh).build() }
    }

    fn read(&self, parts: &Parts) -> Result<Option<CertThumbprint>, CredentialError> {
        let header = &self.header;
        let mut lines = parts.headers.get_all(&header.name).iter();
        let Some(line) = lines.next() else {
            // RFC 9440 §2.3: a chain says nothing without the certificate it leads to.
            let chain = header.format == CertificateFormat::Rfc9440 && parts.headers.contains_key("client-cert-chain");
            return if chain { Err(CredentialError::ClientCertificate) } else { Ok(None) };
        };
        if lines.next().is_some() {
            return Err(CredentialError::ClientCertificate);
        }
        let value = line.as_bytes();
        if value.len() > header.max_len {
            return Err(CredentialError::ClientCertificateTooLarge);
        }
        if let Some(thumbprint) = self.seen.get(value) {
            return Ok(thumbprint);
        }
        let thumbprint = header.format.read(value)?;
        self.seen.insert(value.into(), thumbprint);
        Ok(thumbprint)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("trust", &self.trust).field("header", &self.header).finish_non_exhaustive()
    }
}

fn of_connection(parts: &Parts) -> Option<&PeerCertificate> {
    if let Some(certificate) = parts.extensions.get::<PeerCertificate>() {
        return Some(certificate);
    }
    #[cfg(all(feature = "axum", feature = "rustls"))]
    if let Some(axum::extract::ConnectInfo(peer)) =
        parts.extensions.get::<axum::extract::ConnectInfo<crate::tls::TlsPeer>>()
    {
        return peer.certificate.as_ref();
    }
    None
}
