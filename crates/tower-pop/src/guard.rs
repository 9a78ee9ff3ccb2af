//! Guards for routes behind a [`PopLayer`](crate::PopLayer): scopes (RFC 6750 §3.1), how strong and recent the user's
//! authentication must be (RFC 9470), and values of any claim. Token and proof are verified before: a guard says nothing to
//! those who have none.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use pop_core::step_up::AuthenticationRequirement;
use serde_json::Value;
use tower_layer::Layer;
use tower_service::Service;

use crate::drain::DrainPolicy;
use crate::future::ResponseFuture;
use crate::rejection::{self, DefaultRejection, RejectionHandler};
use crate::telemetry::Tally;
use crate::token::{Anonymous, VerifiedToken};

/// Everything that a route asks of a verified token, as one layer. [`RequireScope`], [`RequireClaim`], [`RequireAcr`] and
/// [`RequireMaxAge`] are the parts, each a layer of its own; together in one, a client learns of all scopes and
/// authentication that it lacks from one challenge. Claims are checked last.
///
/// ```
/// use std::time::Duration;
/// use tower_pop::{RequireAcr, RequireMaxAge, RequireScope};
///
/// let transfer = RequireScope::all(["payments"]).and(RequireAcr::any(["phr", "mfa"])).and(RequireMaxAge::new(Duration::from_secs(300)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Require {
    /// Of each list one scope.
    scopes: Arc<[Box<[Box<str>]>]>,
    claims: Arc<[ClaimRequirement]>,
    pub(crate) authentication: Arc<AuthenticationRequirement>,
}

impl Require {
    /// Both together: what satisfies this satisfies each. All scopes and claims are needed, of each list of alternatives
    /// one, and the least of the ages.
    #[must_use]
    pub fn and(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let scopes = self.scopes.iter().chain(other.scopes.iter()).cloned().collect();
        let claims = self.claims.iter().chain(other.claims.iter()).cloned().collect();
        let authentication = (*self.authentication).clone().and((*other.authentication).clone());
        Self { scopes, claims, authentication: Arc::new(authentication) }
    }

    /// What a challenge has to name, unless each list of scopes has one that the token carries: the first of each list, the
    /// same for every token.
    pub(crate) fn lacking_scopes(&self, has: impl Fn(&str) -> bool) -> Option<Vec<&str>> {
        let is_met = |list: &[Box<str>]| list.iter().any(|scope| has(scope));
        if self.scopes.iter().all(|list| is_met(list)) {
            return None;
        }
        let mut needed: Vec<&str> = Vec::with_capacity(self.scopes.len());
        for scope in self.scopes.iter().filter_map(|list| list.first()) {
            if !needed.contains(&&**scope) {
                needed.push(scope);
            }
        }
        Some(needed)
    }

    /// Whether the claims are what is asked for. They are read only where something is.
    pub(crate) fn accepts_claims(&self, token: &VerifiedToken) -> bool {
        if self.claims.is_empty() {
            return true;
        }
        let claims: Result<Value, _> = token.claims();
        claims.is_ok_and(|claims| self.claims.iter().all(|required| required.is_met(&claims)))
    }
}

/// Some or all of these values in one claim.
#[derive(Debug, Clone)]
struct ClaimRequirement {
    path: Box<str>,
    values: Arc<[Box<str>]>,
    all: bool,
}

impl ClaimRequirement {
    fn is_met(&self, claims: &Value) -> bool {
        let Some(claim) = find(claims, &self.path) else {
            return false;
        };
        let is = |member: &Value, value: &str| member.as_str() == Some(value);
        let has = |value: &str| match claim {
            Value::Array(members) => members.iter().any(|member| is(member, value)),
            other => is(other, value),
        };
        if self.all { self.values.iter().all(|value| has(value)) } else { self.values.iter().any(|value| has(value)) }
    }
}

