//! `authkestra-resource`: a guard that is asked with the head of the request, with the replay store of
//! `authkestra-engine`. Of an authorization server's keys it takes RSA and Ed25519 ones only. Its `jsonwebtoken`
//! verifies with aws-lc-rs, which [`crate::install_providers`] chooses; its own default is pure Rust.

use std::sync::Arc;

use authkestra_engine::store::memory::MemoryStore;
use authkestra_resource::jwt::{JwtStrategy, ValidationConfig};
use authkestra_resource::{AuthPolicy, DpopJtiRecord, Guard};
use jsonwebtoken::Algorithm;

use crate::contender::{Contender, Setup, Subject};
use crate::scene::{ORIGIN, Request, Scene};

pub(crate) struct Authkestra(Guard<Subject>);

pub(crate) fn contender(scene: &Scene) -> Setup<Authkestra> {
    let validation = ValidationConfig::builder()
        .issuer(scene.issuer())
        .audience(ORIGIN)
        .jwks_url(scene.jwks_uri())
        .algorithms(vec![Algorithm::RS256])
        .require_kid(true)
        .require_dpop(true)
        .dpop_resource_origin(ORIGIN)
        .build();
    let store = Arc::new(MemoryStore::<DpopJtiRecord>::new());
    let strategy = JwtStrategy::new(validation).with_dpop_replay_store(store);
    Ok(Authkestra(Guard::builder().strategy(strategy).policy(AuthPolicy::FirstSuccess).build()))
}

impl Contender for Authkestra {
    async fn admits(&self, request: Request) -> bool {
        let (parts, ()) = request.into_parts();
        matches!(self.0.authenticate(&parts).await, Ok(Some(_)))
    }
}
