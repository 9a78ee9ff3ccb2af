//! Keys that clients registered, for message signatures in addition to another proof.

use std::collections::HashMap;
use std::fmt;

use crate::jose::crypto::{CryptoBackend, VerifyingKey};
use crate::jose::{Algorithm, Json, JsonLimits, Jwk, JwkThumbprint, Object, RsaLimits};

/// The keys that clients registered for their signatures.
pub trait ClientKeys: Send + Sync {
    /// Returns the key of a client with this `keyid`. `issuer` and `client_id` are those of a verified token; `keyid` is
    /// whatever the request says.
    fn key(&self, issuer: &str, client_id: &str, keyid: &str) -> Option<&ClientKey>;
}

/// A registered key, imported for its algorithm.
#[derive(Debug)]
pub struct ClientKey {
    /// The key.
    pub key: VerifyingKey,
    /// Its RFC 7638 thumbprint.
    pub thumbprint: JwkThumbprint,
}

/// Keys that are known from the start: a JWK Set for each `client_id`, whatever its issuer.
#[derive(Debug, Default)]
pub struct StaticClientKeys(HashMap<Box<str>, HashMap<Box<str>, ClientKey>>);

/// Why registered keys cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientKeysError {
    /// The document is not a JSON object of JWK Sets.
    #[error("not a JSON object of JWK Sets by client_id")]
    Syntax,
    /// A key is not usable.
    #[error("client {client_id}, key {number}: {problem}")]
    Key {
        /// The client.
        client_id: Box<str>,
        /// The position of the key, from 0.
        number: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

impl StaticClientKeys {
    /// Reads a JSON object whose members are JWK Sets by `client_id`. Each key has a `kid` and a fully specified `alg`.
    ///
    /// # Errors
    /// [`ClientKeysError`] names the first entry that is not usable.
    pub fn parse(json: &[u8], rsa: RsaLimits, backend: CryptoBackend) -> Result<Self, ClientKeysError> {
        let limits = JsonLimits { members: 16_384, values: 65_536, depth: 8 };
        let document = Object::parse(json, limits).map_err(|_| ClientKeysError::Syntax)?;
        let mut clients = HashMap::new();
        for (client_id, set) in document.members() {
            let keys = set.as_object().and_then(|set| set.get("keys")?.as_array()).ok_or(ClientKeysError::Syntax)?;
            let mut own = HashMap::new();
            for (number, key) in keys.iter().enumerate() {
                let failed = |problem| ClientKeysError::Key { client_id: client_id.into(), number, problem };
                let (kid, key) = read(key, rsa, backend).map_err(failed)?;
                if own.insert(kid, key).is_some() {
                    return Err(failed("another key has this kid"));
                }
            }
            clients.insert(client_id.into(), own);
        }
        Ok(Self(clients))
    }
}

fn read(key: &Json<'_>, rsa: RsaLimits, backend: CryptoBackend) -> Result<(Box<str>, ClientKey), &'static str> {
    let jwk = Jwk::parse(key.as_object().ok_or("not an object")?, rsa).map_err(|_| "not an accepted public key")?;
    let kid = jwk.kid().ok_or("no kid")?.into();
    let algorithm = jwk.alg().and_then(Algorithm::from_name).filter(|alg| *alg != Algorithm::EdDSA && jwk.serves(*alg));
    let algorithm = algorithm.ok_or("no fully specified alg that fits the key")?;
    if algorithm.is_ml_dsa() {
        return Err("ML-DSA, which message signatures do not have");
    }
    let verifying = VerifyingKey::new(jwk.key(), algorithm, backend).map_err(|_| "not a valid key")?;
    Ok((kid, ClientKey { key: verifying, thumbprint: jwk.key().thumbprint() }))
}

impl ClientKeys for StaticClientKeys {
    fn key(&self, _: &str, client_id: &str, keyid: &str) -> Option<&ClientKey> {
        self.0.get(client_id)?.get(keyid)
    }
}

impl fmt::Debug for dyn ClientKeys + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKeys(..)")
    }
}
