//! `oauth-resource-server`: an axum layer for Bearer tokens.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use oauth_resource_server::axum::AuthLayer;
use oauth_resource_server::{KeyNaming, OAuthConfig, OAuthValidator};
use tower::ServiceExt;

use crate::contender::{Contender, Setup};
use crate::scene::{ORIGIN, PATH, Request, SCOPE, Scene};

pub(crate) struct OauthRs(Router);

pub(crate) async fn contender(scene: &Scene) -> Setup<OauthRs> {
    let config = OAuthConfig {
        enabled: true,
        issuer: scene.issuer().to_owned(),
        audience: ORIGIN.to_owned(),
        resource: ORIGIN.to_owned(),
        required_scope: Some(SCOPE.to_owned()),
        require_at_jwt: true,
        ..OAuthConfig::default()
    };
    let resolved = config.resolve(KeyNaming::Dotted("oauth"))?.ok_or("not enabled")?;
    let validator = Arc::new(OAuthValidator::new(&resolved)?);
    validator.refresh_now().await?;
    let layer = AuthLayer::builder().oauth(validator).build()?;
    Ok(OauthRs(Router::new().route(PATH, get(async || "notes")).layer(layer)))
}

impl Contender for OauthRs {
    async fn admits(&self, request: Request) -> bool {
        let Ok(response) = self.0.clone().oneshot(request.map(|()| Body::empty())).await;
        response.status() == 200
    }
}
