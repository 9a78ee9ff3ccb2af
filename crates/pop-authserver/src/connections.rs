//! Accepting connections, plain and over TLS. All of them end with the future that serves them.

use std::net::SocketAddr;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use pop_core::target::Origin;
use rcgen::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower_pop::tls::{self, TlsListener, TlsPeer};

use crate::error::StartError;

/// Pause after a failed accept, which may mean that file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where a server accepts connections: plain, and over TLS if it is to see client certificates.
pub struct Listeners {
    plain: TcpListener,
    tls: Option<TlsListener>,
}

impl From<TcpListener> for Listeners {
    fn from(plain: TcpListener) -> Self {
        Self { plain, tls: None }
    }
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners").field("plain", &self.plain).field("tls", &self.tls.is_some()).finish()
    }
}

impl Listeners {
    pub(crate) fn and_tls(self, tls: TlsListener) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The plain listener may be anybody's; that for TLS is made here.
    pub(crate) fn check_loopback(&self) -> Result<(), StartError> {
        let address = self.plain.local_addr()?;
        if address.ip().is_loopback() { Ok(()) } else { Err(StartError::NotLoopback(address)) }
    }

    /// Serves until dropped.
    pub(crate) async fn serve(self, router: Router) {
        let encrypted = async {
            match self.tls {
                Some(listener) => encrypted(listener, &router).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(plain(self.plain, &router), encrypted);
    }
}

async fn plain(listener: TcpListener, router: &Router) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => connection(&mut connections, stream, router.clone()),
            Err(error) => not_accepted(&error).await,
        }
    }
}

async fn encrypted(mut listener: TlsListener, router: &Router) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let peer = TlsPeer::of(&stream);
                let router = match peer.certificate.clone() {
                    Some(certificate) => router.clone().layer(Extension(certificate)),
                    None => router.clone(),
                };
                connection(&mut connections, stream, router.layer(Extension(peer)));
            }
            Err(tls_listener::Error::ListenerError(error)) => not_accepted(&error).await,
            Err(error) => tracing::debug!(%error, "a handshake failed"),
        }
    }
}

async fn not_accepted(error: &std::io::Error) {
    tracing::warn!(%error, "a connection was not accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn connection(
    connections: &mut JoinSet<()>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
) {
    while connections.try_join_next().is_some() {}
    connections.spawn(async move {
        let service = TowerToHyperService::new(router);
        if let Err(error) = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(error, "a connection ended early");
        }
    });
}

/// The TLS listener of a server, as its clients know it.
pub(crate) struct TlsEndpoint {
    origin: Origin,
    certificate_pem: String,
}

impl TlsEndpoint {
    /// Listens with a fresh self-signed certificate.
    pub(crate) async fn listen(address: SocketAddr) -> Result<(TlsListener, Self), StartError> {
        let refused = |error: &dyn std::fmt::Display| StartError::Certificate(error.to_string());
        let names = vec!["localhost".to_owned(), address.ip().to_string()];
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).map_err(|error| refused(&error))?;
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = tls::server_config(vec![cert.der().clone()], key.into(), tls::any_client_certificate())
            .map_err(|error| refused(&error))?;
        let listener = TcpListener::bind(address).await?;
        let origin = format!("https://{}", listener.local_addr()?);
        let origin = Origin::of(&origin).map_err(|error| refused(&error))?;
        let endpoint = Self { origin, certificate_pem: cert.pem() };
        Ok((tls::listener(listener, config), endpoint))
    }

    /// `https://` and the address.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }
}
