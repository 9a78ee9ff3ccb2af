//! Scopes (RFC 6749 §3.3). Scopes are compared as whole tokens, case-sensitively.

use std::fmt;

/// The scopes of a token: the value of `scope` as received.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes<'t>(&'t str);

impl<'t> Scopes<'t> {
    /// Parses the value of a `scope` claim: scope tokens of RFC 6749 §3.3, separated by spaces. Returns `None` if it contains a
    /// character that is neither a space nor allowed in a scope token.
    ///
    /// Repeated spaces, and spaces at the beginning or the end, are ignored: some issuers join lists that contain empty
    /// strings. The empty string means no scopes.
    #[must_use]
    pub fn parse(value: &'t str) -> Option<Self> {
        value.split(' ').all(|token| token.is_empty() || is_scope_token(token)).then_some(Self(value))
    }

    /// Wraps a string that [`parse`](Self::parse) has accepted before.
    pub(crate) const fn checked(value: &'t str) -> Self {
        Self(value)
    }

    /// Returns whether the token has this scope.
    #[must_use]
    pub fn contains(self, scope: &str) -> bool {
        self.iter().any(|own| own == scope)
    }

    /// Returns the scopes, in order.
    pub fn iter(self) -> impl Iterator<Item = &'t str> {
        self.0.split(' ').filter(|scope| !scope.is_empty())
    }

    /// Returns all scopes as received, separated by spaces.
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

/// Returns whether a string is a scope token (RFC 6749 §3.3): one or more of `%x21 / %x23-5B / %x5D-7E`.
#[must_use]
pub fn is_scope_token(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// The token lacks a scope that the operation needs. Holds the needed scopes, which come from the configuration, never from a
/// request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token lacks a scope that the operation needs")]
pub struct ScopeError {
    needed: Box<str>,
}

impl ScopeError {
    /// Creates an error that names all scopes that the operation needs, including those that the token has (RFC 6750 §3.1).
    /// Strings that are not scope tokens are left out.
    #[must_use]
    pub fn new(needed: &[impl AsRef<str>]) -> Self {
        let needed: Vec<&str> = needed.iter().map(AsRef::as_ref).filter(|scope| is_scope_token(scope)).collect();
        Self { needed: needed.join(" ").into() }
    }

    /// Returns the needed scopes, separated by spaces.
    #[must_use]
    pub fn needed(&self) -> &str {
        &self.needed
    }

    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "scope.insufficient"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SCOPE-02: no prefix, and by case.
    #[test]
    fn compares_whole_scopes_exactly() {
        let scopes = Scopes::parse("notes:read readonly").unwrap();
        assert!(scopes.contains("notes:read") && scopes.contains("readonly"));
        for other in ["read", "notes:rea", "NOTES:READ", "", "notes:read readonly"] {
            assert!(!scopes.contains(other), "{other:?}");
        }
    }

    /// SCOPE-03: more spaces are harmless.
    #[test]
    fn an_empty_string_has_no_scopes_and_a_malformed_one_is_rejected() {
        for text in ["", " ", "   "] {
            assert_eq!(Scopes::parse(text).unwrap().iter().count(), 0, "{text:?}");
        }
        for text in ["a b", "a  b", " a b", "a b ", "  a   b  "] {
            let scopes = Scopes::parse(text).unwrap();
            assert_eq!(scopes.iter().collect::<Vec<_>>(), ["a", "b"], "{text:?}");
            assert!(scopes.contains("a") && !scopes.contains("") && !scopes.contains(" "), "{text:?}");
        }
        for text in ["a\tb", "a\nb", "a\u{a0}b", "a\u{3000}b", "a\"b", "a\\b", "é", "a,\u{7f}", "\t"] {
            assert!(Scopes::parse(text).is_none(), "{text:?}");
        }
    }
}
