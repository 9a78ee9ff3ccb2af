use std::sync::Arc;
use std::time::Duration;

use pop_core::step_up::AuthenticationRequirement;

use super::{Require, RequireError, part};

/// Requires an authentication context class: `acr` must be one of the given values. Other tokens are rejected with 401
/// `insufficient_user_authentication`, and the challenge names the values in `acr_values` (RFC 9470 §3).
///
/// ```
/// use tower_pop::RequireAcr;
///
/// let guard = RequireAcr::any(["phr", "mfa"]); // the preferred value first
/// ```
#[derive(Debug, Clone)]
#[must_use = "a requirement does nothing until it is a layer or an argument of VerifiedToken::require"]
pub struct RequireAcr(pub(super) Require);

impl RequireAcr {
    /// Requires one of these classes. The challenge names them in this order.
    ///
    /// # Panics
    /// If there is none, or one cannot be written in a challenge (printable ASCII without spaces, quotes and backslashes). For
    /// values that are not written in code, use [`try_any`](Self::try_any).
    pub fn any(values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::try_any(values).unwrap_or_else(|error| panic!("RequireAcr::any: {error}"))
    }

    /// Requires one of these classes, which may come from configuration.
    ///
    /// # Errors
    /// [`RequireError::Empty`] or [`RequireError::Acr`].
    pub fn try_any(values: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, RequireError> {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            return Err(RequireError::Empty("acr values"));
        }
        match AuthenticationRequirement::default().acr_values(&values) {
            Some(authentication) => {
                Ok(Self(Require { authentication: Arc::new(authentication), ..Require::default() }))
            }
            None => {
                let wrong = values.into_iter().find(|value| !pop_core::scope::is_scope_token(value));
                Err(RequireError::Acr(wrong.unwrap_or_default()))
            }
        }
    }
}

part!(RequireAcr);

/// Requires a recent authentication of the user (`auth_time`). Other tokens, and tokens without `auth_time`, are rejected with
/// 401 `insufficient_user_authentication`, and the challenge has `max_age` (RFC 9470 §3). The tolerance is the
/// [`token_leeway`](crate::PopConfigBuilder::token_leeway).
///
/// ```
/// use std::time::Duration;
/// use tower_pop::RequireMaxAge;
///
/// let guard = RequireMaxAge::new(Duration::from_secs(300));
/// ```
#[derive(Debug, Clone)]
#[must_use = "a requirement does nothing until it is a layer or an argument of VerifiedToken::require"]
pub struct RequireMaxAge(pub(super) Require);

impl RequireMaxAge {
    /// Sets the maximum age of the authentication, in whole seconds.
    pub fn new(max_age: Duration) -> Self {
        let authentication = Arc::new(AuthenticationRequirement::default().max_age(max_age));
        Self(Require { authentication, ..Require::default() })
    }
}

part!(RequireMaxAge);
