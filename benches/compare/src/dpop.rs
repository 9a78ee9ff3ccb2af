//! `dpop-verifier` for the proof and `jsonwebtoken` for the token. The rest is left to the application: the order, the
//! comparison of `jkt`, and a replay store, which is here as in the examples of `dpop-verifier`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dpop_verifier::{DpopError, DpopVerifier, ReplayContext, ReplayStore};
use http::header::AUTHORIZATION;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use crate::contender::{Contender, Setup};
use crate::scene::{ORIGIN, Request, Scene};

pub(crate) struct Composed {
    verifier: DpopVerifier,
    key: DecodingKey,
    validation: Validation,
    store: MemoryStore,
}

#[derive(Clone, Default)]
struct MemoryStore(Arc<Mutex<HashSet<[u8; 32]>>>);

#[async_trait]
impl ReplayStore for MemoryStore {
    async fn insert_once(&mut self, jti_hash: [u8; 32], _: ReplayContext<'_>) -> Result<bool, DpopError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(jti_hash))
    }
}

#[derive(Deserialize)]
struct Claims {
    cnf: Confirmation,
}

#[derive(Deserialize)]
struct Confirmation {
    jkt: String,
}

pub(crate) fn contender(scene: &Scene) -> Setup<Composed> {
    let keys: JwkSet = serde_json::from_str(&scene.jwks_json())?;
    let key = DecodingKey::from_jwk(keys.keys.first().ok_or("no key")?)?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[ORIGIN]);
    validation.set_issuer(&[scene.issuer()]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let verifier = DpopVerifier::new().with_max_age_seconds(60).with_future_skew_seconds(30);
    Ok(Composed { verifier, key, validation, store: MemoryStore::default() })
}

impl Contender for Composed {
    async fn admits(&self, request: Request) -> bool {
        let field = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let token = field(AUTHORIZATION.as_str()).and_then(|credentials| credentials.strip_prefix("DPoP "));
        let (Some(token), Some(proof)) = (token, field("dpop")) else {
            return false;
        };
        let Ok(token_data) = decode::<Claims>(token, &self.key, &self.validation) else {
            return false;
        };
        let url = format!("{ORIGIN}{}", request.uri().path());
        let mut store = self.store.clone();
        let verified = self.verifier.verify(&mut store, proof, &url, request.method().as_str(), Some(token)).await;
        verified.is_ok_and(|verified| verified.jkt == token_data.claims.cnf.jkt)
    }
}
