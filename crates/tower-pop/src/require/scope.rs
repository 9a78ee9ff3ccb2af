use std::sync::Arc;

use super::{Require, RequireError, part};

/// Requires scopes. Other tokens are rejected with 403 `insufficient_scope`, and the challenge names the scopes
/// (RFC 6750 §3.1). Requests without credentials are rejected with 401.
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
#[must_use = "a requirement does nothing until it is a layer or an argument of VerifiedToken::require"]
pub struct RequireScope(pub(super) Require);

impl RequireScope {
    /// Requires all of these scopes.
    ///
    /// # Panics
    /// If there is none, or one is not a scope token (RFC 6749 §3.3). For scopes that are not written in code, use
    /// [`try_all`](Self::try_all).
    pub fn all(scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::try_all(scopes).unwrap_or_else(|error| panic!("RequireScope::all: {error}"))
    }

    /// Requires all of these scopes, which may come from configuration.
    ///
    /// # Errors
    /// [`RequireError::Empty`] or [`RequireError::Scope`].
    pub fn try_all(scopes: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, RequireError> {
        let scopes = checked(scopes)?.into_iter().map(|scope| Box::from([scope])).collect();
        Ok(Self(Require { scopes, ..Require::default() }))
    }

    /// Requires one of these scopes. The `scope` of a challenge lists scopes that are all needed (RFC 6750 §3), so the
    /// challenge names only the first. Put first the scope that clients should request, usually the narrowest.
    ///
    /// ```
    /// use tower_pop::RequireScope;
    ///
    /// let read = RequireScope::any(["notes:read", "notes:admin"]);
    /// ```
    ///
    /// # Panics
    /// As for [`all`](Self::all). For scopes that are not written in code, use [`try_any`](Self::try_any).
    pub fn any(scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::try_any(scopes).unwrap_or_else(|error| panic!("RequireScope::any: {error}"))
    }

    /// Requires one of these scopes, which may come from configuration.
    ///
    /// # Errors
    /// [`RequireError::Empty`] or [`RequireError::Scope`].
    pub fn try_any(scopes: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, RequireError> {
        let scopes: Box<[Box<str>]> = checked(scopes)?.into();
        Ok(Self(Require { scopes: Arc::new([scopes]), ..Require::default() }))
    }
}

fn checked(scopes: impl IntoIterator<Item = impl Into<String>>) -> Result<Vec<Box<str>>, RequireError> {
    let scopes: Vec<String> = scopes.into_iter().map(Into::into).collect();
    if scopes.is_empty() {
        return Err(RequireError::Empty("scopes"));
    }
    if let Some(scope) = scopes.iter().find(|scope| !pop_core::scope::is_scope_token(scope)) {
        return Err(RequireError::Scope(scope.clone()));
    }
    Ok(scopes.into_iter().map(String::into_boxed_str).collect())
}

part!(RequireScope);
