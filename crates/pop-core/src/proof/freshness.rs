//! When a proof was made, and what the replay store must record of it.

use super::{DpopProof, MessageSignature, Proof, ProofContext, SignedRequest};
use crate::access_token::AccessToken;
use crate::nonce::{AcceptedNonce, NonceKeys};
use crate::policy::{IatPolicy, ReplayQuota};
use crate::replay::{QuotaOwner, ReplayEntry, ReplayKey, ReplayTimes};
use crate::request::RequestHead;
use crate::{Error, NonceError};

impl Proof<'_> {
    /// Checks that the proof was made recently: its time, then the server's nonce if one is required and the kind has one.
    /// Returns the accepted nonce.
    ///
    /// # Errors
    /// [`Error::Proof`] or [`Error::Nonce`].
    pub fn check_freshness(
        &self,
        head: &RequestHead<'_>,
        context: &ProofContext<'_>,
    ) -> Result<Option<AcceptedNonce>, Error> {
        let now = head.now();
        let nonce = match self {
            Self::Dpop(proof) => {
                let policy = &context.policy.dpop;
                match (context.nonces, policy.iat) {
                    (Some(_), IatPolicy::NonceOnly) => proof.check_expiry(policy, now)?,
                    _ => proof.check_time(policy, now)?,
                }
                proof.nonce()
            }
            // Its nonce is the client's.
            Self::MessageSignature(proof, _) => {
                proof.check_time(&context.policy.signature, now)?;
                return Ok(None);
            }
            Self::SignedRequest(proof) => {
                proof.check_time(&context.policy.signed_request, now)?;
                proof.nonce()
            }
        };
        let accept = |nonces: &NonceKeys| nonces.check(nonce.ok_or(NonceError::Missing)?, now);
        Ok(context.nonces.map(accept).transpose()?)
    }

    /// Returns what the replay store must record. `key` identifies the key of the proof.
    ///
    /// # Errors
    /// [`Error::Credential`].
    pub fn replay_entry(
        &self,
        key: &[u8; 32],
        token: &AccessToken,
        nonce: Option<AcceptedNonce>,
        head: &RequestHead<'_>,
        context: &ProofContext<'_>,
    ) -> Result<ReplayEntry, Error> {
        let owner = quota_owner(key, token, context);
        Ok(match self {
            Self::Dpop(proof) => dpop_entry(proof, owner, nonce, head, context)?,
            Self::MessageSignature(proof, _) => signature_entry(proof, key, owner, head, context),
            Self::SignedRequest(proof) => envelope_entry(proof, key, owner, head, context),
        })
    }
}

fn dpop_entry(
    proof: &DpopProof<'_>,
    owner: QuotaOwner,
    nonce: Option<AcceptedNonce>,
    head: &RequestHead<'_>,
    context: &ProofContext<'_>,
) -> Result<ReplayEntry, Error> {
    let key = ReplayKey::dpop(proof.thumbprint(), head.target()?, proof.jti_bytes());
    let (policy, now) = (&context.policy.dpop, head.now());
    let times = match (policy.iat, nonce) {
        // The proof can be presented for as long as its nonce is accepted. That end does not depend on the time of the
        // request: what a store has dropped stays rejected when the clock steps back.
        (IatPolicy::NonceOnly, Some(nonce)) => ReplayTimes { issued_at: now, expires_at: nonce.until, now },
        _ => {
            let issued_at = proof.issued_at();
            ReplayTimes { issued_at, expires_at: issued_at.saturating_add(policy.lifetime()), now }
        }
    };
    Ok(ReplayEntry::new(key, owner, times))
}

/// The nonce of a message signature may be used once for a key, whatever else the signature covers.
pub(super) fn signature_entry(
    proof: &MessageSignature<'_>,
    key: &[u8; 32],
    owner: QuotaOwner,
    head: &RequestHead<'_>,
    context: &ProofContext<'_>,
) -> ReplayEntry {
    let single_use = ReplayKey::signature(key, proof.nonce().unwrap_or_default());
    let issued_at = proof.created();
    let expires_at = issued_at.saturating_add(context.policy.signature.lifetime());
    ReplayEntry::new(single_use, owner, ReplayTimes { issued_at, expires_at, now: head.now() })
}

/// A client's `nonce` or `jti` may be used once for a key. Where the server issues nonces, many envelopes share one: what they sign
/// may then be used once, whether the request needed a nonce or not. It does not change with the signature, of which there may be
/// several valid ones.
fn envelope_entry(
    proof: &SignedRequest<'_>,
    key: &[u8; 32],
    owner: QuotaOwner,
    head: &RequestHead<'_>,
    context: &ProofContext<'_>,
) -> ReplayEntry {
    let by_input = context.policy.signed_request.server_nonces;
    let own_nonce = if by_input { None } else { proof.nonce().or_else(|| proof.jti()) };
    let single_use = match own_nonce {
        Some(nonce) => ReplayKey::signature(key, nonce),
        None => ReplayKey::envelope(key, proof.signing_input()),
    };
    let issued_at = proof.timestamp();
    let expires_at = issued_at.saturating_add(context.policy.signed_request.lifetime());
    ReplayEntry::new(single_use, owner, ReplayTimes { issued_at, expires_at, now: head.now() })
}

/// Returns whose share of the replay store a proof counts against.
pub(super) fn quota_owner(key: &[u8; 32], token: &AccessToken, context: &ProofContext<'_>) -> QuotaOwner {
    match (context.policy.quota, token.client_id()) {
        (ReplayQuota::PerClient, Some(client_id)) => QuotaOwner::client(token.issuer(), client_id),
        _ => QuotaOwner::key(*key),
    }
}
