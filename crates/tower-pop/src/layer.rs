//! The layer itself.

use std::sync::Arc;

use tower_layer::Layer;

use crate::config::PopConfig;
use crate::rejection::DefaultRejection;
use crate::service::PopService;

/// Lets only requests through that prove possession of their token's key.
///
/// 1. Takes token and proof from `Authorization` and `DPoP`.
/// 2. Verifies the access token (RFC 9068) with the issuer's keys.
/// 3. Verifies the proof against the request (RFC 9449 §4.3) and the binding of the token to its key.
/// 4. Records the proof, so that it passes once, and puts a [`VerifiedToken`](crate::VerifiedToken) into the request's
///    extensions.
///
/// Everything else is answered here: the inner service is not called. Works around every
/// `tower::Service<http::Request<B>>` whose response body is `Default`. Making a layer does no I/O.
///
/// The body of a rejected request is read and discarded within limits
/// ([`rejected_body_limit`](crate::PopConfigBuilder::rejected_body_limit)), so that clients which write before they read
/// get the response; nobody sees it and nothing of it is kept. A body that is longer or slower ends its HTTP/1.1
/// connection, and the response says so by `Connection: close`. That holds for [`Guarded`](crate::Guarded) routes too. A
/// handler that returns early without reading the body has to see to that itself.
///
/// The path that proofs must name is the one on the wire. Under axum's `Router::nest` that is taken care of; other
/// rewriting layers belong inside this one, or have to leave an [`OriginalTarget`](crate::OriginalTarget).
#[derive(Debug, Clone)]
pub struct PopLayer<R = DefaultRejection> {
    cfg: Arc<PopConfig>,
    on_rejection: R,
}

impl PopLayer {
    /// A layer that enforces this configuration.
    #[must_use]
    pub fn new(cfg: impl Into<Arc<PopConfig>>) -> Self {
        Self { cfg: cfg.into(), on_rejection: DefaultRejection }
    }
}

impl<R> PopLayer<R> {
    /// Renders refusals with a function of one's own. It should start from
    /// [`Rejection::to_response`](crate::Rejection::to_response), which has status and challenges.
    #[must_use]
    pub fn on_rejection<F>(self, on_rejection: F) -> PopLayer<F> {
        PopLayer { cfg: self.cfg, on_rejection }
    }
}

impl<S, R: Clone> Layer<S> for PopLayer<R> {
    type Service = PopService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        PopService::new(inner, Arc::clone(&self.cfg), self.on_rejection.clone())
    }
}
