use std::sync::Arc;

use serde_json::Value;

use super::{Require, RequireError, part};

/// Requires values of a claim, such as roles. Other tokens are rejected with 403 and the code `claim.insufficient`. The
/// challenge is `insufficient_scope` without `scope` (RFC 6750 §3.1): it does not tell which claim is required.
///
/// A claim is a string that equals a value, an array with such a string, or an object whose member of that name is an
/// object with members, as ZITADEL writes roles. Values are not split, folded or converted. A
/// name with dots is first looked up as it is, then as a path through objects.
///
/// ```
/// use tower_pop::{RequireClaim, RequireScope};
///
/// let roles = RequireClaim::any("realm_access.roles", ["admin", "editor"]);
/// let admin = RequireScope::all(["notes:write"]).and(roles);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a requirement does nothing until it is a layer or an argument of VerifiedToken::require"]
pub struct RequireClaim(pub(super) Require);

impl RequireClaim {
    /// Requires one of these values.
    ///
    /// # Panics
    /// If the name is empty, or there is no value. For values that are not written in code, use [`try_any`](Self::try_any).
    pub fn any(claim: impl Into<String>, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::try_any(claim, values).unwrap_or_else(|error| panic!("RequireClaim::any: {error}"))
    }

    /// Requires one of these values, which may come from configuration.
    ///
    /// # Errors
    /// [`RequireError::ClaimName`] or [`RequireError::Empty`].
    pub fn try_any(
        claim: impl Into<String>,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, RequireError> {
        Self::new(claim.into(), values, false)
    }

    /// Requires all of these values.
    ///
    /// # Panics
    /// As for [`any`](Self::any). For values that are not written in code, use [`try_all`](Self::try_all).
    pub fn all(claim: impl Into<String>, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::try_all(claim, values).unwrap_or_else(|error| panic!("RequireClaim::all: {error}"))
    }

    /// Requires all of these values, which may come from configuration.
    ///
    /// # Errors
    /// [`RequireError::ClaimName`] or [`RequireError::Empty`].
    pub fn try_all(
        claim: impl Into<String>,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, RequireError> {
        Self::new(claim.into(), values, true)
    }

    fn new(
        claim: String,
        values: impl IntoIterator<Item = impl Into<String>>,
        all: bool,
    ) -> Result<Self, RequireError> {
        let values: Arc<[Box<str>]> = values.into_iter().map(|value| value.into().into_boxed_str()).collect();
        if claim.is_empty() {
            return Err(RequireError::ClaimName);
        }
        if values.is_empty() {
            return Err(RequireError::Empty("claim values"));
        }
        let required = ClaimRequirement { path: claim.into(), values, all };
        Ok(Self(Require { claims: Arc::new([required]), ..Require::default() }))
    }
}

part!(RequireClaim);

/// Some or all of these values in one claim.
#[derive(Debug, Clone)]
pub(super) struct ClaimRequirement {
    path: Box<str>,
    values: Arc<[Box<str>]>,
    all: bool,
}

impl ClaimRequirement {
    pub(super) fn is_met(&self, claims: &Value) -> bool {
        let Some(claim) = find(claims, &self.path) else {
            return false;
        };
        let is = |member: &Value, value: &str| member.as_str() == Some(value);
        let has = |value: &str| match claim {
            Value::Array(members) => members.iter().any(|member| is(member, value)),
            Value::Object(members) => {
                members.get(value).and_then(Value::as_object).is_some_and(|member| !member.is_empty())
            }
            other => is(other, value),
        };
        if self.all { self.values.iter().all(|value| has(value)) } else { self.values.iter().any(|value| has(value)) }
    }
}

/// Returns the member of this exact name, or else the one at this path. Names can contain dots, too, such as
/// `https://example.com/roles`.
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
