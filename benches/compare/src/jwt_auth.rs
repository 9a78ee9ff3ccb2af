//! `jwt-authorizer`: a layer for Bearer tokens, of an axum 0.7 router.

use axum_07::Router;
use axum_07::body::Body;
use axum_07::routing::get;
use jwt_authorizer::{Authorizer, IntoLayer, JwtAuthorizer, Validation};
use tower::ServiceExt;

use crate::contender::{Contender, Setup, Subject};
use crate::scene::{ORIGIN, PATH, Request, Scene};

pub(crate) struct JwtAuth(Router);

pub(crate) async fn contender(scene: &Scene) -> Setup<JwtAuth> {
    let validation = Validation::new().iss(&[scene.issuer()]).aud(&[ORIGIN]).nbf(true);
    let authorizer: Authorizer<Subject> =
        JwtAuthorizer::from_jwks_url(&scene.jwks_uri()).validation(validation).build().await?;
    Ok(JwtAuth(Router::new().route(PATH, get(|| async { "notes" })).layer(authorizer.into_layer())))
}

impl Contender for JwtAuth {
    async fn admits(&self, request: Request) -> bool {
        let Ok(response) = self.0.clone().oneshot(request.map(|()| Body::empty())).await;
        response.status() == 200
    }
}
