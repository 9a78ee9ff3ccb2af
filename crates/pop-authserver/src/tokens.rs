//! Opaque access tokens and revoked tokens.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::random::random_id;

/// The claims of opaque tokens, and the `jti` of revoked JWTs.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    opaque: HashMap<String, Map<String, Value>>,
    revoked: HashSet<String>,
}

impl Tokens {
    /// Stores claims. Returns their opaque token of 256 random bits.
    pub(crate) fn insert(&mut self, claims: Map<String, Value>, now: u64) -> String {
        self.opaque.retain(|_, claims| is_current(claims, now));
        let token = random_id() + &random_id();
        self.opaque.insert(token.clone(), claims);
        token
    }

    /// Returns the claims of an opaque token.
    pub(crate) fn get(&self, token: &str) -> Option<&Map<String, Value>> {
        self.opaque.get(token)
    }

    /// Revokes an opaque token, or the JWT with this `jti`.
    pub(crate) fn revoke(&mut self, token: &str, jti: Option<&str>) {
        self.opaque.remove(token);
        self.revoked.extend(jti.map(ToOwned::to_owned));
    }

    /// Returns whether the JWT with these claims is revoked.
    pub(crate) fn is_revoked(&self, claims: &Map<String, Value>) -> bool {
        claims.get("jti").and_then(Value::as_str).is_some_and(|jti| self.revoked.contains(jti))
    }
}

/// Returns whether the claims have not expired.
pub(crate) fn is_current(claims: &Map<String, Value>, now: u64) -> bool {
    claims.get("exp").and_then(Value::as_u64).is_some_and(|expires_at| now < expires_at)
}
