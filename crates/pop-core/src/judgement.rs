//! The order of the checks that bring token, proof and request together.
//!
//! 1. the token is bound to a key ([`crate::cnf`]);
//! 2. the proof: signature, `htm`, `htu`, `ath`;
//! 3. the binding: the proof's key is the token's, and so is the client's certificate where the token names one;
//! 4. `iat`, then the nonce;
//! 5. outside this crate, and last: the replay store. Nothing is recorded before.

use std::sync::Arc;

use crate::claims::{AccessToken, ProofKind, ProofOfPossession, VerifiedClaims};
use crate::jose::{CertThumbprint, JwkThumbprint};
use crate::nonce::{AcceptedNonce, Freshness, NonceKeys};
use crate::policy::{IatPolicy, ProofPolicy, ReplayQuota};
use crate::proof::DpopProof;
use crate::proof::dpop::AccessTokenHash;
use crate::replay::{FirstUse, QuotaOwner, ReplayEntry, ReplayKey};
use crate::target::RequestTarget;
use crate::{BindingError, ConfirmationError, Error, NonceError};

/// What is known of a request before its credentials are judged.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'r> {
    /// The method on the wire.
    pub method: &'r str,
    /// The target as the client used it.
    pub target: &'r RequestTarget<'r>,
    /// The certificate that the client proved to hold in the TLS handshake.
    pub certificate: Option<&'r CertThumbprint>,
    /// The present, in seconds since the epoch.
    pub now: u64,
}

/// Checks a proof against the request: `htm`, `htu`, `ath` and signature.
///
/// # Errors
/// [`Error::Proof`].
pub fn check_proof(
    proof: &DpopProof<'_>,
    token_hash: &AccessTokenHash,
    request: &RequestFacts<'_>,
) -> Result<(), Error> {
    proof.check_method(request.method)?;
    proof.check_target(request.target)?;
    proof.check_access_token(token_hash)?;
    Ok(proof.verify_signature()?)
}

/// Checks token and proof against each other and against the request: `cnf`, then the proof, then its key and the client's
/// certificate. This much must hold before a request may cause any I/O. Returns the thumbprint of the key.
///
/// # Errors
/// [`Error::Confirmation`], [`Error::Proof`] or [`Error::Binding`].
pub fn check_binding(
    token: &AccessToken,
    proof: &DpopProof<'_>,
    token_hash: &AccessTokenHash,
    request: &RequestFacts<'_>,
) -> Result<JwkThumbprint, Error> {
    let confirmation = token.confirmation().ok_or(ConfirmationError::Missing)?;
    let bound_to = confirmation.jkt.ok_or(BindingError::NotBoundToProof)?;
    check_proof(proof, token_hash, request)?;
    let jkt = *proof.thumbprint();
    if jkt != bound_to {
        return Err(BindingError::KeyMismatch.into());
    }
    confirmation.check_certificate(request.certificate)?;
    Ok(jkt)
}

/// Checks a token that came under `Bearer`: it is bound to the client's certificate, or, where that is accepted, to
/// nothing.
///
/// # Errors
/// [`ConfirmationError::Missing`], or [`Error::Binding`].
pub fn check_bearer(
    token: &AccessToken,
    certificate: Option<&CertThumbprint>,
    accepts_unbound: bool,
) -> Result<ProofKind, Error> {
    match token.confirmation() {
        None if accepts_unbound => Ok(ProofKind::None),
        None => Err(ConfirmationError::Missing.into()),
        Some(confirmation) if confirmation.jkt.is_some() => Err(BindingError::BoundTokenAsBearer.into()),
        Some(confirmation) => {
            confirmation.check_certificate(certificate)?;
            Ok(ProofKind::MutualTls)
        }
    }
}

/// Checks `iat` and, where the resource demands one, the nonce. Without `nonces` a nonce in the proof is ignored.
///
/// Returns the nonce, if one had to be there.
///
/// # Errors
/// [`Error::Proof`] or [`Error::Nonce`].
pub fn check_freshness(
    proof: &DpopProof<'_>,
    now: u64,
    policy: &ProofPolicy,
    nonces: Option<&NonceKeys>,
) -> Result<Option<AcceptedNonce>, Error> {
    let judge_nonce = |nonces: &NonceKeys| {
        let nonce = proof.nonce().ok_or(NonceError::Missing)?;
        nonces.check(nonce, now)
    };
    match (nonces, policy.iat) {
        (Some(nonces), IatPolicy::NonceOnly) => {
            proof.check_own_limits(policy, now)?;
            Ok(Some(judge_nonce(nonces)?))
        }
        (Some(nonces), IatPolicy::Always) => {
            proof.check_time(policy, now)?;
            Ok(Some(judge_nonce(nonces)?))
        }
        (None, _) => {
            proof.check_time(policy, now)?;
            Ok(None)
        }
    }
}

