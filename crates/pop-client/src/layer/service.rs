//! The service.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::BoxError;
use super::body::RepeatableBody;
use super::error::ProofServiceError;
use super::future::ProofFuture;
use super::settings::Settings;

/// A client that adds the access token and a new proof to each request. [`ProofLayer`](crate::ProofLayer) makes it.
#[derive(Clone)]
pub struct ProofService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> ProofService<S> {
    pub(super) const fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, B, ResBody> Service<Request<B>> for ProofService<S>
where
    S: Service<Request<RepeatableBody<B>>, Response = Response<ResBody>> + Clone,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResBody>;
    type Error = ProofServiceError;
    type Future = ProofFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProofServiceError>> {
        self.inner.poll_ready(cx).map_err(|error| ProofServiceError::Service(error.into()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that is ready makes the call, not its clone.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        ProofFuture::start(inner, Arc::clone(&self.settings), request)
    }
}

impl<S> fmt::Debug for ProofService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofService").field("origin", &self.settings.destination).finish_non_exhaustive()
    }
}
