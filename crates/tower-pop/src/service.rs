//! The service that [`PopLayer`](crate::PopLayer) makes.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::config::PopConfig;
use crate::future::{ResponseFuture, Waiting, respond};
use crate::rejection::RejectionHandler;
use crate::telemetry::{RequestCounter, RequestStatus};
use crate::token;
use crate::verifier::Verification;

/// Verifies each request before the inner service sees it.
#[derive(Debug, Clone)]
pub struct PopService<S, R> {
    inner: S,
    cfg: Arc<PopConfig>,
    on_rejection: R,
}

impl<S, R> PopService<S, R> {
    pub(crate) const fn new(inner: S, cfg: Arc<PopConfig>, on_rejection: R) -> Self {
        Self { inner, cfg, on_rejection }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, R, B, ResBody> Service<Request<B>> for PopService<S, R>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    R: RejectionHandler<ResBody>,
    B: 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, R, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        self.cfg.sanitize_certificates(&mut parts);
        // An outer layer of the same configuration counts the request.
        let is_counted = token::is_accepted_by(&parts.extensions, &self.cfg);
        let counter = |status| if is_counted { RequestCounter::default() } else { RequestCounter::new(status) };
        let verification = self.cfg.verify_uncounted(&parts);
        let request = Request::from_parts(parts, body);
        match verification {
            Verification::Now(Ok(admitted)) => {
                let (request, fields, status) = admitted.insert_into(request, &self.cfg);
                ResponseFuture::called(self.inner.call(request), Some(fields), counter(status))
            }
            Verification::Now(Err(rejection)) => {
                counter(RequestStatus::Undecided).rejected(rejection.error(), rejection.explanation());
                ResponseFuture::answered(respond(&self.on_rejection, &rejection), request, &self.cfg.state.drain)
            }
            Verification::Later(verdict) => {
                // The clone stays behind. The service that was polled ready goes along with the request.
                let clone = self.inner.clone();
                let inner = mem::replace(&mut self.inner, clone);
                let (cfg, on_rejection) = (Arc::clone(&self.cfg), self.on_rejection.clone());
                let counter = counter(RequestStatus::Undecided);
                ResponseFuture::waiting(verdict, Waiting { request, inner, cfg, on_rejection, counter })
            }
        }
    }
}
