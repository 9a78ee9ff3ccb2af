//! Accepting connections, plain and over TLS. They are closed when the future that serves them is dropped.

use std::fmt;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower_pop::tls::{TlsListener, TlsPeer};

use crate::error::StartError;

/// The pause after a failed accept. File descriptors may have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listeners of a server: a plain one, and one for TLS if the server is built with
/// [`mutual_tls`](crate::AuthServerBuilder::mutual_tls).
pub struct Listeners {
    plain: TcpListener,
    tls: Option<TlsListener>,
}

impl From<TcpListener> for Listeners {
    fn from(plain: TcpListener) -> Self {
        Self { plain, tls: None }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners").field("plain", &self.plain).field("tls", &self.tls.is_some()).finish()
    }
}

impl Listeners {
    pub(crate) fn and_tls(self, tls: TlsListener) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Rejects a plain listener beyond loopback. The caller may have made it. This crate makes the TLS listener.
    pub(crate) fn check_loopback(&self) -> Result<(), StartError> {
        let address = self.plain.local_addr().map_err(StartError::LocalAddress)?;
        if address.ip().is_loopback() { Ok(()) } else { Err(StartError::NotLoopback(address)) }
    }

    /// Serves until the future is dropped.
    pub(crate) async fn serve(self, router: Router) {
        let tls = async {
            match self.tls {
                Some(listener) => serve_tls(listener, &router).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(serve_plain(self.plain, &router), tls);
    }
}

async fn serve_plain(listener: TcpListener, router: &Router) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => spawn_connection(&mut connections, stream, router.clone()),
            Err(error) => pause_after(&error).await,
        }
    }
}

async fn serve_tls(mut listener: TlsListener, router: &Router) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let peer = TlsPeer::of(&stream);
                let router = match peer.certificate.clone() {
                    Some(certificate) => router.clone().layer(Extension(certificate)),
                    None => router.clone(),
                };
                spawn_connection(&mut connections, stream, router.layer(Extension(peer)));
            }
            Err(tls_listener::Error::ListenerError(error)) => pause_after(&error).await,
            Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
        }
    }
}

async fn pause_after(error: &std::io::Error) {
    tracing::warn!(%error, "accepting a connection failed");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn spawn_connection(
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
