//! Scopes (RFC 6749 §3.3): exact, case-sensitive, whole tokens.

use std::fmt;

/// The scopes of a token: the value of `scope`, as it came.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes<'t>(&'t str);

impl<'t> Scopes<'t> {
    /// Takes the value of a `scope` claim: tokens of RFC 6749 §3.3, each separated by one space. The empty string means
    /// no scopes. Returns `None` for anything else.
    #[must_use]
    pub fn parse(text: &'t str) -> Option<Self> {
        (text.is_empty() || text.split(' ').all(is_scope_token)).then_some(Self(text))
    }

    /// A text that [`parse`](Self::parse) took before.
    pub(crate) const fn checked(text: &'t str) -> Self {
        Self(text)
    }

    /// Whether the token carries this scope.
    #[must_use]
    pub fn contains(self, scope: &str) -> bool {
        self.iter().any(|own| own == scope)
    }

    /// The scopes in order.
    pub fn iter(self) -> impl Iterator<Item = &'t str> {
        self.0.split(' ').filter(|scope| !scope.is_empty())
    }

    /// All scopes, separated by spaces.
    #[must_use]
    pub const fn as_str(self) -> &'t str {
        self.0
    }
}

impl fmt::Debug for Scopes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Whether a text is a scope token: `%x21 / %x23-5B / %x5D-7E`, at least one.
#[must_use]
pub fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// The scopes that an operation needs. Only configuration can make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token lacks a scope that the operation needs")]
pub struct ScopeError {
    needed: Box<str>,
}

impl ScopeError {
    /// Names all scopes that the operation needs, whether the token has some of them or not (RFC 6750 §3.1).
    #[must_use]
    pub fn new(needed: &[impl AsRef<str>]) -> Self {
        let needed: Vec<&str> = needed.iter().map(AsRef::as_ref).filter(|scope| is_scope_token(scope)).collect();
        Self { needed: needed.join(" ").into() }
    }

    /// The scopes, separated by spaces.
    #[must_use]
    pub fn needed(&self) -> &str {
        &self.needed
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "scope.insufficient"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_02_compares_whole_tokens_exactly() {
        let scopes = Scopes::parse("notes:read readonly").unwrap();
        assert!(scopes.contains("notes:read") && scopes.contains("readonly"));
        for other in ["read", "notes:rea", "NOTES:READ", "", "notes:read readonly"] {
            assert!(!scopes.contains(other), "{other:?}");
        }
    }

    #[test]
    fn scope_03_empty_means_none_and_malformed_is_refused() {
        assert_eq!(Scopes::parse("").unwrap().iter().count(), 0);
        for text in [" ", "a  b", " a", "a ", "a\tb", "a\"b", "a\\b", "é"] {
            assert!(Scopes::parse(text).is_none(), "{text:?}");
        }
    }
}
