//! The layer.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use tower_layer::Layer;

use crate::config::PopConfig;
use crate::content::{HeadOnly, StreamContent, VerifyContent};
use crate::rejection::{DefaultRejection, OnRejection, Rejection};
use crate::service::PopService;

/// Accepts only requests that prove possession of the key of their access token.
///
/// 1. Reads the token and its proof from the header fields.
/// 2. Verifies the access token (RFC 9068) with the keys of its issuer.
/// 3. Verifies the proof against the request, and the binding of the token to the key of the proof.
/// 4. Verifies the content if a proof covers it ([`verify_content`](PopLayer::verify_content)).
/// 5. Records the proof, so that it is accepted only once, and inserts a [`VerifiedToken`](crate::VerifiedToken) into the
///    request extensions.
///
/// All other requests are rejected here: the inner service is not called. The layer works around every
/// `tower::Service<http::Request<B>>` whose response body is `Default`. Creating a layer causes no I/O.
///
/// The body of a rejected request is read and discarded within limits
/// ([`rejected_body_limit`](crate::PopConfigBuilder::rejected_body_limit)), so that clients that write before they read
/// receive the response. If a body exceeds them, its HTTP/1.1 connection ends, and the response says so with
/// `Connection: close`. This also holds for [`Require`](crate::Require) layers. A handler that returns without reading the body
/// has to do this itself.
///
/// Proofs must name the path as the client sent it. axum's `Router::nest` is undone; other layers that rewrite the path must be
/// inside this one, or insert an [`OriginalTarget`](crate::OriginalTarget).
#[derive(Debug, Clone)]
pub struct PopLayer<H = DefaultRejection, C = HeadOnly> {
    cfg: Arc<PopConfig>,
    handler: H,
    content: C,
}

impl PopLayer {
    /// Creates a layer that enforces this configuration.
    #[must_use]
    pub fn new(cfg: impl Into<Arc<PopConfig>>) -> Self {
        Self { cfg: cfg.into(), handler: DefaultRejection, content: HeadOnly }
    }
}

impl<H, C> PopLayer<H, C> {
    /// Verifies the content of requests whose proof covers it, before the inner service sees a byte of it. The inner service gets a
    /// [`VerifiedBody`](crate::VerifiedBody), which axum routes and other services that are generic over the body take as it is.
    ///
    /// The content is read once the head of the request is verified, up to
    /// [`content_limit`](crate::PopConfigBuilder::content_limit), and kept in memory once. Requests whose proof covers no content
    /// are passed on unread. Trailers of verified content are dropped, because no proof covers them.
    ///
    /// Digests are over the content as the client sent it: mount layers that decompress request bodies inside of this one.
    ///
    /// # Security
    /// A layer without this option rejects all requests whose content must be verified, with status 500.
    ///
    /// ```
    /// use tower_pop::{PopConfig, PopLayer, ProofKind};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .proofs([ProofKind::HttpSig])
    ///     .build()?;
    /// let layer = PopLayer::new(cfg).verify_content();
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn verify_content(self) -> PopLayer<H, VerifyContent> {
        PopLayer { cfg: self.cfg, handler: self.handler, content: VerifyContent }
    }

    /// Verifies content while the inner service reads it, for uploads that do not fit into memory. There is no limit on their length.
    ///
    /// # Security
    /// This is weaker than [`verify_content`](Self::verify_content): the proof is recorded and the inner service is called before the
    /// content is verified. The last frame is withheld until then: if the content is not right, reading the body fails with
    /// [`ContentFailed`](crate::ContentFailed) instead. A handler must read the body to its end, and must undo what it did if that
    /// fails.
    ///
    /// ```
    /// use tower_pop::{PopConfig, PopLayer, ProofKind};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .proofs([ProofKind::HttpSig])
    ///     .build()?;
    /// let layer = PopLayer::new(cfg).verify_content_while_streaming();
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn verify_content_while_streaming(self) -> PopLayer<H, StreamContent> {
        PopLayer { cfg: self.cfg, handler: self.handler, content: StreamContent }
    }

    /// Sets the handler that renders rejections: those of this layer, and those of [`Require`](crate::Require) layers, extractors
    /// and handlers inside it whose responses have the same body type. Defaults to [`DefaultRejection`].
    ///
    /// The handler gets the rejection and the head of the request. It should start from [`Rejection::to_response`], which has the
    /// status and the challenges. A layer inside this one without its own handler uses this one.
    ///
    /// # Security
    /// The head of every accepted request is copied for later rejections, and kept as long as its
    /// [`VerifiedToken`](crate::VerifiedToken). It contains the access token and the proof. Their values, and cookies, are marked
    /// as sensitive, so that `Debug` does not show them.
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use axum::body::Body;
    /// use axum::{Router, routing::get};
    /// use tower_pop::{PopConfig, PopLayer};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
    /// let layer = PopLayer::new(cfg).on_rejection(|rejection, request| {
    ///     let id = request.headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("none");
    ///     let text = format!("{}: {} (request {id})", rejection.status(), rejection.description());
    ///     rejection.to_response().map(|()| Body::from(text))
    /// });
    /// let app: Router = Router::new().route("/notes", get(|| async { "notes" })).layer(layer);
    /// # }
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn on_rejection<F, ResBody>(self, handler: F) -> PopLayer<OnRejection<ResBody>, C>
    where
        F: Fn(&Rejection, &Parts) -> Response<ResBody> + Send + Sync + 'static,
        ResBody: 'static,
    {
        PopLayer { cfg: self.cfg, handler: OnRejection::new(handler), content: self.content }
    }
}

impl<S, H: Clone, C: Clone> Layer<S> for PopLayer<H, C> {
    type Service = PopService<S, H, C>;

    fn layer(&self, inner: S) -> Self::Service {
        PopService::new(inner, Arc::clone(&self.cfg), self.handler.clone(), self.content.clone())
    }
}
