//! HTTP/1.1 and HTTP/2 with room for large tokens: token and proof together outgrow the usual 16 KiB of header fields.

use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower_layer::Layer;

const MAX_HEADER_LIST: u32 = 64 * 1024;

/// Serves until the task is dropped. The peer's address goes into the request extensions as `ConnectInfo`.
pub(crate) async fn serve(listener: TcpListener, app: Router) -> Result<(), std::io::Error> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
    builder.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEADER_LIST);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a connection that was gone already: the next one may do.
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let app = Extension(ConnectInfo(peer)).layer(app.clone());
        let builder = builder.clone();
        tokio::spawn(async move {
            let service = TowerToHyperService::new(app);
            if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
}
