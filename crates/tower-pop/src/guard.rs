//! Requirements as layers on routes behind a [`PopLayer`](crate::PopLayer).

use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::drain::DrainPolicy;
use crate::future::ResponseFuture;
use crate::rejection::{self, DefaultRejection};
use crate::require::{Require, RequireAcr, RequireClaim, RequireMaxAge, RequireScope};
use crate::telemetry::RequestCounter;
use crate::token::{Anonymous, VerifiedToken};

impl<S> Layer<S> for Require {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, require: self.clone() }
    }
}

macro_rules! layer {
    ($($name:ident),*) => {$(
        impl<S> Layer<S> for $name {
            type Service = Guarded<S>;

            fn layer(&self, inner: S) -> Guarded<S> {
                Require::from(self.clone()).layer(inner)
            }
        }
    )*};
}

layer!(RequireScope, RequireClaim, RequireAcr, RequireMaxAge);

/// The service of a [`Require`] layer. It rejects verified tokens that do not meet the requirement.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    inner: S,
    require: Require,
}

impl<S, B, ResBody> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: Default + 'static,
    B: 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, DefaultRejection, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (verdict, cfg) =
            match (request.extensions().get::<VerifiedToken>(), request.extensions().get::<Anonymous>()) {
                (Some(token), _) => (token.satisfies(&self.require), token.config()),
                (None, Some(anonymous)) => (Err(anonymous.reject()), &anonymous.cfg),
                (None, None) => {
                    return ResponseFuture::answered(rejection::missing_layer(), request, &DrainPolicy::DEFAULT);
                }
            };
        match verdict {
            // The layer counts the request by the response.
            Ok(()) => ResponseFuture::called(self.inner.call(request), None, RequestCounter::default()),
            Err(rejection) => {
                let cfg = cfg.clone();
                ResponseFuture::answered(rejection.render(), request, &cfg.state.drain)
            }
        }
    }
}
