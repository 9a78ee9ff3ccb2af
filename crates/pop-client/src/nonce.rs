//! The newest nonce of each server (RFC 9449 §8, §9; RFC 7615 §3).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use pop_core::nonce::is_nonce;
use pop_core::target::Origin;

use crate::challenge::Challenge;

/// A server sent an unusable nonce: an empty one, several, or one with characters that RFC 9449 §8.1 does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server sent a malformed nonce")]
#[non_exhaustive]
pub struct MalformedNonce;

/// Remembers the newest nonce of each origin and role. Use separate memories for DPoP proofs and for envelopes. An
/// authorization server and a resource server at the same origin have separate nonces. Clones share the memory.
///
/// [`TokenClient`](crate::TokenClient), [`DpopClient`](crate::DpopClient) and [`BoundClient`](crate::BoundClient) have
/// one already. It is public for applications that send requests with another HTTP client.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use pop_client::{NonceMemory, Role};
/// use pop_client::pop_core::target::Origin;
///
/// let (memory, origin) = (NonceMemory::default(), Origin::parse("https://api.example")?);
/// let mut headers = HeaderMap::new();
/// headers.insert("dpop-nonce", HeaderValue::from_static("n1"));
/// assert!(memory.learn(Role::ResourceServer, &origin, &headers)?);
/// assert_eq!(memory.newest(Role::ResourceServer, &origin).as_deref(), Some("n1"));
/// assert_eq!(memory.newest(Role::AuthorizationServer, &origin), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct NonceMemory {
    servers: Arc<Mutex<HashMap<(Role, Origin), Server>>>,
}

/// What is known about one server.
struct Server {
    nonce: Option<String>,
    learned_at: Instant,
    /// Whether the connection broke while a body was sent with the nonce. The nonce may be stale then.
    uncertain: bool,
}

/// Whether a server needs a nonce, as far as the client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NonceState {
    /// The server has not responded yet.
    Unknown,
    /// The server responded without asking for a nonce.
    NotRequired,
    /// The nonce of the server is new.
    Fresh,
    /// The server may reject the nonce, or may ask for one.
    Stale,
}

/// The role of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The server was sent a token request or a pushed authorization request.
    AuthorizationServer,
    /// The server was sent a request for a protected resource.
    ResourceServer,
}

impl NonceMemory {
    /// Returns the newest nonce of a server, if it sent one.
    #[must_use]
    pub fn newest(&self, role: Role, origin: &Origin) -> Option<String> {
        self.lock().get(&(role, origin.clone())).and_then(|server| server.nonce.clone())
    }

    /// Stores the nonce of a response, for any status. Returns whether the response has a nonce.
    ///
    /// # Errors
    /// [`MalformedNonce`]. The memory does not change then.
    pub fn learn(&self, role: Role, origin: &Origin, headers: &HeaderMap) -> Result<bool, MalformedNonce> {
        let mut values = headers.get_all("dpop-nonce").iter();
        let Some(value) = values.next() else {
            return Ok(false);
        };
        let nonce = value.to_str().ok().filter(|nonce| is_nonce(nonce)).ok_or(MalformedNonce)?;
        if values.next().is_some() {
            return Err(MalformedNonce);
        }
        self.store(role, origin, nonce);
        Ok(true)
    }

    /// Stores the nonce of a resource server for [`Envelope`](crate::Envelope)s, for any status: `nonce` of a `PoP`
    /// challenge, or `nextnonce` in `Authentication-Info`. Returns whether the response has one.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue};
    /// use pop_client::{NonceMemory, Role};
    /// use pop_client::pop_core::target::Origin;
    ///
    /// let (memory, origin) = (NonceMemory::default(), Origin::parse("https://api.example")?);
    /// let mut headers = HeaderMap::new();
    /// headers.insert("authentication-info", HeaderValue::from_static("nextnonce=\"n1\""));
    /// assert!(memory.learn_for_envelopes(&origin, &headers)?);
    /// assert_eq!(memory.newest(Role::ResourceServer, &origin).as_deref(), Some("n1"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`MalformedNonce`]. The memory does not change then.
    pub fn learn_for_envelopes(&self, origin: &Origin, headers: &HeaderMap) -> Result<bool, MalformedNonce> {
        let challenges = Challenge::from_headers(headers);
        let asked = challenges.iter().filter(|challenge| challenge.is("PoP"));
        let info = Challenge::authentication_info(headers);
        let mut nonces = asked.flat_map(|challenge| challenge.all("nonce")).chain(info.all("nextnonce"));
        let Some(nonce) = nonces.next() else {
            return Ok(false);
        };
        if !is_nonce(nonce) || nonces.next().is_some() {
            return Err(MalformedNonce);
        }
        self.store(Role::ResourceServer, origin, nonce);
        Ok(true)
    }

