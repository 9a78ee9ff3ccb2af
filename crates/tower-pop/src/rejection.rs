//! Rejected requests, and the handlers that render them as responses.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, Entry, HeaderMap, HeaderName, PROXY_AUTHORIZATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use pop_core::challenge::ErrorResponse;
use pop_core::credentials::Scheme;
use pop_core::{Error, NonceError, ReplayError};

use crate::config::PopConfig;
use crate::explain::Explanation;
use crate::meter;
use crate::nonce_policy::NoncePolicy;
use crate::telemetry;

/// `DPoP-Nonce` (RFC 9449 §8.1).
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// `Accept-Signature` (RFC 9421 §5.1).
const ACCEPT_SIGNATURE: HeaderName = HeaderName::from_static("accept-signature");

/// Returns the nonce that the client should use next. After a replay under `PoP` it needs one too: without a `jti`, it would sign
/// an equal request of the same second in the same way.
fn nonce_for(cfg: &PopConfig, error: &Error, scheme: Option<Scheme>) -> Option<HeaderValue> {
    let state = &*cfg.state;
    let wanted = match (error, scheme) {
        (Error::Nonce(_), _) => true,
        (Error::Replay(ReplayError::Replayed), Some(Scheme::Pop)) => !matches!(state.nonce_policy, NoncePolicy::Off),
        _ => false,
    };
    wanted.then(|| state.nonces.next(scheme.unwrap_or(Scheme::Dpop), state.clock.now())).flatten()
}

/// A rejected request: the error, and everything that its response consists of.
///
/// The layer, the [`Require`](crate::Require) layers, the extractors and [`VerifiedToken::require`](crate::VerifiedToken::require)
/// all reject requests with this type. As an axum response it is rendered by the handler of the layer
/// ([`PopLayer::on_rejection`](crate::PopLayer::on_rejection)).
///
/// `Display` and `Debug` are safe to log: they contain no token, proof or claim.
#[derive(Debug, Clone)]
pub struct Rejection {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    error: Error,
    response: ErrorResponse,
    nonce: Option<HeaderValue>,
    explanation: Option<Explanation>,
    /// Whether the explanation goes into the response.
    explain: bool,
    handler: Option<Arc<RequestHandler>>,
}

impl Rejection {
    /// `scheme` is the one of the request; `target` is the URL that a proof had to name.
    pub(crate) fn new(cfg: &PopConfig, error: Error, scheme: Option<Scheme>, target: Option<&str>) -> Self {
        let state = &*cfg.state;
        let nonce = nonce_for(cfg, &error, scheme);
        let text = nonce.as_ref().and_then(|nonce| nonce.to_str().ok());
        let response = state.challenges.respond_with_nonce(&error, scheme, cfg.schemes(), target, text);
        if nonce.is_some() {
            meter::nonce_challenge(match error {
                Error::Nonce(NonceError::Missing) => "missing",
                Error::Nonce(_) => "stale",
                _ => "replayed",
            });
        }
        let nonce = nonce.filter(|_| response.nonce); // for `DPoP-Nonce`; under `PoP` it is in the challenge
        let explain = state.explain_rejections;
        let explanation = (explain || telemetry::explains()).then(|| Explanation::of(&error, state, target));
        Self { inner: Box::new(Inner { error, response, nonce, explanation, explain, handler: None }) }
    }

    /// Renders this rejection with the handler of the layer that accepted the request.
    pub(crate) fn handled_by(mut self, handler: Option<&Arc<RequestHandler>>) -> Self {
        self.inner.handler = handler.cloned();
        self
    }

