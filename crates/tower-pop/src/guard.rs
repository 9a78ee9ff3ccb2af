//! Guards for routes behind a [`PopLayer`](crate::PopLayer): scopes (RFC 6750 §3.1), and how strong and recent the user's
//! authentication must be (RFC 9470). Token and proof are verified before: a guard says nothing to those who have none.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use pop_core::step_up::AuthenticationRequirement;
use tower_layer::Layer;
use tower_service::Service;

use crate::future::ResponseFuture;
use crate::rejection::{DefaultRejection, RejectionHandler};
use crate::token::{Anonymous, VerifiedToken};

/// Everything that a route asks of a verified token, as one layer. [`RequireScope`], [`RequireAcr`] and
/// [`RequireMaxAge`] are the parts, each a layer of its own; together in one, a client learns of all that it lacks from
/// one challenge.
///
/// ```
/// use std::time::Duration;
/// use tower_pop::{RequireAcr, RequireMaxAge, RequireScope};
///
/// let transfer = RequireScope::all(["payments"]).and(RequireAcr::any(["phr", "mfa"])).and(RequireMaxAge::new(Duration::from_secs(300)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Require {
    pub(crate) scopes: Arc<[Box<str>]>,
    pub(crate) authentication: Arc<AuthenticationRequirement>,
}

impl Require {
    /// Both together: what satisfies this satisfies each. All scopes are needed, of each list of `acr` values one, and the
    /// least of the ages.
    #[must_use]
    pub fn and(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let scopes = self.scopes.iter().chain(other.scopes.iter()).cloned().collect();
        let authentication = (*self.authentication).clone().and((*other.authentication).clone());
        Self { scopes, authentication: Arc::new(authentication) }
    }
}

macro_rules! part {
    ($name:ident) => {
        impl $name {
            /// This and another requirement, as one layer.
            #[must_use]
            pub fn and(self, other: impl Into<Require>) -> Require {
                self.0.and(other)
            }
        }

        impl From<$name> for Require {
            fn from(part: $name) -> Self {
                part.0
            }
        }

        impl<S> Layer<S> for $name {
            type Service = Guarded<S>;

            fn layer(&self, inner: S) -> Guarded<S> {
                self.0.layer(inner)
            }
        }
    };
}

/// Lets only tokens with all of the given scopes through; others get 403 `insufficient_scope` that names all of them
/// (RFC 6750 §3.1). Requests without credentials get 401.
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
pub struct RequireScope(Require);

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
        Self(Require { scopes, ..Require::default() })
    }
}

part!(RequireScope);

/// Lets only tokens through whose `acr` is one of the given values; others get 401 `insufficient_user_authentication` with
/// `acr_values` (RFC 9470 §3).
///
/// ```
/// use tower_pop::RequireAcr;
///
/// let guard = RequireAcr::any(["phr", "mfa"]); // the preferred one first
/// ```
#[derive(Debug, Clone)]
pub struct RequireAcr(Require);

impl RequireAcr {
    /// Requires one of these authentication context classes; the challenge names them in this order.
    ///
    /// # Panics
    /// When there is none, or one cannot stand in a challenge (printable ASCII without spaces, quotes and backslashes):
    /// routes are declared in code, at start.
    #[must_use]
    pub fn any(values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        let Some(authentication) = AuthenticationRequirement::default().acr_values(&values) else {
            panic!("RequireAcr::any needs acr values that can stand in a challenge: {values:?}");
        };
        Self(Require { authentication: Arc::new(authentication), ..Require::default() })
    }
}

part!(RequireAcr);

/// Lets only tokens through whose user authenticated (`auth_time`) a short enough time ago; others, and tokens without
/// `auth_time`, get 401 `insufficient_user_authentication` with `max_age` (RFC 9470 §3). The tolerance is the
/// [`token_leeway`](crate::PopConfigBuilder::token_leeway).
#[derive(Debug, Clone)]
pub struct RequireMaxAge(Require);

impl RequireMaxAge {
    /// Requires an authentication at most this old, in whole seconds.
    #[must_use]
    pub fn new(max_age: Duration) -> Self {
        let authentication = Arc::new(AuthenticationRequirement::default().max_age(max_age));
        Self(Require { authentication, ..Require::default() })
    }
}

part!(RequireMaxAge);

impl<S> Layer<S> for Require {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, require: self.clone() }
    }
}

/// The service behind a guard.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    inner: S,
    require: Require,
}

impl<S, B, ResBody> Service<Request<B>> for Guarded<S>
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
            (Some(token), _) => token.satisfies(&self.require),
            (None, Some(anonymous)) => Err(anonymous.reject()),
            (None, None) => {
                tracing::error!("a guard found no verified token: is it outside of PopLayer?");
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
