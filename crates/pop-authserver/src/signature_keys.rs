//! Keys that sign token requests: keys that a client registered, and keys that come with the request.

use std::collections::HashMap;

use pop_core::SignatureError;
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{JwkThumbprint, PublicKey, RsaLimits};
use pop_core::proof::message_signature::RuntimeKey;
use pop_core::proof::{ClientKeys, ClientKeysError, StaticClientKeys};
use serde_json::{Value, json};

use crate::cnf::{self, Cnf};
use crate::jwk;

/// A public key, and the `cnf` of tokens that are bound to it.
#[derive(Debug, Clone)]
pub(crate) struct SignatureKey {
    pub(crate) verifying_key: VerifyingKey,
    pub(crate) thumbprint: JwkThumbprint,
    pub(crate) cnf: Cnf,
}

impl SignatureKey {
    fn new(key: &PublicKey, verifying_key: VerifyingKey) -> Self {
        let cnf = cnf::jwk(key.to_jwk(), verifying_key.algorithm());
        Self { verifying_key, thumbprint: key.thumbprint(), cnf }
    }

    /// Takes the key of a signature.
    pub(crate) fn from_request(key: &RuntimeKey) -> Result<Self, SignatureError> {
        let verifying_key = key.verifying_key(CryptoBackend::default())?;
        Ok(Self::new(key.key(), verifying_key))
    }
}

/// The keys of one client, by `kid`.
#[derive(Debug, Default)]
pub(crate) struct SignatureKeys(HashMap<String, SignatureKey>);

impl SignatureKeys {
    /// Reads a JWK Set. Each key has a `kid` and a fully specified `alg`.
    pub(crate) fn parse(client_id: &str, jwks: &Value) -> Result<Self, ClientKeysError> {
        let document = json!({ client_id: jwks }).to_string();
        let keys = StaticClientKeys::parse(document.as_bytes(), RsaLimits::default(), CryptoBackend::default())?;
        let own = |jwk: &Value| {
            let kid = jwk.get("kid")?.as_str()?;
            let verifying_key = keys.key("", client_id, kid)?.key.clone();
            let key = SignatureKey::new(jwk::read(jwk).ok()?.key(), verifying_key);
            Some((kid.to_owned(), key))
        };
        let set = jwks.get("keys").and_then(Value::as_array).ok_or(ClientKeysError::Syntax)?;
        set.iter().map(own).collect::<Option<_>>().map(Self).ok_or(ClientKeysError::Syntax)
    }

    pub(crate) fn get(&self, keyid: &str) -> Option<&SignatureKey> {
        self.0.get(keyid)
    }
}
