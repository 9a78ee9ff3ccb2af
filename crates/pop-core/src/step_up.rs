//! Step-up authentication (RFC 9470): the required strength and maximum age of the user's authentication.

use std::time::Duration;

/// The requirements of an operation on the user's authentication. They come from the configuration, so that every user gets
/// the same challenge and the challenge reveals nothing about the user (RFC 9470 §9).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthenticationRequirement {
    /// `acr` must be in every list.
    lists: Vec<Vec<Box<str>>>,
    /// The `acr_values` of the challenge: the values that are in every list, separated by spaces.
    acr_values: Box<str>,
    /// In seconds, as a number and as a string.
    max_age: Option<(u64, Box<str>)>,
}

impl AuthenticationRequirement {
    /// Requires one of these authentication context classes. The preferred class comes first. If called more than once, `acr`
    /// must be in every list.
    ///
    /// Returns `None` if the list is empty, or if a value is empty or contains anything but printable ASCII without spaces,
    /// quotes and backslashes: a challenge cannot hold it.
    #[must_use]
    pub fn acr_values(self, values: &[impl AsRef<str>]) -> Option<Self> {
        // The characters of a scope token need no escaping and do not separate values.
        if values.is_empty() || !values.iter().all(|value| crate::scope::is_scope_token(value.as_ref())) {
            return None;
        }
        Some(self.with_list(values.iter().map(|value| value.as_ref().into()).collect()))
    }

    /// Adds a list. If the lists have no value in common, no authentication satisfies them; the challenge then names the last
    /// list.
    fn with_list(mut self, list: Vec<Box<str>>) -> Self {
        let in_all = |value: &&str| self.lists.iter().all(|other| other.iter().any(|own| **own == **value));
        let common: Vec<&str> = list.iter().map(AsRef::as_ref).filter(in_all).collect();
        self.acr_values = if common.is_empty() { list.join(" ") } else { common.join(" ") }.into();
        self.lists.push(list);
        self
    }

    /// Requires an authentication that is at most this old. Fractions of a second are dropped. If called more than once, the
    /// smallest age applies.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        let seconds = max_age.as_secs();
        if self.max_age.as_ref().is_none_or(|(smallest, _)| seconds < *smallest) {
            self.max_age = Some((seconds, seconds.to_string().into()));
        }
        self
    }

    /// Returns whether there is no requirement.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.max_age.is_none()
    }

    /// Combines both requirements. An authentication must satisfy each of them.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = other.lists.into_iter().fold(self, Self::with_list);
        match other.max_age {
            Some((seconds, _)) => both.max_age(Duration::from_secs(seconds)),
            None => both,
        }
    }

    /// Checks `acr` and `auth_time` of a verified token. `auth_time` and `now` are in seconds since the epoch.
    ///
    /// A required claim that is missing fails. An `auth_time` more than `leeway` in the future fails. An authentication is too
    /// old if `now - auth_time > max_age + leeway`.
    ///
    /// # Errors
    /// A [`StepUpError`] with the first requirement that is not met. Its challenge names all requirements.
    pub fn check(
        &self,
        acr: Option<&str>,
        auth_time: Option<u64>,
        now: u64,
        leeway: Duration,
    ) -> Result<(), StepUpError> {
        let unmet = |unmet| StepUpError { unmet, required: self.clone(), scope: None };
        let allowed_by = |list: &Vec<Box<str>>| acr.is_some_and(|acr| list.iter().any(|value| **value == *acr));
        if !self.lists.iter().all(allowed_by) {
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

/// The user's authentication does not meet the requirements.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", match self.unmet {
    Unmet::AuthenticationContext => "the authentication context class is not sufficient",
    Unmet::AuthenticationAge => "the authentication is too old, or its time is unknown",
})]
pub struct StepUpError {
    unmet: Unmet,
    required: AuthenticationRequirement,
    scope: Option<Box<str>>,
}

impl StepUpError {
    /// Adds the scopes that the operation needs to the challenge, so that the client can get both with one new token (RFC 9470
    /// §3).
    #[must_use]
    pub fn with_scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Returns the parameters of the challenge: `acr_values`, `max_age` and `scope`, as far as they apply.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let acr_values = (!self.required.acr_values.is_empty()).then_some(("acr_values", &*self.required.acr_values));
        let max_age = self.required.max_age.as_ref().map(|(_, text)| ("max_age", &**text));
        let scope = self.scope.as_deref().map(|scope| ("scope", scope));
        acr_values.into_iter().chain(max_age).chain(scope)
    }

    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.unmet {
            Unmet::AuthenticationContext => "step_up.acr",
            Unmet::AuthenticationAge => "step_up.max_age",
        }
    }
}
