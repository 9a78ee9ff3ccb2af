//! Signing keys. The newest key signs. Older keys stay published until they are dropped.

use pop_client::{Algorithm, DpopKey, KeyError};
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct SigningKeys {
    algorithm: Algorithm,
    newest: DpopKey,
    older: Vec<DpopKey>,
}

impl SigningKeys {
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        Ok(Self { algorithm, newest: DpopKey::generate(algorithm)?, older: Vec::new() })
    }

    /// Returns the key that signs, with its `kid`.
    pub(crate) fn current(&self) -> (String, DpopKey) {
        (kid(&self.newest), self.newest.clone())
    }

    /// Generates a new key. The other keys stay published.
    pub(crate) fn rotate(&mut self) -> Result<(), KeyError> {
        let new = DpopKey::generate(self.algorithm)?;
        self.older.insert(0, std::mem::replace(&mut self.newest, new));
        Ok(())
    }

    /// Publishes only the newest key from now on.
    pub(crate) fn drop_old(&mut self) {
        self.older.clear();
    }

    /// Returns the published key set (RFC 7517 §5), the newest key first.
    pub(crate) fn jwks(&self) -> Value {
        let publish = |key: &DpopKey| {
            let mut jwk = key.public_jwk();
            jwk["kid"] = kid(key).into();
            jwk["use"] = "sig".into();
            jwk["alg"] = key.algorithm().name().into();
            jwk
        };
        let keys = std::iter::once(&self.newest).chain(&self.older);
        json!({ "keys": keys.map(publish).collect::<Vec<_>>() })
    }
}

fn kid(key: &DpopKey) -> String {
    key.thumbprint().to_string()
}
