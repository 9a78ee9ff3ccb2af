//! HTTP/1.1 and HTTP/2 with room for large tokens: token and proof together outgrow the usual 16 KiB of header fields.

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

const MAX_HEADER_LIST: u32 = 64 * 1024;

/// Serves until dropped, over TLS if there is a configuration for it. Peers over TLS are in the request extensions as
/// `ConnectInfo<TlsPeer>`; others as `ConnectInfo<SocketAddr>` if a proxy is to be recognised by its address, because what
/// is put there costs every request two allocations.
pub(crate) async fn serve(listener: TcpListener, tls: Option<ServerConfig>, app: Router, recognise_proxies: bool) {
    match tls {
        None => plain(listener, app, recognise_proxies).await,
        Some(config) => encrypted(tls::listener(listener, config), app).await,
    }
}

async fn plain(listener: TcpListener, app: Router, recognise_proxies: bool) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let peer = recognise_proxies.then_some(Extension(ConnectInfo(address)));
                connection(stream, option_layer(peer).layer(app.clone()));
            }
            Err(error) => not_accepted(&error).await,
        }
    }
}

async fn encrypted(mut listener: tls::TlsListener, app: Router) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let mut peer = TlsPeer::of(&stream);
                peer.address = Some(address); // also of a peer that is gone by now
                connection(stream, Extension(ConnectInfo(peer)).layer(app.clone()));
            }
            Err(tls_listener::Error::ListenerError(error)) => not_accepted(&error).await,
            Err(error) => tracing::debug!(%error, "a handshake failed"),
        }
    }
}

/// Out of descriptors, or a connection that was gone already: the next one may do.
async fn not_accepted(error: &std::io::Error) {
    tracing::warn!(%error, "accepting a connection failed");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn connection<S>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, app: S)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
    builder.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEADER_LIST);
    tokio::spawn(async move {
        let service = TowerToHyperService::new(app);
        if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(%error, "connection ended");
        }
    });
}
