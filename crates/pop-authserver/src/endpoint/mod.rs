//! The endpoints.

mod audience;
mod authorization;
mod authorization_request;
mod introspection;
mod jwks;
mod metadata;
mod nonce;
mod proof;
mod pushed_request;
mod replay;
mod req_cnf;
mod request;
mod requested_token;
mod revocation;
mod scope;
mod shared_key;
mod signature;
mod token;
mod web_pages;

use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{Method, StatusCode};
use tower_http::cors::CorsLayer;
use tower_pop::cors;

use crate::server::AuthServer;

impl AuthServer {
    /// Returns the server as an axum router, to serve it in another way than [`serve`](Self::serve).
    ///
    /// # Security
    /// The router does not check that it is served on loopback only. The server approves every request. It answers only
    /// for loopback and for the host of the issuer, with 421 for every other one.
    pub fn router(&self) -> Router {
        let at = |name: &str| format!("{}{name}", self.issuer_path());
        Router::new()
            // RFC 8414 §3.1 inserts the well-known name before the path of the issuer. OpenID Connect Discovery appends
            // it.
            .route(&format!("/.well-known/oauth-authorization-server{}", self.issuer_path()), get(metadata::metadata))
            .route(&at("/.well-known/openid-configuration"), get(metadata::metadata))
            .route(&at("/jwks"), get(jwks::jwks))
            .route(&at("/authorize"), get(authorization::authorize))
            .route(&at("/par"), post(pushed_request::push))
            .route(&at("/token"), post(token::token))
            .route(&at("/introspect"), post(introspection::introspect))
            .route(&at("/revoke"), post(revocation::revoke))
            .route(&at("/rotate"), post(jwks::rotate))
            .layer(middleware::from_fn_with_state(self.clone(), fail_during_outage))
            .layer(self.cors())
            .layer(middleware::from_fn_with_state(self.clone(), web_pages::reject_other_hosts))
            .with_state(self.clone())
    }

    /// Returns the layer that lets web pages of the configured origins send proofs and read nonces.
    fn cors(&self) -> CorsLayer {
        CorsLayer::new()
            .allow_origin(self.inner.cors_origins.clone())
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(cors::allow_headers([]))
            .expose_headers(cors::expose_headers([]))
    }
}

async fn fail_during_outage(State(server): State<AuthServer>, request: Request, next: Next) -> Response {
    if server.inner.state.outage.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}
