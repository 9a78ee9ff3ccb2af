//! Access tokens that are not self-contained, and tokens that were revoked.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::mint::random_id;

/// What this server knows of the tokens it issued: claims by opaque token, and the `jti` of revoked JWTs.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    opaque: HashMap<String, Map<String, Value>>,
    revoked: HashSet<String>,
}

impl Tokens {
    /// An opaque token for these claims: 256 random bits.
    pub(crate) fn put(&mut self, claims: Map<String, Value>, now: u64) -> String {
        self.opaque.retain(|_, claims| is_current(claims, now));
        let token = random_id() + &random_id();
        self.opaque.insert(token.clone(), claims);
        token
    }

    pub(crate) fn get(&self, token: &str) -> Option<&Map<String, Value>> {
        self.opaque.get(token)
    }

    pub(crate) fn revoke(&mut self, token: &str, jti: Option<&str>) {
        self.opaque.remove(token);
        self.revoked.extend(jti.map(ToOwned::to_owned));
    }

    pub(crate) fn is_revoked(&self, claims: &Map<String, Value>) -> bool {
        claims.get("jti").and_then(Value::as_str).is_some_and(|jti| self.revoked.contains(jti))
    }
}

/// Whether the claims have not expired.
pub(crate) fn is_current(claims: &Map<String, Value>, now: u64) -> bool {
    claims.get("exp").and_then(Value::as_u64).is_some_and(|expires_at| now < expires_at)
}