    /// Returns the error. [`Error::code`] is stable, for logs and metrics.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.inner.error
    }

    /// Returns the status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.inner.response.status
    }

    /// Returns the OAuth error code in the challenge, such as `invalid_token` or `invalid_dpop_proof`, if it has one.
    #[must_use]
    pub fn oauth_error(&self) -> Option<&'static str> {
        self.inner.response.error
    }

    /// Returns the description of the error for the client, the `error_description` of the challenge. It contains nothing of the
    /// token.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.inner.response.description
    }

    /// Returns which claim is wrong, what was found and expected, and what to change: for logs. There is one while events of
    /// level `DEBUG` are enabled for `tower_pop`, and with
    /// [`explain_rejections`](crate::PopConfigBuilder::explain_rejections).
    #[must_use]
    pub fn explanation(&self) -> Option<&Explanation> {
        self.inner.explanation.as_ref()
    }

    /// Returns a response without a body: status, challenges, nonce, `Retry-After` and `Cache-Control: no-store`. The error is in
    /// its extensions.
    #[must_use]
    pub fn to_response(&self) -> Response<()> {
        let Inner { error, response: described, nonce, explanation, .. } = &*self.inner;
        let mut response = Response::new(());
        *response.status_mut() = described.status;
        let headers = response.headers_mut();
        for challenge in &described.challenges {
            headers.append(WWW_AUTHENTICATE, challenge.clone());
        }
        if let Some(seconds) = described.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(nonce) = nonce {
            headers.insert(DPOP_NONCE, nonce.clone());
        }
        if let Some(signature) = described.accept_signature {
            headers.insert(ACCEPT_SIGNATURE, HeaderValue::from_static(signature));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(error.clone());
        if let Some(explanation) = explanation {
            response.extensions_mut().insert(explanation.clone());
        }
        response
    }

    /// Returns the problem document of RFC 9457: status, title, description, and the OAuth error code if there is one. With
    /// [`explain_rejections`](crate::PopConfigBuilder::explain_rejections) also `code`, `claim`, `found`, `expected` and `remedy`.
    #[must_use]
    pub fn problem_json(&self) -> String {
        let status = self.status();
        let mut problem = serde_json::json!({
            "title": status.canonical_reason().unwrap_or("Rejected"),
            "status": status.as_u16(),
            "detail": self.description(),
        });
        if let (Some(error), Some(members)) = (self.oauth_error(), problem.as_object_mut()) {
            members.insert("error".to_owned(), error.into());
        }
        if let (true, Some(explanation), Some(members)) =
            (self.inner.explain, &self.inner.explanation, problem.as_object_mut())
        {
            let Explanation { claim, found, expected, remedy } = explanation;
            let texts = [
                ("code", Some(self.inner.error.code())),
                ("claim", *claim),
                ("found", found.as_deref()),
                ("expected", expected.as_deref()),
                ("remedy", remedy.as_deref()),
            ];
            for (name, text) in texts {
                members.extend(text.map(|text| (name.to_owned(), text.into())));
            }
        }
        problem.to_string()
    }

    /// Renders the response with the handler of the layer that accepted the request, if its response has this body type, or with
    /// the default handler.
    pub(crate) fn render<ResBody: Default + 'static>(&self) -> Response<ResBody> {
        let by_handler = self.inner.handler.as_ref().and_then(|handler| handler.respond(self));
        with_error(by_handler.unwrap_or_else(|| default_response(self)), self)
    }

    /// Renders the response with the handler of a layer.
    pub(crate) fn render_with<ResBody>(
        &self,
        handler: &impl RejectionHandler<ResBody>,
        head: &mut Parts,
    ) -> Response<ResBody> {
        if handler.erased().is_some() {
            hide_credentials(&mut head.headers);
        }
        with_error(handler.respond(self, head), self)
    }
}

/// Puts the error into the extensions, whatever the handler did, so that layers around this one count it.
fn with_error<ResBody>(mut response: Response<ResBody>, rejection: &Rejection) -> Response<ResBody> {
    if response.extensions().get::<Error>().is_none() {
        response.extensions_mut().insert(rejection.error().clone());
    }
    response
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request rejected: {}", self.inner.error)
    }
}

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.inner.error)
    }
}

#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for Rejection {
    fn into_response(self) -> axum_core::response::Response {
        self.render()
    }
}

/// Renders the responses to rejected requests: [`DefaultRejection`], or the closure of
/// [`PopLayer::on_rejection`](crate::PopLayer::on_rejection).
pub trait RejectionHandler<ResBody>: Clone + sealed::Sealed {
    /// Returns the response. `head` is the head of the rejected request.
    fn respond(&self, rejection: &Rejection, head: &Parts) -> Response<ResBody>;

    /// Keeps the handler for rejections after the layer, if it is not the default.
    #[doc(hidden)]
    fn erased(&self) -> Option<Arc<dyn Any + Send + Sync>>;
}

mod sealed {
    pub trait Sealed {}
}

