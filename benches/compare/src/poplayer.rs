//! `PopLayer`, as an axum layer and as the tower service it is.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Response;
use tower::{Layer, Service, ServiceExt};
use tower_pop::{IssuerConfig, PopConfig, PopLayer};

use crate::contender::{Contender, Setup};
use crate::scene::{ORIGIN, PATH, Request, Scene};

/// The defaults: the in-memory replay store, caches of tokens and of proof keys, keys by discovery.
fn layer(scene: &Scene) -> Setup<PopLayer> {
    Ok(PopLayer::new(PopConfig::builder(IssuerConfig::new(scene.issuer()), ORIGIN).build()?))
}

pub(crate) struct Axum(Router);

pub(crate) fn axum(scene: &Scene) -> Setup<Axum> {
    Ok(Axum(Router::new().route(PATH, get(async || "notes")).layer(layer(scene)?)))
}

impl Contender for Axum {
    async fn admits(&self, request: Request) -> bool {
        let Ok(response) = self.0.clone().oneshot(request.map(|()| Body::empty())).await;
        response.status() == 200
    }
}

pub(crate) struct Bare<S>(S);

pub(crate) fn bare(scene: &Scene) -> Setup<Bare<impl Answering + use<>>> {
    let notes = tower::service_fn(async |_: Request| Ok::<_, Infallible>(Response::new(String::new())));
    Ok(Bare(layer(scene)?.layer(notes)))
}

/// What the layer makes of the service within.
pub(crate) trait Answering: Service<Request, Response = Response<String>, Error = Infallible> + Clone {}

impl<S: Service<Request, Response = Response<String>, Error = Infallible> + Clone> Answering for S {}

impl<S: Answering> Contender for Bare<S> {
    async fn admits(&self, request: Request) -> bool {
        let Ok(response) = self.0.clone().oneshot(request).await;
        response.status() == 200
    }
}
