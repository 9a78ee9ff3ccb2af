//! Scope guards for routes behind a [`PopLayer`](crate::PopLayer).

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::future::ResponseFuture;
use crate::rejection::{DefaultRejection, RejectionHandler};
use crate::token::{Anonymous, VerifiedToken};

/// A layer that lets only tokens with all of the given scopes through; others get 403 `insufficient_scope` that names all
/// of them (RFC 6750 §3.1). Requests without credentials get 401.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Router, routing::post};
/// use tower_pop::{PopConfig, PopLayer, RequireScope};
///
/// let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
/// let app: Router = Router::new()
///     .route("/notes", post(|| async { "written" }).layer(RequireScope::all(["notes:write"])))
///     .layer(PopLayer::new(cfg));
/// # }
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RequireScope {
    scopes: Arc<[Box<str>]>,
}

impl RequireScope {
    /// Requires every one of these scopes.
    ///
    /// # Panics
    /// When one of them is not a scope token (RFC 6749 §3.3), or there is none: routes are declared in code, at start.
    #[must_use]
    pub fn all(scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let scopes: Arc<[Box<str>]> = scopes.into_iter().map(|scope| scope.into().into_boxed_str()).collect();
        assert!(!scopes.is_empty(), "RequireScope::all needs a scope");
        for scope in scopes.iter() {
            assert!(pop_core::scope::is_scope_token(scope), "{scope:?} is not a scope");
        }
        Self { scopes }
    }
}

impl<S> Layer<S> for RequireScope {
    type Service = RequireScopeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireScopeService { inner, scopes: Arc::clone(&self.scopes) }
    }
}

/// The service that [`RequireScope`] makes.
#[derive(Debug, Clone)]
pub struct RequireScopeService<S> {
    inner: S,
    scopes: Arc<[Box<str>]>,
}

impl<S, B, ResBody> Service<Request<B>> for RequireScopeService<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: Default + 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, DefaultRejection, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let verdict = match (request.extensions().get::<VerifiedToken>(), request.extensions().get::<Anonymous>()) {
            (Some(token), _) => token.require_scopes(&self.scopes),
            (None, Some(anonymous)) => Err(anonymous.reject()),
            (None, None) => {
                tracing::error!("RequireScope found no verified token: is it outside of PopLayer?");
                let mut response = Response::new(ResBody::default());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                return ResponseFuture::answered(response);
            }
        };
        match verdict {
            Ok(()) => ResponseFuture::called(self.inner.call(request), None),
            Err(rejection) => ResponseFuture::answered(DefaultRejection.respond(&rejection)),
        }
    }
}
