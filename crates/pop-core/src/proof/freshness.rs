//! When a proof was made, and what the replay store must record of it.

use super::{DpopProof, MessageSignature, Proof, ProofContext, SignedRequest};
use crate::access_token::AccessToken;
use crate::nonce::{AcceptedNonce, NonceKeys};
use crate::policy::{DpopPolicy, IatPolicy, ReplayQuota, SignaturePolicy, SignedRequestPolicy};
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
            Self::MessageSignature(proof) => {
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
        let (policy, now) = (context.policy, head.now());
        let (single_use, times) = match self {
            Self::Dpop(proof) => {
                let single_use = ReplayKey::dpop(proof.thumbprint(), head.target()?, proof.jti_bytes());
                (single_use, dpop_times(proof, &policy.dpop, nonce, now))
            }
            Self::MessageSignature(proof) => {
                return Ok(proof.replay_entry(key, owner, &policy.signature, now));
            }
            Self::SignedRequest(proof) => {
                let policy = &policy.signed_request;
                (envelope_key(proof, key, policy), times(proof.timestamp(), policy.lifetime(), now))
            }
        };
        Ok(ReplayEntry::new(single_use, owner, times))
    }
}

/// The times of a proof that counts from the time in it.
const fn times(issued_at: u64, lifetime: u64, now: u64) -> ReplayTimes {
    ReplayTimes { issued_at, expires_at: issued_at.saturating_add(lifetime), now }
}

fn dpop_times(proof: &DpopProof<'_>, policy: &DpopPolicy, nonce: Option<AcceptedNonce>, now: u64) -> ReplayTimes {
    match (policy.iat, nonce) {
        // The proof can be presented for as long as its nonce is accepted. That end does not depend on the time of the
        // request: what a store has dropped stays rejected when the clock steps back.
        (IatPolicy::NonceOnly, Some(nonce)) => ReplayTimes { issued_at: now, expires_at: nonce.until, now },
        _ => times(proof.issued_at(), policy.lifetime(), now),
    }
}

impl MessageSignature<'_> {
    /// Returns what the replay store must record: a nonce may be used once for a key, whatever else the signature
    /// covers. `key` identifies the key of the signature. `now` is in seconds since the epoch.
    #[must_use]
    pub fn replay_entry(&self, key: &[u8; 32], owner: QuotaOwner, policy: &SignaturePolicy, now: u64) -> ReplayEntry {
        let single_use = ReplayKey::signature(key, self.nonce().unwrap_or_default());
        ReplayEntry::new(single_use, owner, times(self.created(), policy.lifetime(), now))
    }
}

/// A client's `nonce` or `jti` may be used once for a key. Where the server issues nonces, many envelopes share one: what they sign
/// may then be used once, whether the request needed a nonce or not. It does not change with the signature, of which there may be
/// several valid ones.
fn envelope_key(proof: &SignedRequest<'_>, key: &[u8; 32], policy: &SignedRequestPolicy) -> ReplayKey {
    let own_nonce = if policy.server_nonces { None } else { proof.nonce().or_else(|| proof.jti()) };
    match own_nonce {
        Some(nonce) => ReplayKey::signature(key, nonce),
        None => ReplayKey::envelope(key, proof.signing_input()),
    }
}

/// Returns whose share of the replay store a proof counts against.
pub(super) fn quota_owner(key: &[u8; 32], token: &AccessToken, context: &ProofContext<'_>) -> QuotaOwner {
    match (context.policy.quota, token.client_id()) {
        (ReplayQuota::PerClient, Some(client_id)) => QuotaOwner::client(token.issuer(), client_id),
        _ => QuotaOwner::key(*key),
    }
}
