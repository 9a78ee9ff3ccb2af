//! Scopes (RFC 6749 §3.3): exact, case-sensitive, whole tokens.

use std::fmt;

/// The scopes of a token: the value of `scope`, as it came.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes<'t>(&'t str);

impl<'t> Scopes<'t> {
    /// Takes the value of a `scope` claim: tokens of RFC 6749 §3.3, separated by spaces. Several spaces, and spaces at the
    /// beginning or the end, mean the same as one or none: some issuers join lists that hold empty strings. The empty
    /// string means no scopes. Returns `None` for every other character that no scope token holds.
    #[must_use]
    pub fn parse(text: &'t str) -> Option<Self> {
        text.split(' ').all(|token| token.is_empty() || is_scope_token(token)).then_some(Self(text))
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

    /// All scopes, separated by spaces, as they came.
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

/// The name of the claim in which an issuer writes a token's scopes where it is another one than `scope`, such as `scp`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ScopeClaim {
    // In place, because what is expected of a token is copied.
    name: [u8; Self::MAX_LEN],
    len: usize,
}

impl ScopeClaim {
    /// Longest name in bytes.
    pub const MAX_LEN: usize = 120;

    /// Claims that mean something else.
    const TAKEN: [&str; 23] = [
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

    /// Takes the name of a claim of the outermost object, exactly as tokens have it. Returns `None` for the empty string,
    /// for more than [`MAX_LEN`](Self::MAX_LEN) bytes, for characters other than printable ASCII without the space, and
    /// for a claim that means something else.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let printable = name.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || !printable || Self::TAKEN.contains(&name) {
            return None;
        }
        let mut claim = Self { name: [0; Self::MAX_LEN], len: name.len() };
        claim.name.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(claim)
    }

    /// The name.
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