/// The member of this exact name, else what lies below: dots also occur in names, such as `https://example.com/roles`.
fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    if let Some(member) = object.get(path) {
        return Some(member);
    }
    path.match_indices('.').find_map(|(at, _)| {
        let (name, rest) = (path.get(..at)?, path.get(at + 1..)?);
        find(object.get(name)?, rest)
    })
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

/// Lets only tokens with the given scopes through; others get 403 `insufficient_scope` that names what is needed
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
        let scopes = checked(scopes, "all");
        let scopes = scopes.iter().map(|scope| Box::from([scope.clone()])).collect();
        Self(Require { scopes, ..Require::default() })
    }

    /// Requires one of these scopes. The `scope` of a challenge is a list of which all are needed (RFC 6750 §3): it names
    /// the first one alone, so put the one first that clients should ask for, as a rule the least.
    ///
    /// ```
    /// use tower_pop::RequireScope;
    ///
    /// let read = RequireScope::any(["notes:read", "notes:admin"]);
    /// ```
    ///
    /// # Panics
    /// As [`all`](Self::all).
    #[must_use]
    pub fn any(scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let scopes: Box<[Box<str>]> = checked(scopes, "any").into();
        Self(Require { scopes: Arc::new([scopes]), ..Require::default() })
    }
}

fn checked(scopes: impl IntoIterator<Item = impl Into<String>>, method: &str) -> Vec<Box<str>> {
    let scopes: Vec<Box<str>> = scopes.into_iter().map(|scope| scope.into().into_boxed_str()).collect();
    assert!(!scopes.is_empty(), "RequireScope::{method} needs a scope");
    for scope in &scopes {
        assert!(pop_core::scope::is_scope_token(scope), "{scope:?} is not a scope");
    }
    scopes
}

part!(RequireScope);

/// Lets only tokens through that have certain values in a claim, such as roles; others get 403 with the code
/// `claim.insufficient`, and `insufficient_scope` without `scope` in the challenge (RFC 6750 §3.1): which claim is needed is
/// not said.
///
/// A claim is a string that equals a value, or an array with such a string. Nothing is split, folded or converted. A name
/// with dots is first looked up as it is, then as a path through objects.
///
/// ```
/// use tower_pop::{RequireClaim, RequireScope};
///
/// let admin = RequireScope::all(["notes:write"]).and(RequireClaim::any("realm_access.roles", ["admin", "editor"]));
/// ```
#[derive(Debug, Clone)]
pub struct RequireClaim(Require);

impl RequireClaim {
    /// Requires one of these values.
    ///
    /// # Panics
    /// When the claim has no name, or there is no value: routes are declared in code, at start.
    #[must_use]
    pub fn any(claim: impl Into<String>, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(claim.into(), values, false)
    }

    /// Requires every one of these values.
    ///
    /// # Panics
    /// As [`any`](Self::any).
    #[must_use]
    pub fn all(claim: impl Into<String>, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(claim.into(), values, true)
    }

    fn new(claim: String, values: impl IntoIterator<Item = impl Into<String>>, all: bool) -> Self {
        let values: Arc<[Box<str>]> = values.into_iter().map(|value| value.into().into_boxed_str()).collect();
        assert!(
            !claim.is_empty() && !values.is_empty(),
            "RequireClaim needs a claim and a value: {claim:?} {values:?}"
        );
        let required = ClaimRequirement { path: claim.into(), values, all };
        Self(Require { claims: Arc::new([required]), ..Require::default() })
    }
}

part!(RequireClaim);

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
                (None, Some(anonymous)) => (Err(anonymous.reject()), &anonymous.0),
                (None, None) => {
                    return ResponseFuture::answered(rejection::missing_layer(), request, &DrainPolicy::DEFAULT);
                }
            };
        match verdict {
            // The layer counts the request by the response.
            Ok(()) => ResponseFuture::called(self.inner.call(request), None, Tally::default()),
            Err(rejection) => {
                let cfg = cfg.clone();
                ResponseFuture::answered(DefaultRejection.respond(&rejection), request, &cfg.state.drain)
            }
        }
    }
}
