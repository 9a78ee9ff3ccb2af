//! The peer of a connection: its address, and the certificate that it proved to hold.

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
/// Elsewhere put it into the extensions of each request of the connection:
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
/// Where neither is there, no peer counts as a proxy, and the log says so once for each configuration.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// Marks requests that came over a Unix domain socket, for
/// [`ProxyTrust::UnixSocket`](crate::ProxyTrust::UnixSocket). Put it into the request extensions where the socket is
/// accepted, for example with a layer around the whole application.
#[derive(Debug, Clone, Copy)]
pub struct UnixSocketPeer;

/// The end-entity certificate that the client proved to hold in the TLS handshake. Its thumbprint is computed once, when
/// it is made: once per connection. `Debug` shows the thumbprint.
///
/// Put it into the request extensions only when the handshake verified the client's `CertificateVerify`.
#[derive(Clone)]
pub struct PeerCertificate(Arc<Certificate>);

struct Certificate {
    der: Box<[u8]>,
    thumbprint: CertThumbprint,
}

impl PeerCertificate {
    /// A certificate as DER, which is hashed as it is.
    #[must_use]
    pub fn from_der(der: impl Into<Box<[u8]>>) -> Self {
        let der = der.into();
        let thumbprint = CertThumbprint::of_der(&der);
        Self(Arc::new(Certificate { der, thumbprint }))
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

#[cfg(feature = "rustls")]
/// The other end of a TLS connection, computed once per connection: `ConnectInfo<TlsPeer>` with feature `axum`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TlsPeer {
    /// Its address.
    pub address: Option<std::net::SocketAddr>,
    /// The certificate that it proved to hold.
    pub certificate: Option<PeerCertificate>,
}

/// Warns once that proxies are to be recognised by their addresses and a request has none.
#[derive(Debug, Default)]
pub(crate) struct MissingAddressWarning(AtomicBool);

impl MissingAddressWarning {
    /// To be called for a request without an address that is of no known proxy.
    pub(crate) fn warn(&self, parts: &Parts) {
        // A Unix socket has no address.
        let expected = parts.extensions.get::<UnixSocketPeer>().is_some();
        if !expected && !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "proxies are recognised by their addresses, and requests carry none: no peer counts as a proxy. Serve with \
                 into_make_service_with_connect_info::<SocketAddr>(), or put PeerAddress into the request extensions"
            );
        }
    }
}

/// Returns whether a peer is in one of these networks.
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

/// Returns the certificate of the connection, if the request carries it.
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
