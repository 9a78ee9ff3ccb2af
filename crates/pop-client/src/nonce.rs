//! The newest nonce of each server (RFC 9449 §8, §9).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use pop_core::nonce::is_nonce;
use pop_core::target::Origin;

/// A server sent a `DPoP-Nonce` that is none: empty, several, or with characters outside RFC 9449 §8.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server sent a malformed DPoP-Nonce")]
pub struct MalformedNonce;

/// Remembers the newest nonce of each origin and role. An authorization server and a resource server at one origin have
/// nonces of their own. Clones share the memory.
#[derive(Clone, Default)]
pub struct NonceMemory {
    newest: Arc<Mutex<HashMap<(Role, Origin), String>>>,
}

/// What a server was asked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// At its token endpoint.
    AuthorizationServer,
    /// For a protected resource.
    ResourceServer,
}

impl NonceMemory {
    /// The newest nonce of a server.
    #[must_use]
    pub fn newest(&self, role: Role, origin: &Origin) -> Option<String> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(&(role, origin.clone())).cloned()
    }

    /// Takes the nonce of a response, whatever its status; returns whether there was one.
    ///
    /// # Errors
    /// [`MalformedNonce`]; the memory is left as it was.
    pub fn learn(&self, role: Role, origin: &Origin, headers: &HeaderMap) -> Result<bool, MalformedNonce> {
        let mut values = headers.get_all("dpop-nonce").iter();
        let Some(value) = values.next() else {
            return Ok(false);
        };
        let nonce = value.to_str().ok().filter(|nonce| is_nonce(nonce)).ok_or(MalformedNonce)?;
        if values.next().is_some() {
            return Err(MalformedNonce);
        }
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.insert((role, origin.clone()), nonce.to_owned());
        Ok(true)
    }
}

impl fmt::Debug for NonceMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceMemory(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn cli_05_cli_06_keeps_the_newest_nonce_per_role_and_origin() {
        let memory = NonceMemory::default();
        let (one, other) = (Origin::parse("https://a.example").unwrap(), Origin::parse("https://b.example").unwrap());
        let headers = |values: &[&'static str]| -> HeaderMap {
            values.iter().map(|value| ("dpop-nonce".parse().unwrap(), HeaderValue::from_static(value))).collect()
        };
        let rs = Role::ResourceServer;
        assert_eq!(memory.learn(rs, &one, &headers(&[])), Ok(false));
        assert_eq!(memory.learn(rs, &one, &headers(&["n1"])), Ok(true));
        assert_eq!(memory.learn(rs, &one, &headers(&["n2"])), Ok(true));
        for malformed in [&[""][..], &["a b"], &["a\"b"], &["a", "b"]] {
            assert_eq!(memory.learn(rs, &one, &headers(malformed)), Err(MalformedNonce), "{malformed:?}");
        }
        assert_eq!(memory.newest(rs, &one).as_deref(), Some("n2"));
        assert_eq!(memory.newest(Role::AuthorizationServer, &one), None);
        assert_eq!(memory.newest(rs, &other), None);
    }
}
