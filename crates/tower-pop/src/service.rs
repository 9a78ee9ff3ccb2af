//! The service that [`PopLayer`](crate::PopLayer) makes.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::config::PopConfig;
use crate::future::{ResponseFuture, Waiting, respond};
use crate::rejection::RejectionHandler;
use crate::telemetry::{Standing, Tally};
use crate::token::{Anonymous, VerifiedToken};
use crate::verifier::{Admitted, ResponseFields, Verification};

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
        self.cfg.settle_certificates(&mut parts);
        // An outer layer of the same configuration counts the request.
        let nested = self.cfg.is_inside_another(&parts);
        let tally = |standing| if nested { Tally::default() } else { Tally::of(standing) };
        let verification = self.cfg.verdict(&parts);
        let request = Request::from_parts(parts, body);
        match verification {
            Verification::Now(Ok(admitted)) => {
                let (request, fields, standing) = admit(&self.cfg, request, admitted);
                ResponseFuture::called(self.inner.call(request), Some(fields), tally(standing))
            }
            Verification::Now(Err(rejection)) => {
                tally(Standing::Undecided).rejected(&rejection);
                ResponseFuture::answered(respond(&self.on_rejection, &rejection), request, &self.cfg.state.drain)
            }
            Verification::Later(verdict) => {
                // The clone stays behind; the one that was polled ready goes along with the request.
                let clone = self.inner.clone();
                let inner = mem::replace(&mut self.inner, clone);
                let (cfg, on_rejection) = (Arc::clone(&self.cfg), self.on_rejection.clone());
                let tally = tally(Standing::Undecided);
                ResponseFuture::waiting(verdict, Waiting { request, inner, cfg, on_rejection, tally })
            }
        }
    }
}

/// Puts the verdict into the request's extensions.
pub(crate) fn admit<B>(
    cfg: &PopConfig,
    mut request: Request<B>,
    admitted: Admitted,
) -> (Request<B>, ResponseFields, Standing) {
    let extensions = request.extensions_mut();
    // The verdict of this layer is the only one that goes on: not that of a layer around it with another configuration.
    match admitted.token {
        Some(token) => {
            extensions.remove::<Anonymous>();
            extensions.insert(token);
        }
        None => {
            extensions.remove::<VerifiedToken>();
            extensions.insert(Anonymous(cfg.clone()));
        }
    }
    (request, admitted.response, admitted.standing)
}
