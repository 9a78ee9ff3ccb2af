//! The result of a verification.

use std::any::Any;
use std::sync::Arc;

use http::HeaderValue;
use http::request::Parts;

use crate::config::PopConfig;
use crate::rejection::{Rejection, RequestHandler};
use crate::telemetry::RequestStatus;
use crate::token::{Anonymous, VerifiedToken};

/// An accepted request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Admitted {
    /// The verified token; `None` for a request without credentials in mode `Optional`, and for a CORS preflight.
    pub token: Option<VerifiedToken>,
    /// The header fields that the response should carry.
    pub response: ResponseFields,
    pub(crate) status: RequestStatus,
}

/// The header fields that the response to an accepted request should carry.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ResponseFields {
    /// `DPoP-Nonce`. It replaces any other, and the response must not be stored (RFC 9449 §8).
    pub nonce: Option<HeaderValue>,
    /// `Authentication-Info` with the next nonce for signed HTTP requests (RFC 7615, `nextnonce`).
    pub authentication_info: Option<HeaderValue>,
    /// A line of `Vary`: the field that carried the client's certificate (RFC 9440 §2.4).
    pub vary: Option<HeaderValue>,
}

impl Admitted {
    /// A request without a token. `reason` labels it in metrics.
    pub(super) fn without_token(reason: &'static str) -> Self {
        let status = RequestStatus::Admitted(reason);
        Self { token: None, response: ResponseFields::default(), status }
    }

    /// Puts the verdict into the extensions of the request, for handlers and for layers inside. It replaces the verdict of an outer
    /// layer. `handler` renders later rejections.
    pub(crate) fn insert_into(
        self,
        parts: &mut Parts,
        cfg: &PopConfig,
        handler: Option<Arc<dyn Any + Send + Sync>>,
    ) -> (ResponseFields, RequestStatus) {
        let outer = parts.extensions.get::<VerifiedToken>().and_then(VerifiedToken::handler);
        let outer = outer.or_else(|| parts.extensions.get::<Anonymous>()?.handler.as_ref());
        let handler = RequestHandler::new(handler, outer, parts);
        for name in &cfg.state.strip_uncovered {
            let is_covered = |token: &VerifiedToken| token.proof().covers_field(name.as_str());
            if !self.token.as_ref().is_some_and(is_covered) {
                parts.headers.remove(name);
            }
        }
        let extensions = &mut parts.extensions;
        match self.token {
            Some(token) => {
                extensions.remove::<Anonymous>();
                extensions.insert(token.handled_by(handler));
            }
            None => {
                extensions.remove::<VerifiedToken>();
                extensions.insert(Anonymous { cfg: cfg.clone(), handler });
            }
        }
        (self.response, self.status)
    }
}

/// The verdict on one request.
pub type Verdict = Result<Admitted, Rejection>;
