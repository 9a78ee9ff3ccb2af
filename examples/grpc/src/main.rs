//! A gRPC API with tonic, and its client, in one program: every call has a DPoP proof of its own.
//!
//! ```sh
//! cargo run -p grpc-example
//! ```
//!
//! `docs/grpc.md` explains it.

mod prices;

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::stream::{self, BoxStream, StreamExt};
use http::StatusCode;
use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
use pop_client::{BoundToken, ProofLayer, ProofMethod, RepeatableBody};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tower::ServiceBuilder;
use tower_pop::{NoncePolicy, PopConfig, PopLayer, Rejection, VerifiedToken};

use crate::prices::prices_client::PricesClient;
use crate::prices::prices_server::{Prices, PricesServer};
use crate::prices::{Item, Price};

struct Shop;

#[tonic::async_trait]
impl Prices for Shop {
    async fn get(&self, request: Request<Item>) -> Result<Response<Price>, Status> {
        authorized(&request, "prices:read")?;
        Ok(Response::new(Price { cents: 250 }))
    }

    type WatchStream = BoxStream<'static, Result<Price, Status>>;

    /// A proof is verified when the call starts. A stream may go on for longer than its token is valid, so it ends then.
    async fn watch(&self, request: Request<Item>) -> Result<Response<Self::WatchStream>, Status> {
        let token = authorized(&request, "prices:watch")?;
        let expiry = UNIX_EPOCH + Duration::from_secs(token.expires_at());
        let remaining = expiry.duration_since(SystemTime::now()).unwrap_or_default();
        let prices = stream::iter(250..).then(|cents| async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(Price { cents })
        });
        let expired = stream::once(async { Err(Status::unauthenticated("the access token has expired")) });
        let prices = prices.take_until(tokio::time::sleep(remaining)).chain(expired);
        Ok(Response::new(prices.boxed()))
    }
}

/// Returns the token of a call, if it has this scope.
fn authorized<T>(request: &Request<T>, scope: &str) -> Result<VerifiedToken, Status> {
    let token = request.extensions().get::<VerifiedToken>();
    let token = token.ok_or_else(|| Status::internal("the service is not behind PopLayer"))?;
    token.require_scopes(&[scope]).map_err(|rejection| status(&rejection))?;
    Ok(token.clone())
}

/// Returns the gRPC status of a rejection. The challenge and the nonce are in its metadata.
fn status(rejection: &Rejection) -> Status {
    let code = match rejection.status() {
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::Unauthenticated,
    };
    let (head, ()) = rejection.to_response().into_parts();
    Status::with_metadata(code, rejection.description(), MetadataMap::from_headers(head.headers))
}

/// Starts the API. Returns its URL.
async fn serve(issuer: &str) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let cfg =
        PopConfig::builder(issuer, "https://api.example").public_origin(&url).nonce(NoncePolicy::Required).build()?;
    let layer = PopLayer::new(cfg).on_rejection(|rejection, _| status(rejection).into_http::<Body>());
    let server = Server::builder().layer(layer).add_service(PricesServer::new(Shop));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    Ok(url)
}

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = TestAuthServer::start().await;
    let url = serve(issuer.issuer()).await?;
    let channel = Endpoint::from_shared(url.clone())?.connect().await?;

    // The client. Tokens usually come from `TokenClient::client_credentials`.
    let key = DpopKey::generate(Algorithm::ES256)?;
    let (stolen, fields) = watch::channel(http::HeaderMap::new());
    let client = |scope: &str, lifetime| {
        let token = issuer.token().scope(scope).expires_in(lifetime).bound_to(&key).mint();
        let layer = ProofLayer::new(BoundToken::new(token, ProofMethod::Dpop(key.clone())), &url)?;
        let stolen = stolen.clone();
        let channel = ServiceBuilder::new()
            .layer(layer)
            .map_request(move |request: http::Request<RepeatableBody<Body>>| {
                stolen.send_replace(request.headers().clone()); // what an attacker might read in a log
                request.map(Body::new)
            })
            .service(channel.clone());
        Ok::<_, Box<dyn Error>>(PricesClient::new(channel))
    };
    let item = || Item { name: "milk".to_owned() };

    // The server asks for a nonce first: the layer answers.
    let mut reader = client("prices:read", 300)?;
    println!("unary call: {} cents", reader.get(item()).await?.into_inner().cents);

    let mut replay = Request::new(item());
    *replay.metadata_mut() = MetadataMap::from_headers(fields.borrow().clone());
    let replayed = PricesClient::new(channel.clone()).get(replay).await;
    println!("replayed proof: {}", replayed.map_or_else(|status| described(&status), |_| "accepted".to_owned()));

    let unscoped = reader.watch(item()).await;
    println!("missing scope: {}", unscoped.map_or_else(|status| described(&status), |_| "accepted".to_owned()));

    let mut prices = client("prices:watch", 4)?.watch(item()).await?.into_inner();
    println!("stream: {} cents", prices.message().await?.map_or(0, |price| price.cents));
    while let Some(price) = prices.next().await {
        if let Err(status) = price {
            println!("stream ended: {}", described(&status));
        }
    }
    Ok(())
}

/// Returns code, message and challenge of a status.
fn described(status: &Status) -> String {
    let challenge = status.metadata().get("www-authenticate").and_then(|value| value.to_str().ok());
    format!("status {}, {:?}, {}", status.code() as i32, status.message(), challenge.unwrap_or("no challenge"))
}
