//! Proofs, signatures and client assertions can be used once.

use pop_core::SignatureError;
use pop_core::jose::{JwkThumbprint, encode};
use pop_core::replay::{ReplayEntry, ReplayKey, ReplayTimes};
use pop_core::target::RequestTarget;
use sha2::{Digest, Sha256};
use tower_pop::replay::{ReplayAnswer, ReplayStore};

use super::proof::VerifiedProof;
use super::signature::VerifiedSignature;
use crate::authentication::Assertion;
use crate::client::Client;
use crate::oauth_error::OAuthError;
use crate::server::AuthServer;

/// Records a proof. Rejects a proof that was used before.
pub(super) fn record_proof(server: &AuthServer, proof: &VerifiedProof) -> Result<(), OAuthError> {
    let is_new = is_first_use(server, proof.entry);
    if is_new { Ok(()) } else { Err(OAuthError::invalid_dpop_proof("the proof was used before")) }
}

/// Records the nonce of a signature. Rejects a nonce that was used before with the same key.
pub(super) fn record_signature(server: &AuthServer, signature: &VerifiedSignature) -> Result<(), OAuthError> {
    let is_new = is_first_use(server, signature.entry);
    if is_new { Ok(()) } else { Err(OAuthError::invalid_signature(SignatureError::NonceUsed)) }
}

/// Records an assertion. Rejects an assertion that was used before, at any endpoint.
pub(super) fn record_assertion(server: &AuthServer, client: &Client, assertion: &Assertion) -> Result<(), OAuthError> {
    let entry = assertion_entry(server, client, assertion).ok_or_else(OAuthError::invalid_client)?;
    if is_first_use(server, entry) { Ok(()) } else { Err(OAuthError::invalid_client()) }
}

fn is_first_use(server: &AuthServer, entry: ReplayEntry) -> bool {
    matches!(server.inner.replay.insert(entry), ReplayAnswer::Now(Ok(_)))
}

/// The replay store keys its entries by a key thumbprint and a target. The hash of the client identifier and a path
/// that is not an endpoint take their places.
fn assertion_entry(server: &AuthServer, client: &Client, assertion: &Assertion) -> Option<ReplayEntry> {
    let owner = JwkThumbprint::parse(&encode(Sha256::digest(&client.id))).ok()?;
    let target = RequestTarget::new(&server.inner.origin, "/client-assertion").ok()?;
    let key = ReplayKey::dpop(&owner, &target, &assertion.jti);
    let now = server.now();
    let expires_at = assertion.expires_at.max(now.saturating_add(1));
    Some(ReplayEntry::new(key, owner, ReplayTimes { issued_at: now, expires_at, now }))
}
