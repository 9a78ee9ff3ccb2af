//! The key that an envelope names: `cnf.jwk`.

use super::EnvelopeAlgorithm;
use crate::SignedRequestError;
use crate::jose::crypto::VerifyingKey;
use crate::jose::{Found, Json, Jwk, JwkError, JwkThumbprint};
use crate::policy::SignedRequestPolicy;

/// The public key that an envelope names, imported for the algorithm of the envelope.
#[derive(Debug, Clone)]
pub struct EmbeddedKey {
    key: VerifyingKey,
    thumbprint: JwkThumbprint,
}

impl EmbeddedKey {
    /// Reads the value of `cnf`. Of its members, only `jwk` is understood.
    pub(super) fn read(
        cnf: &Json<'_>,
        algorithm: EnvelopeAlgorithm,
        policy: &SignedRequestPolicy,
    ) -> Result<Option<Self>, SignedRequestError> {
        let found = Found::of(Some(cnf));
        let cnf = cnf.as_object().ok_or(SignedRequestError::InvalidClaim { claim: "cnf", found })?;
        let Some(jwk) = cnf.get("jwk") else {
            return Ok(None);
        };
        let jwk = Jwk::parse(jwk.as_object().ok_or(JwkError::NotObject)?, policy.rsa)?;
        match algorithm {
            EnvelopeAlgorithm::Asymmetric(alg) if jwk.serves(alg) => {
                let key = VerifyingKey::new(jwk.key(), alg, policy.backend)?;
                Ok(Some(Self { key, thumbprint: jwk.key().thumbprint() }))
            }
            // A public key that is named beside an HMAC invites verifying the HMAC with it.
            _ => Err(JwkError::Algorithm.into()),
        }
    }

    /// Returns the key, imported for the algorithm of the envelope.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Returns the RFC 7638 thumbprint of the key: what `cnf.kid` of the access token must be.
    #[must_use]
    pub const fn thumbprint(&self) -> &JwkThumbprint {
        &self.thumbprint
    }
}
