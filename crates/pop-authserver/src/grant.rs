//! Pushed requests, authorization codes and refresh tokens, each for one use.

use std::collections::HashMap;

use pop_core::jose::{CertThumbprint, JwkThumbprint};
use serde_json::{Map, Value};

use crate::endpoint::Form;
use crate::mint::random_id;

/// Seconds that a code lives (RFC 9700 asks for a short time; FAPI for 60 s at most).
pub(crate) const CODE_LIFETIME: u64 = 60;
/// Seconds that a pushed authorization request lives (RFC 9126 §2.2: 5 to 600).
pub(crate) const PUSHED_LIFETIME: u64 = 60;
/// Seconds that a refresh token lives.
const REFRESH_LIFETIME: u64 = 24 * 3600;

/// What a user, or the client for itself, granted.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) subject: String,
    pub(crate) scope: String,
    pub(crate) audience: String,
    pub(crate) auth_time: Option<u64>,
    pub(crate) acr: Option<String>,
}

/// A grant waiting behind an authorization code.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) dpop_jkt: Option<String>,
}

/// An authorization request waiting behind its `request_uri`.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) client_id: String,
    pub(crate) form: Form,
}

/// A grant waiting behind a refresh token.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    pub(crate) grant: Grant,
    /// What a public client must go on using (RFC 9449 §5, RFC 8705 §4).
    pub(crate) binding: Binding,
}

/// What tokens are bound to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Binding {
    pub(crate) key: Option<JwkThumbprint>,
    pub(crate) certificate: Option<CertThumbprint>,
}

impl Binding {
    /// The `cnf` claim.
    pub(crate) fn cnf(&self) -> Option<Value> {
        let mut cnf = Map::new();
        cnf.extend(self.key.map(|key| ("jkt".to_owned(), key.to_string().into())));
        cnf.extend(self.certificate.map(|certificate| ("x5t#S256".to_owned(), certificate.to_string().into())));
        (!cnf.is_empty()).then_some(Value::Object(cnf))
    }

    /// Whether another request has everything that this one is bound to.
    pub(crate) fn is_satisfied_by(&self, other: &Self) -> bool {
        (self.key.is_none() || self.key == other.key)
            && (self.certificate.is_none() || self.certificate == other.certificate)
    }
}

/// Things that can be taken once before they expire.
#[derive(Debug)]
pub(crate) struct OnceOnly<T>(HashMap<String, (u64, T)>);

impl<T> Default for OnceOnly<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> OnceOnly<T> {
    fn put(&mut self, value: T, lifetime: u64, now: u64) -> String {
        self.0.retain(|_, (expires_at, _)| *expires_at > now);
        let id = random_id() + &random_id();
        self.0.insert(id.clone(), (now + lifetime, value));
        id
    }

    /// Looks without taking.
    pub(crate) fn peek(&self, id: &str, now: u64) -> Option<&T> {
        self.0.get(id).filter(|(expires_at, _)| *expires_at > now).map(|(_, value)| value)
    }

    pub(crate) fn take(&mut self, id: &str, now: u64) -> Option<T> {
        self.0.remove(id).filter(|(expires_at, _)| *expires_at > now).map(|(_, value)| value)
    }
}

impl OnceOnly<Code> {
    pub(crate) fn put_code(&mut self, code: Code, now: u64) -> String {
        self.put(code, CODE_LIFETIME, now)
    }
}

impl OnceOnly<Refresh> {
    pub(crate) fn put_refresh(&mut self, refresh: Refresh, now: u64) -> String {
        self.put(refresh, REFRESH_LIFETIME, now)
    }
}

impl OnceOnly<Pushed> {
    pub(crate) fn put_pushed(&mut self, pushed: Pushed, now: u64) -> String {
        self.put(pushed, PUSHED_LIFETIME, now)
    }
}
