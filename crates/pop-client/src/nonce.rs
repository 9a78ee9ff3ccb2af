//! The newest nonce of each server (RFC 9449 §8, §9).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    newest: Arc<Mutex<HashMap<(Role, Origin), Known>>>,
}

/// What is known of one server.
struct Known {
    nonce: Option<String>,
    learned_at: Instant,
    /// Whether a body that was sent with it did not arrive.
    doubtful: bool,
}

/// What is to be expected of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was heard of it.
    Unknown,
    /// It answered without asking for a nonce.
    NotAsked,
    /// Its nonce is new.
    Fresh,
    /// Its nonce may not be accepted any more, or it may ask for one.
    Stale,
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
        self.lock().get(&(role, origin.clone())).and_then(|known| known.nonce.clone())
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
        let known = Known { nonce: Some(nonce.to_owned()), learned_at: Instant::now(), doubtful: false };
        self.lock().insert((role, origin.clone()), known);
        Ok(true)
    }

    /// Notes that a server answered, and asked for no nonce: what is known of it holds now.
    pub(crate) fn was_not_asked(&self, role: Role, origin: &Origin) {
        let mut known = self.lock();
        let known = known.entry((role, origin.clone()));
        let known = known.or_insert(Known { nonce: None, learned_at: Instant::now(), doubtful: false });
        (known.learned_at, known.doubtful) = (Instant::now(), false);
    }

    /// Notes that a server ended a connection while a body was sent to it.
    pub(crate) fn doubt(&self, role: Role, origin: &Origin) {
        let known = Known { nonce: None, learned_at: Instant::now(), doubtful: true };
        self.lock().entry((role, origin.clone())).or_insert(known).doubtful = true;
    }

    /// What is to be expected of a server whose nonces are good for this time.
    pub(crate) fn standing(&self, role: Role, origin: &Origin, max_age: Duration) -> Standing {
        match self.lock().get(&(role, origin.clone())) {
            None => Standing::Unknown,
            Some(known) if known.doubtful => Standing::Stale,
            Some(Known { nonce: None, .. }) => Standing::NotAsked,
            Some(known) if known.learned_at.elapsed() >= max_age => Standing::Stale,
            Some(_) => Standing::Fresh,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Role, Origin), Known>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// CLI-05, CLI-06: a malformed one replaces nothing.
    #[test]
    fn keeps_the_newest_nonce_per_role_and_origin() {
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

    /// CLI-08, CLI-05: so that a large body is sent once.
    #[test]
    fn knows_which_servers_require_a_nonce_first() {
        let memory = NonceMemory::default();
        let (rs, origin) = (Role::ResourceServer, Origin::parse("https://a.example").unwrap());
        let standing = |age: u64| memory.standing(rs, &origin, Duration::from_secs(age));
        assert_eq!(standing(60), Standing::Unknown);
        memory.was_not_asked(rs, &origin);
        assert_eq!((standing(60), standing(0)), (Standing::NotAsked, Standing::NotAsked));
        memory.doubt(rs, &origin);
        assert_eq!(standing(60), Standing::Stale, "CLI-08 it may ask for one");
        let nonce = [("dpop-nonce".parse().unwrap(), HeaderValue::from_static("n"))].into_iter().collect();
        assert_eq!(memory.learn(rs, &origin, &nonce), Ok(true));
        assert_eq!((standing(60), standing(0)), (Standing::Fresh, Standing::Stale));
        memory.was_not_asked(rs, &origin);
        assert_eq!(memory.newest(rs, &origin).as_deref(), Some("n"), "CLI-05 a nonce stays the newest");
        memory.doubt(rs, &origin);
        assert_eq!(standing(60), Standing::Stale, "CLI-08");
        assert_eq!(memory.standing(Role::AuthorizationServer, &origin, Duration::MAX), Standing::Unknown);
    }
}
