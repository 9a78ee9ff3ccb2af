//! An API for payments. A DPoP proof covers the method and the URL, but neither the content nor header fields: a compromised
//! proxy could change the amount. Here every request has an HTTP message signature as well (RFC 9421, tag
//! `fapi-2-request`), made with the key of the DPoP proof, over a digest of the content (RFC 9530).
//!
//! ```sh
//! cargo run -p pop-authserver -- --audience http://127.0.0.1:3000
//! cargo run -p signed-payments -- http://127.0.0.1:9400
//! curl -i -X POST http://127.0.0.1:3000/payments   # 401, with a challenge
//! ```
//!
//! `tests/payments.rs` has a client.

use std::error::Error;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower_pop::{PopConfig, PopLayer, RequireScope, VerifiedToken};

#[derive(Debug, Deserialize)]
struct Payment {
    to: String,
    cents: u64,
}

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let issuer = arguments.next().ok_or("usage: signed-payments ISSUER [ADDRESS]")?;
    let listener = TcpListener::bind(arguments.next().as_deref().unwrap_or("127.0.0.1:3000")).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let cfg = PopConfig::builder(issuer, &url)
        .require_message_signature()
        .scopes_supported(["payments:write"])
        .content_limit(16 * 1024) // verified content is kept in memory
        .build()?;

    let (orders, mut accepted) = mpsc::channel::<String>(100);
    tokio::spawn(async move {
        while let Some(order) = accepted.recv().await {
            println!("{order}");
        }
    });
    println!("ready {url}");
    Ok(axum::serve(listener, app(&cfg, orders)).await?)
}

/// Returns the API. Without `verify_content()`, the layer would reject every request, because it could not read the content.
fn app(cfg: &PopConfig, orders: mpsc::Sender<String>) -> Router {
    let pay = post(pay).layer(RequireScope::all(["payments:write"]));
    Router::new()
        .route("/payments", pay)
        .with_state(orders)
        .layer(PopLayer::new(cfg.clone()).verify_content())
        .merge(cfg.metadata_route())
}

/// Gets content only if it is what the client signed.
async fn pay(
    State(orders): State<mpsc::Sender<String>>,
    token: VerifiedToken,
    Json(Payment { to, cents }): Json<Payment>,
) -> StatusCode {
    let client = token.client_id().unwrap_or("unknown");
    match orders.try_send(format!("{client} pays {cents} cents to {to:?}")) {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
