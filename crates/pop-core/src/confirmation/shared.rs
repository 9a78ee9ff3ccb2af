use std::fmt;
use std::sync::OnceLock;

use super::ConfirmationPolicy;
use crate::ConfirmationError;
use crate::jose::{KeyEncryptionKeys, Object, SharedKey, UnwrappedKey, shared_key_from_jwk};

/// The maximum length of `cnf.jwe` in bytes.
const MAX_JWE_LEN: usize = 8 * 1024;

/// The symmetric key of a token. It lives as long as the token is in memory, and is erased with it. `Debug` shows nothing of it.
pub struct SharedPopKey(Source);

enum Source {
    /// `cnf.jwe`, and the key once it was unwrapped.
    Wrapped { jwe: Box<str>, unwrapped: OnceLock<UnwrappedKey> },
    /// From an authenticated introspection response.
    InClear(SharedKey),
}

impl SharedPopKey {
    pub(super) fn wrapped(jwe: &str) -> Result<Self, ConfirmationError> {
        if jwe.len() > MAX_JWE_LEN {
            return Err(ConfirmationError::Malformed);
        }
        Ok(Self(Source::Wrapped { jwe: jwe.into(), unwrapped: OnceLock::new() }))
    }

    pub(super) fn in_clear(jwk: &Object<'_>, policy: ConfirmationPolicy) -> Result<Self, ConfirmationError> {
        if !policy.symmetric_key_in_clear {
            return Err(ConfirmationError::SymmetricKeyInClear);
        }
        let key = shared_key_from_jwk(jwk).map_err(|_| ConfirmationError::Malformed)?;
        Ok(Self(Source::InClear(key)))
    }

    /// Returns the key. It is unwrapped with one of these keys when it is used first, and works as long as that one is among
    /// them.
    ///
    /// # Errors
    /// [`ConfirmationError::NotUnwrapped`], whatever step failed (RFC 7516 §11.5).
    pub fn get(&self, keys: Option<&KeyEncryptionKeys>) -> Result<&SharedKey, ConfirmationError> {
        let (jwe, unwrapped) = match &self.0 {
            Source::InClear(key) => return Ok(key),
            Source::Wrapped { jwe, unwrapped } => (jwe, unwrapped),
        };
        let keys = keys.ok_or(ConfirmationError::NotUnwrapped)?;
        let unwrapped = match unwrapped.get() {
            Some(unwrapped) => unwrapped,
            None => {
                let key = keys.unwrap(jwe).map_err(|_| ConfirmationError::NotUnwrapped)?;
                unwrapped.get_or_init(|| key)
            }
        };
        if keys.contains(&unwrapped.kek) { Ok(&unwrapped.key) } else { Err(ConfirmationError::NotUnwrapped) }
    }
}

impl fmt::Debug for SharedPopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedPopKey(..)")
    }
}