/// The default handler: a problem document (RFC 9457) for axum's body type, no body for every other type.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultRejection;

impl sealed::Sealed for DefaultRejection {}

impl<ResBody: Default + 'static> RejectionHandler<ResBody> for DefaultRejection {
    fn respond(&self, rejection: &Rejection, _: &Parts) -> Response<ResBody> {
        default_response(rejection)
    }

    fn erased(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }
}

fn default_response<ResBody: Default + 'static>(rejection: &Rejection) -> Response<ResBody> {
    let mut response = rejection.to_response();
    let body = problem_body(rejection);
    if body.is_some() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    }
    response.map(|()| body.unwrap_or_default())
}

/// Returns a problem document, if `ResBody` is a known body type.
fn problem_body<ResBody: 'static>(rejection: &Rejection) -> Option<ResBody> {
    let mut slot: Option<ResBody> = None;
    let any: &mut dyn Any = &mut slot;
    #[cfg(feature = "axum")]
    if let Some(slot) = any.downcast_mut::<Option<axum_core::body::Body>>() {
        *slot = Some(axum_core::body::Body::from(rejection.problem_json()));
    }
    #[cfg(not(feature = "axum"))]
    let _ = (any, rejection);
    slot
}

/// The handler of [`PopLayer::on_rejection`](crate::PopLayer::on_rejection).
pub struct OnRejection<ResBody>(Arc<Closure<ResBody>>);

struct Closure<ResBody>(Box<Respond<ResBody>>);

type Respond<ResBody> = dyn Fn(&Rejection, &Parts) -> Response<ResBody> + Send + Sync;

impl<ResBody> OnRejection<ResBody> {
    pub(crate) fn new(respond: impl Fn(&Rejection, &Parts) -> Response<ResBody> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Closure(Box::new(respond))))
    }
}

impl<ResBody> Clone for OnRejection<ResBody> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<ResBody> fmt::Debug for OnRejection<ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnRejection(..)")
    }
}

impl<ResBody> sealed::Sealed for OnRejection<ResBody> {}

impl<ResBody: 'static> RejectionHandler<ResBody> for OnRejection<ResBody> {
    fn respond(&self, rejection: &Rejection, head: &Parts) -> Response<ResBody> {
        self.0.0(rejection, head)
    }

    fn erased(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        let handler: Arc<Closure<ResBody>> = Arc::clone(&self.0);
        Some(handler)
    }
}

/// The handler of a layer together with the head of a request that the layer accepted, for rejections after the layer.
pub(crate) struct RequestHandler {
    handler: Arc<dyn Any + Send + Sync>,
    head: Parts,
}

impl RequestHandler {
    /// Copies the head for a handler. A layer without a handler keeps that of the layer around it.
    pub(crate) fn new(
        handler: Option<Arc<dyn Any + Send + Sync>>,
        outer: Option<&Arc<Self>>,
        head: &Parts,
    ) -> Option<Arc<Self>> {
        let handler = handler.or_else(|| outer.map(|outer| Arc::clone(&outer.handler)))?;
        let mut head = head.clone();
        hide_credentials(&mut head.headers);
        Some(Arc::new(Self { handler, head }))
    }

    /// Returns the response, if the handler makes responses with this body type. A rejection that the handler itself turns into a
    /// response is rendered by the default handler.
    fn respond<ResBody: 'static>(&self, rejection: &Rejection) -> Option<Response<ResBody>> {
        let closure = self.handler.downcast_ref::<Closure<ResBody>>()?;
        let rejection = rejection.clone().handled_by(None);
        Some(closure.0(&rejection, &self.head))
    }
}

/// Marks the values of fields with credentials as sensitive, so that `Debug` does not show them.
fn hide_credentials(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, HeaderName::from_static("dpop")] {
        if let Entry::Occupied(mut values) = headers.entry(name) {
            values.iter_mut().for_each(|value| value.set_sensitive(true));
        }
    }
}

impl fmt::Debug for RequestHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestHandler(..)")
    }
}

/// Returns the response of a route without a layer: 500, without a body.
pub(crate) fn missing_layer<ResBody: Default>() -> Response<ResBody> {
    let mut response = Response::new(ResBody::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.extensions_mut().insert(telemetry::missing_layer());
    response
}
