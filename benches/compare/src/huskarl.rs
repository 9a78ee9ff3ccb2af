//! `huskarl-axum` over `huskarl-resource-server`: an axum layer. No replay store is shipped, only a trait for one.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use huskarl_axum::layers::ValidatorLayer;
use huskarl_reqwest::ReqwestClient;
use huskarl_resource_server::validator::rfc9068::Rfc9068Validator;
use tower::ServiceExt;

use crate::contender::{Contender, Setup};
use crate::scene::{ORIGIN, PATH, Request, Scene};

pub(crate) struct Huskarl(Router);

pub(crate) async fn contender(scene: &Scene) -> Setup<Huskarl> {
    let validator = Rfc9068Validator::builder()
        .issuer(scene.issuer())
        .audience(ORIGIN)
        .jwks_uri(scene.jwks_uri().parse()?)
        .require_dpop(true)
        .allowed_signing_algorithms(vec!["ES256".to_owned()])
        .allowed_dpop_signing_algorithms(vec!["ES256".to_owned()])
        .jwks_source(ReqwestClient::builder().build().await?)
        .build()
        .await?;
    let layer = ValidatorLayer::builder().validator(validator).base_url(ORIGIN)?.build();
    Ok(Huskarl(Router::new().route(PATH, get(async || "notes")).layer(layer.authenticated())))
}

impl Contender for Huskarl {
    async fn admits(&self, request: Request) -> bool {
        let Ok(response) = self.0.clone().oneshot(request.map(|()| Body::empty())).await;
        response.status() == 200
    }
}
