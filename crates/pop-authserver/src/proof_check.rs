//! DPoP at the token endpoint (RFC 9449 §5): all checks of §4.3 but `ath`.

use http::HeaderMap;
use pop_core::DpopError;
use pop_core::jose::JwkThumbprint;
use pop_core::nonce::NonceKeys;
use pop_core::policy::DpopPolicy;
use pop_core::proof::{DpopProof, NoProofKeyCache, dpop};
use pop_core::replay::{ReplayEntry, ReplayKey};
use pop_core::target::{Origin, RequestTarget};

use crate::error::OAuthError;

/// A valid proof that is not recorded yet.
#[derive(Debug)]
pub(crate) struct CheckedProof {
    pub(crate) key: JwkThumbprint,
    pub(crate) entry: ReplayEntry,
}

/// What a proof at the token endpoint is checked against.
pub(crate) struct TokenEndpoint<'e> {
    pub(crate) origin: &'e Origin,
    pub(crate) path: &'e str,
    pub(crate) policy: &'e DpopPolicy,
    pub(crate) nonces: Option<&'e NonceKeys>,
    pub(crate) now: u64,
}

impl TokenEndpoint<'_> {
    /// Checks the proof of a request; `None` when it has none.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<Option<CheckedProof>, OAuthError> {
        let invalid = |_| OAuthError::invalid_dpop_proof("the DPoP proof is not valid");
        let proof = match dpop::field(headers) {
            Ok(field) => self.verify(field).map_err(invalid)?,
            Err(DpopError::Missing) => return Ok(None),
            Err(DpopError::Duplicated) => {
                return Err(OAuthError::invalid_dpop_proof("more than one DPoP header field"));
            }
            Err(error) => return Err(invalid(error)),
        };
        if let Some(nonces) = self.nonces {
            let fresh = proof.nonce().is_some_and(|nonce| nonces.check(nonce, self.now).is_ok());
            if !fresh {
                return Err(OAuthError::use_dpop_nonce());
            }
        }
        let target = RequestTarget::new(self.origin, self.path)
            .map_err(|_| OAuthError::invalid_request("the token endpoint has no usable path"))?;
        let key = *proof.thumbprint();
        let replay_key = ReplayKey::dpop(&key, &target, proof.jti());
        let entry = ReplayEntry::new(replay_key, key, proof.issued_at(), self.policy.lifetime(), self.now);
        Ok(Some(CheckedProof { key, entry }))
    }

    fn verify<'r>(&self, field: &'r str) -> Result<DpopProof<'r>, DpopError> {
        let proof = DpopProof::parse(field, self.policy, &NoProofKeyCache)?;
        let target = RequestTarget::new(self.origin, self.path).map_err(|_| DpopError::TargetInvalid)?;
        proof.check_method("POST")?;
        proof.check_target(&target)?;
        proof.verify_signature()?;
        proof.check_time(self.policy, self.now)?;
        Ok(proof)
    }
}
