//! Proofs in requests to this server (RFC 9449 §5): all checks of RFC 9449 §4.3 except `ath`.

use http::HeaderMap;
use pop_core::DpopError;
use pop_core::jose::{Algorithm, JwkThumbprint};
use pop_core::policy::DpopPolicy;
use pop_core::proof::{DpopProof, NoProofKeyCache, dpop};
use pop_core::replay::{ReplayEntry, ReplayKey, ReplayTimes};
use pop_core::target::{Origin, RequestTarget};

use crate::oauth_error::OAuthError;
use crate::server::AuthServer;

/// A valid proof that is not recorded yet.
#[derive(Debug)]
pub(super) struct VerifiedProof {
    pub(super) key: JwkThumbprint,
    pub(super) algorithm: Algorithm,
    pub(super) entry: ReplayEntry,
}

/// Verifies the proof of a POST request to an endpoint. Returns `None` if the request has no proof.
pub(super) fn verify_proof(
    server: &AuthServer,
    origin: &Origin,
    endpoint: &str,
    headers: &HeaderMap,
) -> Result<Option<VerifiedProof>, OAuthError> {
    let path = format!("{}{endpoint}", server.issuer_path());
    let (policy, now) = (&server.inner.policy, server.now());
    let target = RequestTarget::new(origin, &path)
        .map_err(|_| OAuthError::invalid_request("the path of the endpoint is not usable"))?;
    let invalid = |_| OAuthError::invalid_dpop_proof("the DPoP proof is not valid");
    let proof = match dpop::field(headers) {
        Ok(field) => verify(field, &target, policy, now).map_err(invalid)?,
        Err(DpopError::Missing) => return Ok(None),
        Err(DpopError::Duplicated) => {
            return Err(OAuthError::invalid_dpop_proof("more than one DPoP header field"));
        }
        Err(error) => return Err(invalid(error)),
    };
    if server.inner.nonce_required {
        let is_fresh = proof.nonce().is_some_and(|nonce| server.inner.nonces.check(nonce, now).is_ok());
        if !is_fresh {
            return Err(OAuthError::use_dpop_nonce());
        }
    }
    let key = *proof.thumbprint();
    // Without a cache every key is new.
    let (_, parsed) = proof.new_key().ok_or_else(|| OAuthError::invalid_dpop_proof("the DPoP proof has no key"))?;
    let algorithm = parsed.algorithm();
    let replay_key = ReplayKey::dpop(&key, &target, proof.jti());
    let issued_at = proof.issued_at();
    let times = ReplayTimes { issued_at, expires_at: issued_at.saturating_add(policy.lifetime()), now };
    let entry = ReplayEntry::new(replay_key, key, times);
    Ok(Some(VerifiedProof { key, algorithm, entry }))
}

fn verify<'r>(
    field: &'r str,
    target: &RequestTarget<'_>,
    policy: &DpopPolicy,
    now: u64,
) -> Result<DpopProof<'r>, DpopError> {
    let proof = DpopProof::parse(field, policy, &NoProofKeyCache)?;
    proof.check_method("POST")?;
    proof.check_target(target)?;
    proof.verify_signature()?;
    proof.check_time(policy, now)?;
    Ok(proof)
}
