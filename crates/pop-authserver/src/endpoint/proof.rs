//! Proofs in requests to this server (RFC 9449 §5): all checks of RFC 9449 §4.3 except `ath`.

use http::HeaderMap;
use pop_core::ProofError;
use pop_core::jose::{CompactJws, DecodedJws, JwkThumbprint};
use pop_core::policy::ProofPolicy;
use pop_core::proof::{DpopProof, ProofKey};
use pop_core::replay::{ReplayEntry, ReplayKey};
use pop_core::target::{Origin, RequestTarget};

use crate::oauth_error::OAuthError;
use crate::server::AuthServer;

/// A valid proof that is not recorded yet.
#[derive(Debug)]
pub(super) struct VerifiedProof {
    pub(super) key: JwkThumbprint,
    pub(super) entry: ReplayEntry,
}

/// Verifies the proof of a POST request to an endpoint. Returns `None` if the request has no proof.
pub(super) fn verify_proof(
    server: &AuthServer,
    origin: &Origin,
    endpoint: &str,
    headers: &HeaderMap,
) -> Result<Option<VerifiedProof>, OAuthError> {
    let mut fields = headers.get_all("dpop").iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(OAuthError::invalid_dpop_proof("more than one DPoP header field"));
    }
    let path = format!("{}{endpoint}", server.issuer_path());
    let (policy, now) = (&server.inner.policy, server.now());
    let invalid = |_| OAuthError::invalid_dpop_proof("the DPoP proof is not valid");
    let value = field.to_str().map_err(|_| OAuthError::invalid_dpop_proof("the DPoP proof is not ASCII"))?;
    let compact = CompactJws::split(value, policy.max_len).map_err(|error| invalid(error.into()))?;
    let proof_key = ProofKey::parse(compact.header_segment(), policy).map_err(invalid)?;
    let jws = compact.decode_body().map_err(|error| invalid(error.into()))?;
    let target = RequestTarget::new(origin, &path)
        .map_err(|_| OAuthError::invalid_request("the path of the endpoint is not usable"))?;
    let proof = check_claims(&jws, &proof_key, &target, policy, now).map_err(invalid)?;
    if server.inner.nonce_required {
        let is_fresh = proof.nonce().is_some_and(|nonce| server.inner.nonces.check(nonce, now).is_ok());
        if !is_fresh {
            return Err(OAuthError::use_dpop_nonce());
        }
    }
    let key = *proof.thumbprint();
    let replay_key = ReplayKey::dpop(&key, &target, proof.jti());
    let entry = ReplayEntry::new(replay_key, key, proof.issued_at(), policy.lifetime(), now);
    Ok(Some(VerifiedProof { key, entry }))
}

fn check_claims<'j>(
    jws: &'j DecodedJws<'_>,
    key: &'j ProofKey,
    target: &RequestTarget<'_>,
    policy: &ProofPolicy,
    now: u64,
) -> Result<DpopProof<'j>, ProofError> {
    let proof = DpopProof::parse(jws, key, policy)?;
    proof.check_method("POST")?;
    proof.check_target(target)?;
    proof.verify_signature()?;
    proof.check_time(policy, now)?;
    Ok(proof)
}
