use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use super::ConfirmationPolicy;
use crate::ConfirmationError;
use crate::jose::crypto::{CryptoBackend, VerifyingKey};
use crate::jose::{Algorithm, Jwk, JwkThumbprint, Object};

/// The public key of `cnf.jwk`.
pub struct PublicPopKey {
    jwk: Jwk,
    thumbprint: JwkThumbprint,
    backend: CryptoBackend,
    /// The key, imported for the algorithm that was used first: nearly always the only one.
    imported: OnceLock<VerifyingKey>,
}

impl PublicPopKey {
    pub(super) fn parse(jwk: &Object<'_>, policy: ConfirmationPolicy) -> Result<Self, ConfirmationError> {
        let jwk = Jwk::parse(jwk, policy.rsa).map_err(|_| ConfirmationError::Malformed)?;
        let thumbprint = jwk.key().thumbprint();
        Ok(Self { jwk, thumbprint, backend: policy.backend, imported: OnceLock::new() })
    }

    /// Returns the RFC 7638 thumbprint.
    #[must_use]
    pub const fn thumbprint(&self) -> &JwkThumbprint {
        &self.thumbprint
    }

    /// Returns `alg`, if it is a fully specified algorithm of this kind of key (RFC 9864). `EdDSA` is not.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        let alg = Algorithm::from_name(self.jwk.alg()?)?;
        (alg != Algorithm::EdDSA && self.jwk.serves(alg)).then_some(alg)
    }

    /// Returns the key for an algorithm. `None` if the key does not fit it, or its own `alg` is another one.
    #[must_use]
    pub fn verifying_key(&self, algorithm: Algorithm) -> Option<Cow<'_, VerifyingKey>> {
        if !self.jwk.serves(algorithm) {
            return None;
        }
        let import = || VerifyingKey::new(self.jwk.key(), algorithm, self.backend).ok();
        match self.imported.get() {
            Some(key) if key.algorithm() == algorithm => Some(Cow::Borrowed(key)),
            Some(_) => import().map(Cow::Owned),
            None => {
                let key = import()?;
                let first = self.imported.get_or_init(|| key.clone());
                Some(if first.algorithm() == algorithm { Cow::Borrowed(first) } else { Cow::Owned(key) })
            }
        }
    }
}

impl fmt::Debug for PublicPopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicPopKey({})", self.thumbprint)
    }
}