/// Judges a verified token together with its DPoP proof.
///
/// # Errors
/// The first check that fails, in the order of the module's page.
pub fn judge_dpop(
    token: &Arc<AccessToken>,
    proof: &DpopProof<'_>,
    token_hash: &AccessTokenHash,
    request: &RequestFacts<'_>,
    policy: &ProofPolicy,
    nonces: Option<&NonceKeys>,
) -> Result<Unreplayed, Error> {
    let jkt = check_binding(token, proof, token_hash, request)?;
    let nonce = check_freshness(proof, request.now, policy, nonces)?;
    let key = ReplayKey::dpop(&jkt, request.target, proof.jti());
    let now = request.now;
    let owner = match (policy.quota, token.client_id()) {
        (ReplayQuota::PerClient, Some(client_id)) => QuotaOwner::client(token.issuer(), client_id),
        _ => jkt.into(),
    };
    let entry = match (policy.iat, nonce) {
        // The proof can be presented again for as long as its nonce is accepted. That end does not depend on when the proof
        // comes: what a store has dropped stays refused when the clock steps back.
        (IatPolicy::NonceOnly, Some(nonce)) => ReplayEntry::until(key, owner, now, nonce.until, now),
        _ => ReplayEntry::new(key, owner, proof.issued_at(), policy.lifetime(), now),
    };
    let proven = ProofOfPossession {
        kind: ProofKind::Dpop,
        key: Some(jkt),
        jti: Some(proof.jti().into()),
        certificate: token.confirmation().and_then(|confirmation| confirmation.x5t),
    };
    Ok(Unreplayed {
        entry,
        claims: VerifiedClaims { token: Arc::clone(token), proof: proven },
        freshness: nonce.map_or(Freshness::Current, |nonce| nonce.freshness),
    })
}

/// Judges a verified token that came under `Bearer` (RFC 6750, RFC 8705 §3).
///
/// # Errors
/// As [`check_bearer`]: [`BindingError::BoundTokenAsBearer`] for every token that is bound to a DPoP key (RFC 9449 §7.2).
pub fn judge_bearer(
    token: Arc<AccessToken>,
    certificate: Option<&CertThumbprint>,
    accepts_unbound: bool,
) -> Result<VerifiedClaims, Error> {
    let kind = check_bearer(&token, certificate, accepts_unbound)?;
    let certificate = token.confirmation().and_then(|confirmation| confirmation.x5t);
    Ok(VerifiedClaims { token, proof: ProofOfPossession { certificate, ..ProofOfPossession::without(kind) } })
}

/// Lets a valid token pass although its proof or binding failed: for mode `ReportOnly` alone.
#[must_use]
pub fn report_only(token: Arc<AccessToken>) -> VerifiedClaims {
    VerifiedClaims { token, proof: ProofOfPossession::without(ProofKind::Unproven) }
}

/// Everything is verified except that the proof is used for the first time. Its claims come out in exchange for a store's
/// evidence alone:
///
/// ```
/// use pop_core::{claims::VerifiedClaims, judgement::Unreplayed, replay::FirstUse};
///
/// fn claims(unreplayed: Unreplayed, evidence: FirstUse) -> VerifiedClaims {
///     unreplayed.first_use(evidence)
/// }
/// ```
///
/// ```compile_fail
/// use pop_core::{claims::VerifiedClaims, judgement::Unreplayed};
///
/// fn claims(unreplayed: Unreplayed) -> VerifiedClaims {
///     unreplayed.claims
/// }
/// ```
#[derive(Debug)]
pub struct Unreplayed {
    entry: ReplayEntry,
    claims: VerifiedClaims,
    freshness: Freshness,
}

impl Unreplayed {
    /// What the replay store has to record.
    #[must_use]
    pub const fn entry(&self) -> &ReplayEntry {
        &self.entry
    }

    /// Whether the response should carry the current nonce.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// The verified claims, in exchange for the store's evidence.
    #[must_use]
    pub fn first_use(self, _evidence: FirstUse) -> VerifiedClaims {
        self.claims
    }

    /// The token without its proof, where the store refused that: for mode `ReportOnly` alone.
    #[must_use]
    pub fn into_unproven(self) -> VerifiedClaims {
        report_only(self.claims.token)
    }
}
