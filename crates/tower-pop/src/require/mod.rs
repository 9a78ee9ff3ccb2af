//! What a route requires of a verified token: scopes (RFC 6750 §3.1), how strong and how recent the user's authentication is
//! (RFC 9470), and the values of claims.

mod authentication;
mod claim;
mod error;
mod scope;

use std::sync::Arc;

use pop_core::access_token::AccessToken;
use pop_core::step_up::AuthenticationRequirement;
use serde_json::Value;

pub use self::authentication::{RequireAcr, RequireMaxAge};
use self::claim::ClaimRequirement;
pub use self::claim::RequireClaim;
pub use self::error::RequireError;
pub use self::scope::RequireScope;

/// Everything that a route requires of a verified token, as one layer.
///
/// [`RequireScope`], [`RequireClaim`], [`RequireAcr`] and [`RequireMaxAge`] are its parts, and each is also a layer. Combine
/// them, and one challenge tells the client all scopes and the authentication that it lacks. Claims are checked last.
///
/// ```
/// use std::time::Duration;
/// use tower_pop::{RequireAcr, RequireMaxAge, RequireScope};
///
/// let transfer = RequireScope::all(["payments"])
///     .and(RequireAcr::any(["phr", "mfa"]))
///     .and(RequireMaxAge::new(Duration::from_secs(300)));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a requirement does nothing until it is a layer or an argument of VerifiedToken::require"]
pub struct Require {
    /// Lists of alternatives: one scope of each list is required.
    scopes: Arc<[Box<[Box<str>]>]>,
    claims: Arc<[ClaimRequirement]>,
    pub(crate) authentication: Arc<AuthenticationRequirement>,
}

impl Require {
    /// Combines two requirements: the token must meet both. All scopes and claims are required, one of each list of
    /// alternatives, and the lowest maximum age counts.
    pub fn and(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let scopes = self.scopes.iter().chain(other.scopes.iter()).cloned().collect();
        let claims = self.claims.iter().chain(other.claims.iter()).cloned().collect();
        let authentication = (*self.authentication).clone().and((*other.authentication).clone());
        Self { scopes, claims, authentication: Arc::new(authentication) }
    }

    /// Returns the scopes for the challenge if the token lacks one: the first of each list of alternatives, the same for every
    /// token.
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

    /// Returns whether the claims have the required values. They are deserialized only if there is such a requirement.
    pub(crate) fn accepts_claims(&self, token: &AccessToken) -> bool {
        if self.claims.is_empty() {
            return true;
        }
        let claims: Result<Value, _> = token.claims();
        claims.is_ok_and(|claims| self.claims.iter().all(|required| required.is_met(&claims)))
    }
}

/// Makes a type a part of [`Require`].
macro_rules! part {
    ($name:ident) => {
        impl $name {
            /// Combines this with another requirement: the token must meet both.
            pub fn and(self, other: impl Into<crate::require::Require>) -> crate::require::Require {
                self.0.and(other)
            }
        }

        impl From<$name> for crate::require::Require {
            fn from(part: $name) -> Self {
                part.0
            }
        }
    };
}

use part;
