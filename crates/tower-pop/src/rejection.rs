//! Refused requests as responses.

use std::any::Any;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use pop_core::Error;
use pop_core::challenge::ErrorResponse;
use pop_core::credentials::Scheme;

use crate::config::PopConfig;
use crate::explain::Explanation;
use crate::telemetry;

/// `DPoP-Nonce` (RFC 9449 §8.1).
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// A refused request: the error and everything its response needs.
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
}

impl Rejection {
    /// `scheme` is the one of the request; `target` is the URL that a proof had to name.
    pub(crate) fn new(cfg: &PopConfig, error: Error, scheme: Option<Scheme>, target: Option<&str>) -> Self {
        let state = &*cfg.state;
        let response = state.challenges.respond(&error, scheme, cfg.schemes(), target);
        let nonce = if response.nonce { state.nonces.header(state.clock.now()) } else { None };
        let explain = state.explain_rejections;
        let explanation = (explain || telemetry::explains()).then(|| Explanation::of(&error, state, target));
        Self { inner: Box::new(Inner { error, response, nonce, explanation, explain }) }
    }

    /// Which claim is at fault, what was found and expected, and what to change: for logs. There is one while events of level
    /// `DEBUG` are enabled for `tower_pop`, and with
    /// [`explain_rejections`](crate::PopConfigBuilder::explain_rejections).
    #[must_use]
    pub fn explanation(&self) -> Option<&Explanation> {
        self.inner.explanation.as_ref()
    }

    /// Why the request was refused; [`Error::code`] for logs and metrics.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.inner.error
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        self.inner.response.status
    }

    /// An empty response with status, challenges, nonce, `Retry-After` and `Cache-Control: no-store`. The error is in its
    /// extensions, for applications that render bodies of their own.
    #[must_use]
    pub fn to_response(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = self.inner.response.status;
        let headers = response.headers_mut();
        for challenge in &self.inner.response.challenges {
            headers.append(WWW_AUTHENTICATE, challenge.clone());
        }
        if let Some(seconds) = self.inner.response.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(nonce) = &self.inner.nonce {
            headers.insert(DPOP_NONCE, nonce.clone());
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(self.inner.error.clone());
        if let Some(explanation) = &self.inner.explanation {
            response.extensions_mut().insert(explanation.clone());
        }
        response
    }

    /// The RFC 9457 problem document: status, title and, where the challenge has one, its `error`. With
    /// [`explain_rejections`](crate::PopConfigBuilder::explain_rejections) also `code`, `claim`, `found`, `expected` and `remedy`.
    #[must_use]
    pub fn problem_json(&self) -> String {
        let status = self.inner.response.status;
        let mut problem = serde_json::json!({
            "title": status.canonical_reason().unwrap_or("Refused"),
            "status": status.as_u16(),
            "detail": *self.inner.response.description,
        });
        if let (Some(error), Some(members)) = (self.inner.response.error, problem.as_object_mut()) {
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
}

/// Makes the response to a refused request. Implemented for closures `Fn(&Rejection) -> Response<ResBody>`, which should
/// start from [`Rejection::to_response`] so that no challenge is lost.
pub trait RejectionHandler<ResBody>: Clone {
    /// The response.
    fn respond(&self, rejection: &Rejection) -> Response<ResBody>;
}

impl<ResBody, F: Fn(&Rejection) -> Response<ResBody> + Clone> RejectionHandler<ResBody> for F {
    fn respond(&self, rejection: &Rejection) -> Response<ResBody> {
        self(rejection)
    }
}

/// The default handler: problem+json for axum's body, an empty body for every other.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultRejection;

impl<ResBody: Default + 'static> RejectionHandler<ResBody> for DefaultRejection {
    fn respond(&self, rejection: &Rejection) -> Response<ResBody> {
        let mut response = rejection.to_response();
        let body = problem_body(rejection);
        if body.is_some() {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        }
        response.map(|()| body.unwrap_or_default())
    }
}

/// The response where no layer saw the request: 500, without a body.
pub(crate) fn missing_layer<ResBody: Default>() -> Response<ResBody> {
    let mut response = Response::new(ResBody::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.extensions_mut().insert(crate::telemetry::missing_layer());
    response
}

/// A problem document, if `ResBody` is a body that we know how to fill.
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

#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for Rejection {
    fn into_response(self) -> axum_core::response::Response {
        DefaultRejection.respond(&self)
    }
}
