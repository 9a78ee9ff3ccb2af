//! Values that can be used once before they expire: codes, pushed requests, refresh tokens.

use std::collections::HashMap;

use crate::random::random_id;

/// Stores values under random identifiers. Each value is returned once, before it expires.
#[derive(Debug)]
pub(crate) struct SingleUse<T>(HashMap<String, (u64, T)>);

impl<T> Default for SingleUse<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> SingleUse<T> {
    /// Stores a value for `lifetime` seconds. Returns its identifier of 256 random bits.
    pub(crate) fn insert(&mut self, value: T, lifetime: u64, now: u64) -> String {
        self.0.retain(|_, (expires_at, _)| *expires_at > now);
        let id = random_id() + &random_id();
        self.0.insert(id.clone(), (now + lifetime, value));
        id
    }

    /// Returns a value without using it.
    pub(crate) fn peek(&self, id: &str, now: u64) -> Option<&T> {
        self.0.get(id).filter(|(expires_at, _)| *expires_at > now).map(|(_, value)| value)
    }

    /// Returns a value and removes it.
    pub(crate) fn take(&mut self, id: &str, now: u64) -> Option<T> {
        self.0.remove(id).filter(|(expires_at, _)| *expires_at > now).map(|(_, value)| value)
    }
}