    /// Stores a nonce that was kept elsewhere, for example by an earlier run of a program.
    ///
    /// # Errors
    /// [`MalformedNonce`] if the string is empty, or has characters that RFC 9449 §8.1 does not allow.
    pub fn insert(&self, role: Role, origin: &Origin, nonce: &str) -> Result<(), MalformedNonce> {
        if !is_nonce(nonce) {
            return Err(MalformedNonce);
        }
        self.store(role, origin, nonce);
        Ok(())
    }

    fn store(&self, role: Role, origin: &Origin, nonce: &str) {
        let server = Server { nonce: Some(nonce.to_owned()), learned_at: Instant::now(), uncertain: false };
        self.lock().insert((role, origin.clone()), server);
    }

    /// Notes that a server responded without asking for a nonce. What is known about it is current then.
    pub(crate) fn mark_current(&self, role: Role, origin: &Origin) {
        let mut servers = self.lock();
        let server = servers.entry((role, origin.clone()));
        let server = server.or_insert(Server { nonce: None, learned_at: Instant::now(), uncertain: false });
        (server.learned_at, server.uncertain) = (Instant::now(), false);
    }

    /// Notes that a server ended a connection while a body was sent to it.
    pub(crate) fn mark_uncertain(&self, role: Role, origin: &Origin) {
        let server = Server { nonce: None, learned_at: Instant::now(), uncertain: true };
        self.lock().entry((role, origin.clone())).or_insert(server).uncertain = true;
    }

    /// Returns whether a server needs a nonce. A nonce is fresh while it is younger than `max_age`.
    pub(crate) fn state(&self, role: Role, origin: &Origin, max_age: Duration) -> NonceState {
        match self.lock().get(&(role, origin.clone())) {
            None => NonceState::Unknown,
            Some(server) if server.uncertain => NonceState::Stale,
            Some(Server { nonce: None, .. }) => NonceState::NotRequired,
            Some(server) if server.learned_at.elapsed() >= max_age => NonceState::Stale,
            Some(_) => NonceState::Fresh,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Role, Origin), Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!((memory.insert(rs, &other, "n3"), memory.insert(rs, &other, "a b")), (Ok(()), Err(MalformedNonce)));
        assert_eq!(memory.newest(rs, &other).as_deref(), Some("n3"));
    }

    /// CLI-08, CLI-05: so that a large body is sent once.
    #[test]
    fn knows_which_servers_require_a_nonce_first() {
        let memory = NonceMemory::default();
        let (rs, origin) = (Role::ResourceServer, Origin::parse("https://a.example").unwrap());
        let state = |age: u64| memory.state(rs, &origin, Duration::from_secs(age));
        assert_eq!(state(60), NonceState::Unknown);
        memory.mark_current(rs, &origin);
        assert_eq!((state(60), state(0)), (NonceState::NotRequired, NonceState::NotRequired));
        memory.mark_uncertain(rs, &origin);
        assert_eq!(state(60), NonceState::Stale, "CLI-08 it may ask for one");
        let nonce = [("dpop-nonce".parse().unwrap(), HeaderValue::from_static("n"))].into_iter().collect();
        assert_eq!(memory.learn(rs, &origin, &nonce), Ok(true));
        assert_eq!((state(60), state(0)), (NonceState::Fresh, NonceState::Stale));
        memory.mark_current(rs, &origin);
        assert_eq!(memory.newest(rs, &origin).as_deref(), Some("n"), "CLI-05 a nonce stays the newest");
        memory.mark_uncertain(rs, &origin);
        assert_eq!(state(60), NonceState::Stale, "CLI-08");
        assert_eq!(memory.state(Role::AuthorizationServer, &origin, Duration::MAX), NonceState::Unknown);
    }
}
