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

/// The name of the claim that holds the scopes of a token, for issuers that use another claim than `scope`, such as `scp`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ScopeClaim {
    // An array, not a `String`: the expectations of a token are `Copy`.
    name: [u8; Self::MAX_LEN],
    len: usize,
}

impl ScopeClaim {
    /// The maximum length of a name, in bytes.
    pub const MAX_LEN: usize = 120;

    /// Claims that have another meaning.
    const RESERVED: [&str; 23] = [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "cnf",
        "scope",
        "active",
        "client_id",
        "token_type",
        "username",
        "auth_time",
        "acr",
        "amr",
        "azp",
        "act",
        "may_act",
        "nonce",
        "sid",
        "typ",
        "authorization_details",
    ];

    /// Checks the name of a claim. It is the exact name of a member of the outermost object of the token.
    ///
    /// Returns `None` if the name is empty, is longer than [`MAX_LEN`](Self::MAX_LEN) bytes, contains anything but printable
    /// ASCII without the space, or is a claim that has another meaning, such as `sub`.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let printable = name.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || !printable || Self::RESERVED.contains(&name) {
            return None;
        }
        let mut claim = Self { name: [0; Self::MAX_LEN], len: name.len() };
        claim.name.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(claim)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.name.get(..self.len).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for ScopeClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
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

    /// ATK-35: `sub` or `cnf` holds no scopes.
    #[test]
    fn names_of_other_claims_are_no_scope_claims() {
        for name in ["scp", "permissions", "scopes", "roles", "https://api.example/scope", "Scope", &"x".repeat(120)] {
            let claim = ScopeClaim::new(name).unwrap();
            assert_eq!((claim.as_str(), format!("{claim:?}")), (name, format!("{name:?}")));
        }
        for name in ["", " ", "a b", "a\n", "é", "scope", "sub", "iss", "cnf", "act", &"x".repeat(121)] {
            assert_eq!(ScopeClaim::new(name), None, "{name:?}");
        }
    }
}
