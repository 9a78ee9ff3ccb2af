//! The peer of a connection: its address, and the certificate whose key it holds.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::request::Parts;
use ipnet::IpNet;
use pop_core::jose::CertThumbprint;

/// The address of the peer of the connection, for [`trusted_proxies`](crate::PopConfigBuilder::trusted_proxies) and
/// [`ProxyTrust::Networks`](crate::ProxyTrust::Networks). With feature `axum`, `ConnectInfo<SocketAddr>` serves as well:
/// serve with `app.into_make_service_with_connect_info::<SocketAddr>()`, not with `app` alone.
///
/// Otherwise put it into the extensions of each request of the connection:
///
/// ```
/// use http::Request;
/// use tower_pop::PeerAddress;
///
/// # let accepted = std::net::SocketAddr::from(([10, 0, 0, 1], 4711));
/// let mut request = Request::new("body");
/// request.extensions_mut().insert(PeerAddress(accepted.ip()));
/// ```
///
/// Without an address, a peer never counts as a proxy. The log says so once for each configuration.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// Marks requests that came over a Unix domain socket, for
/// [`ProxyTrust::UnixSocket`](crate::ProxyTrust::UnixSocket). Put it into the extensions of each request of such a
/// connection, for example with a layer around the whole application:
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Extension, Router};
/// use tower_pop::UnixSocketPeer;
///
/// # let app = Router::<()>::new();
/// let app = app.layer(Extension(UnixSocketPeer));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct UnixSocketPeer;

/// The end-entity certificate of the client, whose key it proved to hold in the TLS handshake. The thumbprint is computed once,
/// by [`from_der`](Self::from_der), so create the certificate once per connection. `Debug` shows the thumbprint.
///
/// # Security
/// Put it into the request extensions only if the handshake verified the client's `CertificateVerify`. Otherwise clients can
/// claim any certificate.
#[derive(Clone)]
pub struct PeerCertificate(Arc<Certificate>);

struct Certificate {
    der: Box<[u8]>,
    thumbprint: CertThumbprint,
}

impl PeerCertificate {
    /// Creates a certificate from its DER. The DER is hashed, not parsed.
    #[must_use]
    pub fn from_der(der: impl Into<Box<[u8]>>) -> Self {
        let der = der.into();
        let thumbprint = CertThumbprint::of_der(&der);
        Self(Arc::new(Certificate { der, thumbprint }))
    }

    /// Returns the DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Returns the SHA-256 of the DER, as in `cnf.x5t#S256`.
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

/// The peer of a TLS connection, created once per connection. With feature `axum` it is used as `ConnectInfo<TlsPeer>`.
#[cfg(feature = "rustls")]
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TlsPeer {
    /// The address of the peer.
    pub address: Option<std::net::SocketAddr>,
    /// The certificate whose key the peer proved to hold.
    pub certificate: Option<PeerCertificate>,
}

/// Logs once that proxies are recognized by address but a request has no address.
#[derive(Debug, Default)]
pub(crate) struct MissingAddressWarning(AtomicBool);

impl MissingAddressWarning {
    /// Logs the warning. Called for a request without an address that comes from no known proxy.
    pub(crate) fn warn(&self, parts: &Parts) {
        // A Unix socket has no address.
        let expected = parts.extensions.get::<UnixSocketPeer>().is_some();
        if !expected && !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "proxies are recognized by address, but requests carry no address: no peer counts as a proxy. Serve with \
                 into_make_service_with_connect_info::<SocketAddr>(), or put PeerAddress into the request extensions"
            );
        }
    }
}

/// Returns whether the address of a peer is in one of these networks. An IPv4-mapped IPv6 address counts as IPv4.
pub(crate) fn is_in(networks: &[IpNet], peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    networks.iter().any(|network| network.contains(&peer))
}

/// Returns the address of the peer, if the request carries it.
pub(crate) fn address(parts: &Parts) -> Option<IpAddr> {
    if let Some(PeerAddress(address)) = parts.extensions.get() {
        return Some(*address);
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(address)) =
        parts.extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>()
    {
        return Some(address.ip());
    }
    #[cfg(all(feature = "axum", feature = "rustls"))]
    if let Some(axum::extract::ConnectInfo(peer)) = parts.extensions.get::<axum::extract::ConnectInfo<TlsPeer>>() {
        return peer.address.map(|address| address.ip());
    }
    None
}

/// Returns the certificate of the peer, if the request carries it.
pub(crate) fn certificate(parts: &Parts) -> Option<&PeerCertificate> {
    if let Some(certificate) = parts.extensions.get::<PeerCertificate>() {
        return Some(certificate);
    }
    #[cfg(all(feature = "axum", feature = "rustls"))]
    if let Some(axum::extract::ConnectInfo(peer)) = parts.extensions.get::<axum::extract::ConnectInfo<TlsPeer>>() {
        return peer.certificate.as_ref();
    }
    None
}
