//! Step-up authentication (RFC 9470): how strong and how recent the user's authentication must be.

use std::time::Duration;

/// What an operation asks of the user's authentication. Only configuration makes one, and every user gets the same
/// challenge: it tells nothing about the user (RFC 9470 §9).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthenticationRequirement {
    /// Of each list one value.
    lists: Vec<Vec<Box<str>>>,
    /// What a challenge names: values of all lists.
    acr_values: Box<str>,
    max_age: Option<(u64, Box<str>)>,
}

impl AuthenticationRequirement {
    /// Asks for one of these authentication context classes, the preferred one first. `None` when one of them is empty or
    /// cannot stand in a challenge: printable ASCII without spaces, quotes and backslashes.
    #[must_use]
    pub fn acr_values(self, values: &[impl AsRef<str>]) -> Option<Self> {
        // The alphabet of a scope token is the one that needs no quoting and no splitting.
        if values.is_empty() || !values.iter().all(|value| crate::scope::is_scope_token(value.as_ref())) {
            return None;
        }
        Some(self.with_list(values.iter().map(|value| value.as_ref().into()).collect()))
    }

    /// Two lists that have no value in common can be satisfied by nobody; the challenge then names the later one.
    fn with_list(mut self, list: Vec<Box<str>>) -> Self {
        let in_all = |value: &&str| self.lists.iter().all(|other| other.iter().any(|own| **own == **value));
        let common: Vec<&str> = list.iter().map(AsRef::as_ref).filter(in_all).collect();
        self.acr_values = if common.is_empty() { list.join(" ") } else { common.join(" ") }.into();
        self.lists.push(list);
        self
    }

    /// Asks for an authentication at most this old, in whole seconds; of several ages the least counts.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        let seconds = max_age.as_secs();
        if self.max_age.as_ref().is_none_or(|(least, _)| seconds < *least) {
            self.max_age = Some((seconds, seconds.to_string().into()));
        }
        self
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.max_age.is_none()
    }

    /// Both requirements together: what satisfies this satisfies each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = other.lists.into_iter().fold(self, Self::with_list);
        match other.max_age {
            Some((seconds, _)) => both.max_age(Duration::from_secs(seconds)),
            None => both,
        }
    }

    /// Checks `acr` and `auth_time` of a verified token. A missing claim fails, and so does an `auth_time` further in the
    /// future than `leeway`. An authentication is too old if `now - auth_time > max_age + leeway`; `auth_time` and `now` are in
    /// seconds since the epoch.
    ///
    /// # Errors
    /// What is not met, together with everything that is required.
    pub fn check(
        &self,
        acr: Option<&str>,
        auth_time: Option<u64>,
        now: u64,
        leeway: Duration,
    ) -> Result<(), StepUpError> {
        let unmet = |unmet| StepUpError { unmet, required: self.clone(), scope: None };
        let among = |list: &Vec<Box<str>>| acr.is_some_and(|acr| list.iter().any(|value| **value == *acr));
        if !self.lists.iter().all(among) {
            return Err(unmet(Unmet::AuthenticationContext));
        }
        let Some((max_age, _)) = &self.max_age else {
            return Ok(());
        };
        let leeway = leeway.as_secs();
        let recent = |auth_time: u64| {
            auth_time <= now.saturating_add(leeway) && now.saturating_sub(auth_time) <= max_age.saturating_add(leeway)
        };
        if auth_time.is_some_and(recent) { Ok(()) } else { Err(unmet(Unmet::AuthenticationAge)) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unmet {
    AuthenticationContext,
    AuthenticationAge,
}

/// Why the user's authentication does not suffice, and what would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", match self.unmet {
    Unmet::AuthenticationContext => "authentication context class not sufficient",
    Unmet::AuthenticationAge => "authentication too old, or its time unknown",
})]
pub struct StepUpError {
    unmet: Unmet,
    required: AuthenticationRequirement,
    scope: Option<Box<str>>,
}

impl StepUpError {
    /// Names the scopes that the operation needs as well, so that one new token settles both (RFC 9470 §3).
    #[must_use]
    pub fn with_scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Names and values for the challenge: `acr_values`, `max_age`, `scope`.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let acr_values = (!self.required.acr_values.is_empty()).then_some(("acr_values", &*self.required.acr_values));
        let max_age = self.required.max_age.as_ref().map(|(_, text)| ("max_age", &**text));
        let scope = self.scope.as_deref().map(|scope| ("scope", scope));
        acr_values.into_iter().chain(max_age).chain(scope)
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.unmet {
            Unmet::AuthenticationContext => "step_up.acr",
            Unmet::AuthenticationAge => "step_up.max_age",
        }
    }
}
