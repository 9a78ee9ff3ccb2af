//! Names of claims that an issuer uses instead of those of the RFCs.

use std::fmt;

/// Claims that always have their own meaning.
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
    "token_use",
    "username",
    "auth_time",
    "acr",
    "amr",
    "act",
    "may_act",
    "nonce",
    "sid",
    "typ",
    "authorization_details",
];
/// Claims that may name the client, and never hold scopes.
const CLIENTS: [&str; 2] = ["azp", "appid"];

/// The exact name of a member of the outermost object of a token, instead of `scope` or `client_id`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClaimName {
    // An array, not a `String`: the expectations of a token are `Copy`.
    name: [u8; Self::MAX_LEN],
    len: usize,
}

impl ClaimName {
    /// The maximum length of a name, in bytes.
    pub const MAX_LEN: usize = 120;

    /// Checks the name of a claim that holds the scopes, such as `scp`.
    ///
    /// Returns `None` if the name is empty, is longer than [`MAX_LEN`](Self::MAX_LEN) bytes, contains anything but printable
    /// ASCII without the space, or is a claim that has another meaning, such as `sub`.
    #[must_use]
    pub fn of_scopes(name: &str) -> Option<Self> {
        if CLIENTS.contains(&name) { None } else { Self::of_client_id(name) }
    }

    /// Checks the name of a claim that identifies the client, such as `azp`.
    ///
    /// Returns `None` as [`of_scopes`](Self::of_scopes) does.
    #[must_use]
    pub fn of_client_id(name: &str) -> Option<Self> {
        let printable = name.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || !printable || RESERVED.contains(&name) {
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

impl fmt::Debug for ClaimName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ATK-35: `sub` or `cnf` holds no scopes, and identifies no client.
    #[test]
    fn names_of_other_claims_are_not_accepted() {
        type New = fn(&str) -> Option<ClaimName>;
        let (scopes, client_id): (New, New) = (ClaimName::of_scopes, ClaimName::of_client_id);
        for name in ["scp", "permissions", "scopes", "roles", "https://api.example/scope", "Scope", &"x".repeat(120)] {
            for new in [scopes, client_id] {
                let claim = new(name).unwrap();
                assert_eq!((claim.as_str(), format!("{claim:?}")), (name, format!("{name:?}")));
            }
        }
        for name in
            ["", " ", "a b", "a\n", "é", "scope", "sub", "iss", "cnf", "act", "client_id", "sid", &"x".repeat(121)]
        {
            assert_eq!((scopes(name), client_id(name)), (None, None), "{name:?}");
        }
        for name in ["azp", "appid"] {
            assert_eq!((scopes(name), client_id(name).unwrap().as_str()), (None, name));
        }
    }
}
