//! The result of a verification.

use std::any::Any;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::HeaderValue;
use http::request::Parts;
use pop_core::ContentError;

use super::content::ContentCheck;
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

/// What can be said of a request by its head: the verdict, or what its content must be.
#[must_use = "a request is verified only once its verdict is known"]
#[allow(clippy::large_enum_variant)] // the verdict is the common case; a box would cost every request an allocation
#[derive(Debug)]
pub enum Decision {
    /// The verdict.
    Verdict(Verdict),
    /// The proof covers the content, or has to. The content decides.
    Content(Box<ContentCheck>),
}

/// A verification by the head of a request, complete if nothing had to be waited for.
///
/// `.await` completes it with a verdict. A request whose content must be verified is then rejected with status 500: use
/// [`decide`](Self::decide) where proofs can cover content.
#[must_use = "a request is verified only once its verdict is known"]
pub enum Verification {
    /// Complete.
    Now(Decision),
    /// Complete once the future is ready. The future owns everything that it needs.
    Later(DecisionFuture),
}

/// The future of a decision.
pub type DecisionFuture = Pin<Box<dyn Future<Output = Decision> + Send>>;

impl Verification {
    pub(super) const fn now(verdict: Verdict) -> Self {
        Self::Now(Decision::Verdict(verdict))
    }

    pub(super) fn later(decision: impl Future<Output = Decision> + Send + 'static) -> Self {
        Self::Later(Box::pin(decision))
    }

    /// Completes the verification of the head.
    pub async fn decide(self) -> Decision {
        match self {
            Self::Now(decision) => decision,
            Self::Later(decision) => decision.await,
        }
    }
}

impl Decision {
    /// Returns the verdict for a caller that does not read content.
    ///
    /// # Errors
    /// The rejection: with status 500 if the content must be verified.
    pub fn into_verdict(self) -> Verdict {
        match self {
            Self::Verdict(verdict) => verdict,
            Self::Content(check) => check.failed(ContentError::Unread),
        }
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now(..)",
            Self::Later(_) => "Later(..)",
        })
    }
}

impl IntoFuture for Verification {
    type Output = Verdict;
    type IntoFuture = VerificationFuture;

    fn into_future(self) -> VerificationFuture {
        match self {
            Self::Now(decision) => VerificationFuture(State::Now(Some(Box::new(decision.into_verdict())))),
            Self::Later(decision) => VerificationFuture(State::Later(decision)),
        }
    }
}

/// The future of a [`Verification`].
pub struct VerificationFuture(State);

enum State {
    Now(Option<Box<Verdict>>),
    Later(DecisionFuture),
}

impl Future for VerificationFuture {
    type Output = Verdict;

    /// # Panics
    /// If it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        match &mut self.0 {
            State::Now(verdict) => match verdict.take() {
                Some(verdict) => Poll::Ready(*verdict),
                None => panic!("a VerificationFuture was polled after it was ready"),
            },
            State::Later(decision) => decision.as_mut().poll(cx).map(Decision::into_verdict),
        }
    }
}

impl fmt::Debug for VerificationFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationFuture(..)")
    }
}
