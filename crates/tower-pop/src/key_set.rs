//! The public halves of the key-encryption keys, for authorization servers (RFC 9728 §2, `jwks_uri`).

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower_service::Service;

use crate::key_ring::KeyRing;
use crate::metadata::{Metadata, respond};

/// A tower service for the JWK Set with the public key-encryption keys of the resource. An authorization server encrypts symmetric
/// keys of tokens with them. Mount it at [`path`](KeySetService::path), outside of the layer.
#[derive(Clone)]
pub struct KeySetService {
    metadata: Arc<Metadata>,
    keys: Arc<KeyRing>,
}

impl KeySetService {
    pub(crate) const fn new(metadata: Arc<Metadata>, keys: Arc<KeyRing>) -> Self {
        Self { metadata, keys }
    }

    /// Returns the path that the metadata document names as `jwks_uri`. It is empty if the resource has no key-encryption keys.
    #[must_use]
    pub fn path(&self) -> &str {
        self.metadata.keys_path().unwrap_or_default()
    }

    fn json(&self) -> String {
        let keys = self.keys.current();
        keys.map_or_else(|| r#"{"keys":[]}"#.to_owned(), |keys| keys.public_jwks())
    }
}

impl<B> Service<Request<B>> for KeySetService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(respond(request.method(), "application/jwk-set+json", "public, max-age=60", || self.json())))
    }
}

impl fmt::Debug for KeySetService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySetService").field("path", &self.path()).finish()
    }
}
