//! HTTP/1.1 and HTTP/2 with a larger header limit: token and proof together can exceed the default of 16 KiB.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::response::Response;
use axum::{Extension, Router};
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tower::util::option_layer;
use tower::{Layer, Service};
use tower_pop::tls::{self, TlsPeer};

/// The maximum size in bytes of the header fields of an HTTP/2 request.
const MAX_HEADER_LIST: u32 = 64 * 1024;
/// The timeout for the head of an HTTP/1.1 request.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after a failed accept. File descriptors may have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the future is dropped, over TLS if there is a configuration. The request extensions have the peer: over
/// TLS as `ConnectInfo<TlsPeer>`, otherwise as `ConnectInfo<SocketAddr>` if proxies are recognised by their addresses.
/// It is left out otherwise, because it costs every request two allocations.
pub(crate) async fn serve(listener: TcpListener, tls: Option<ServerConfig>, app: Router, recognise_proxies: bool) {
    match tls {
        None => serve_plain(listener, app, recognise_proxies).await,
        Some(config) => serve_tls(tls::listener(listener, config), app).await,
    }
}

async fn serve_plain(listener: TcpListener, app: Router, recognise_proxies: bool) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let peer = recognise_proxies.then_some(Extension(ConnectInfo(address)));
                spawn_connection(stream, option_layer(peer).layer(app.clone()));
            }
            Err(error) => pause_after(&error).await,
        }
    }
}

async fn serve_tls(mut listener: tls::TlsListener, app: Router) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let mut peer = TlsPeer::of(&stream);
                peer.address = Some(address); // known even if the peer has disconnected
                spawn_connection(stream, Extension(ConnectInfo(peer)).layer(app.clone()));
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

fn spawn_connection<S>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, app: S)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEADER_LIST);
    tokio::spawn(async move {
        let service = TowerToHyperService::new(app);
        if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}
