//! The signing keys: the newest signs, older ones stay published until they are dropped.

use pop_client::{Algorithm, DpopKey, KeyError};
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct SigningKeys {
    algorithm: Algorithm,
    /// Newest first; never empty.
    keys: Vec<DpopKey>,
}

impl SigningKeys {
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        Ok(Self { algorithm, keys: vec![DpopKey::generate(algorithm)?] })
    }

    pub(crate) fn current(&self) -> (String, DpopKey) {
        let key = &self.keys[0];
        (kid(key), key.clone())
    }

    /// Makes a new key; the others stay published.
    pub(crate) fn rotate(&mut self) -> Result<(), KeyError> {
        self.keys.insert(0, DpopKey::generate(self.algorithm)?);
        Ok(())
    }

    /// Publishes only the newest key from now on.
    pub(crate) fn drop_old(&mut self) {
        self.keys.truncate(1);
    }

    pub(crate) fn jwks(&self) -> Value {
        let publish = |key: &DpopKey| {
            let mut jwk = key.public_jwk();
            jwk["kid"] = kid(key).into();
            jwk["use"] = "sig".into();
            jwk["alg"] = key.algorithm().name().into();
            jwk
        };
        json!({ "keys": self.keys.iter().map(publish).collect::<Vec<_>>() })
    }
}

fn kid(key: &DpopKey) -> String {
    key.thumbprint().to_string()
}
