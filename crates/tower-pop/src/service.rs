//! The service that [`PopLayer`](crate::PopLayer) makes.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use tower_service::Service;

use crate::config::PopConfig;
use crate::content::{HeadOnly, ReadContent};
use crate::future::{ResponseFuture, Waiting};
use crate::rejection::RejectionHandler;
use crate::telemetry::{RequestCounter, RequestStatus};
use crate::token;
use crate::verifier::{Decision, Verification};

/// The service of a [`PopLayer`](crate::PopLayer): verifies each request before the inner service sees it.
#[derive(Debug, Clone)]
pub struct PopService<S, H, C = HeadOnly> {
    inner: S,
    cfg: Arc<PopConfig>,
    handler: H,
    content: C,
}

impl<S, H, C> PopService<S, H, C> {
    pub(crate) const fn new(inner: S, cfg: Arc<PopConfig>, handler: H, content: C) -> Self {
        Self { inner, cfg, handler, content }
    }

    /// Returns the inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, H, C, B, ResBody> Service<Request<B>> for PopService<S, H, C>
where
    C: ReadContent<B>,
    S: Service<Request<C::Body>, Response = Response<ResBody>> + Clone,
    H: RejectionHandler<ResBody>,
    B: 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, H, B, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        self.cfg.sanitize_certificates(&mut parts);
        // An outer layer of the same configuration counts the request.
        let is_counted = token::is_accepted_by(&parts.extensions, &self.cfg);
        let counter = |status| if is_counted { RequestCounter::default() } else { RequestCounter::new(status) };
        match self.cfg.verify_uncounted(&parts) {
            Verification::Now(Decision::Verdict(Ok(admitted))) => {
                let (fields, status) = admitted.insert_into(&mut parts, &self.cfg, self.handler.erased());
                let request = Request::from_parts(parts, self.content.unread(body));
                ResponseFuture::called(self.inner.call(request), Some(fields), counter(status))
            }
            Verification::Now(Decision::Verdict(Err(rejection))) => {
                counter(RequestStatus::Undecided).rejected(rejection.error(), rejection.explanation());
                let response = rejection.render_with(&self.handler, &mut parts);
                ResponseFuture::answered(response, Request::from_parts(parts, body), &self.cfg.state.drain)
            }
            Verification::Now(Decision::Content(check)) => {
                let waiting = self.waiting(parts, counter(RequestStatus::Undecided));
                ResponseFuture::content(check, waiting, body)
            }
            Verification::Later(decision) => {
                let waiting = self.waiting(parts, counter(RequestStatus::Undecided));
                ResponseFuture::waiting(decision, waiting, body)
            }
        }
    }
}

impl<S: Clone, H: Clone, C: Clone> PopService<S, H, C> {
    /// What the request needs to go on. The clone of the inner service stays behind: the service that was polled ready goes along
    /// with the request.
    fn waiting(&mut self, parts: Parts, counter: RequestCounter) -> Waiting<S, H, C> {
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let (cfg, handler, content) = (Arc::clone(&self.cfg), self.handler.clone(), self.content.clone());
        Waiting { parts, inner, cfg, handler, counter, content }
    }
}
