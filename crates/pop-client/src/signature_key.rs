//! The key of a signature over a request.

use pop_core::SignatureError;
use pop_core::jose::{KeyError, SharedKey, SigningKey};
use pop_core::proof::message_signature::RuntimeKey;

/// The key that signs requests, as [`Envelope`](crate::Envelope) or by [`RequestSignature`](crate::RequestSignature): the key that
/// the access token is bound to. `Debug` shows the algorithm and the thumbprint of a private key.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum SignatureKey<'k> {
    /// A private key: for envelopes, and for every [`SignatureProfile`] but `Hmac`.
    ///
    /// [`SignatureProfile`]: pop_core::proof::message_signature::SignatureProfile
    Private(&'k SigningKey),
    /// A symmetric key, which signs by HMAC with SHA-256: for envelopes, and for `SignatureProfile::Hmac`.
    Shared(&'k SharedKey),
}

impl<'k> From<&'k SigningKey> for SignatureKey<'k> {
    fn from(key: &'k SigningKey) -> Self {
        Self::Private(key)
    }
}

impl<'k> From<&'k SharedKey> for SignatureKey<'k> {
    fn from(key: &'k SharedKey) -> Self {
        Self::Shared(key)
    }
}

impl SignatureKey<'_> {
    /// Returns the public key in the form of a signature that brings it along.
    pub(crate) fn runtime_key(self) -> Result<RuntimeKey, SignatureError> {
        match self {
            Self::Private(key) => RuntimeKey::new(key.public_key().clone(), key.algorithm()),
            Self::Shared(_) => Err(SignatureError::Algorithm),
        }
    }

    /// HTTP message signatures do not have ML-DSA: no resource server accepts them.
    pub(crate) fn check_message_signature(self) -> Result<(), SignatureError> {
        match self {
            Self::Private(key) if key.algorithm().is_ml_dsa() => Err(SignatureError::Algorithm),
            Self::Private(_) | Self::Shared(_) => Ok(()),
        }
    }

    pub(crate) fn sign(self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self {
            Self::Private(key) => key.sign(message),
            Self::Shared(key) => Ok(key.sign(message).to_vec()),
        }
    }
}
