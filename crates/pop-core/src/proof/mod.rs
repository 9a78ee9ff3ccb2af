//! Proofs of possession: a closed set of kinds, one module for each.
//!
//! Every kind passes the same steps, in this order: [`Proof::verify`], the [binding](crate::binding), [`Proof::check_freshness`]
//! and [`Proof::replay_entry`]. If the token must be fetched or introspected first, [`Proof::precheck`] comes before that.
//!
//! The set is closed because it is small and critical to security: each step is a `match` without `_`, so that the compiler
//! names every place that a new kind has to fill in.

mod certificate;
pub mod dpop;
mod evidence;
mod key;
pub mod message_signature;

use std::sync::Arc;

pub use self::certificate::CertificateProof;
pub use self::dpop::DpopProof;
pub use self::evidence::{ProofKind, ProofOfPossession};
pub use self::key::{NoProofKeyCache, ProofKey, ProofKeyCache};

use crate::access_token::{AccessToken, AccessTokenHash};
use crate::confirmation::{Confirmation, Requirement};
use crate::credentials::Scheme;
use crate::jose::SharedKey;
use crate::jose::crypto::VerifyingKey;
use crate::nonce::{AcceptedNonce, NonceKeys};
use crate::policy::{IatPolicy, ProofPolicy, ReplayQuota};
use crate::replay::{QuotaOwner, ReplayEntry, ReplayKey, ReplayTimes};
use crate::request::RequestHead;
use crate::{BindingError, Error, NonceError};

/// One proof of possession, parsed but not verified.
#[derive(Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // short-lived; a box would cost every request an allocation
pub enum Proof<'r> {
    /// A DPoP proof (RFC 9449).
    Dpop(DpopProof<'r>),
    /// The client's certificate (RFC 8705).
    Certificate(CertificateProof),
}

/// The key that a proof over the request itself is verified with.
#[derive(Debug, Clone, Copy)]
pub enum PopKey<'k> {
    /// A public key, imported for one algorithm.
    Public(&'k VerifyingKey),
    /// A symmetric key, for HMAC with SHA-256.
    Shared(&'k SharedKey),
}

/// What a verified proof shows.
#[derive(Debug, Clone, Copy)]
pub struct Proven {
    requirement: Requirement,
}

impl Proven {
    #[cfg(test)]
    pub(crate) const fn of(requirement: Requirement) -> Self {
        Self { requirement }
    }

    /// Returns the requirement of a confirmation that the proof meets.
    #[must_use]
    pub const fn requirement(&self) -> Requirement {
        self.requirement
    }
}

/// What proofs are checked against, beside the request.
#[derive(Debug, Clone, Copy)]
pub struct ProofContext<'c> {
    /// The options for each kind.
    pub policy: &'c ProofPolicy,
    /// The hash of the access token.
    pub token: &'c AccessTokenHash,
    /// The keys of server-provided nonces, if the request must have one. Without them, a nonce in a proof is ignored.
    pub nonces: Option<&'c NonceKeys>,
}

impl Proof<'_> {
    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> ProofKind {
        match self {
            Self::Dpop(_) => ProofKind::Dpop,
            Self::Certificate(_) => ProofKind::MutualTls,
        }
    }

    /// Returns the requirement that the proof meets once it is verified.
    #[must_use]
    pub fn requirement(&self) -> Requirement {
        match self {
            Self::Dpop(proof) => Requirement::DpopKey(*proof.thumbprint()),
            Self::Certificate(proof) => Requirement::Certificate(*proof.thumbprint()),
        }
    }

    /// Checks everything that can be checked without the token's confirmation, freshness included. A request must pass this
    /// check before it may cause any I/O.
    ///
    /// # Errors
    /// [`Error::Credential`], [`Error::Proof`] or [`Error::Nonce`].
    pub fn precheck(&self, head: &RequestHead<'_>, context: &ProofContext<'_>) -> Result<(), Error> {
        match self {
            Self::Dpop(proof) => check_dpop(proof, head, context)?,
            Self::Certificate(_) => {}
        }
        self.check_freshness(head, context).map(drop)
    }

    /// Verifies the proof: its signature, and that it covers the request and the access token.
    ///
    /// # Errors
    /// [`Error::Binding`] if the confirmation does not ask for this kind of proof, [`Error::Credential`] or [`Error::Proof`].
    pub fn verify(
        &self,
        confirmation: &Confirmation,
        head: &RequestHead<'_>,
        context: &ProofContext<'_>,
    ) -> Result<Proven, Error> {
        match self {
            Self::Dpop(proof) => {
                confirmation.jkt().ok_or(BindingError::NotBoundToProof)?;
                check_dpop(proof, head, context)?;
            }
            // The handshake proved possession. A certificate that the token is not bound to changes nothing.
            Self::Certificate(_) => {}
        }
        Ok(Proven { requirement: self.requirement() })
    }

    /// Checks that the proof was made recently: `iat`, then the nonce if one is required. Returns the accepted nonce.
    ///
    /// # Errors
    /// [`Error::Proof`] or [`Error::Nonce`].
    pub fn check_freshness(
        &self,
        head: &RequestHead<'_>,
        context: &ProofContext<'_>,
    ) -> Result<Option<AcceptedNonce>, Error> {
        let (proof, policy, now) = match self {
            Self::Dpop(proof) => (proof, &context.policy.dpop, head.now()),
            // The handshake belongs to this connection.
            Self::Certificate(_) => return Ok(None),
        };
        match (context.nonces, policy.iat) {
            (Some(_), IatPolicy::NonceOnly) => proof.check_expiry(policy, now)?,
            _ => proof.check_time(policy, now)?,
        }
        let accept = |nonces: &NonceKeys| nonces.check(proof.nonce().ok_or(NonceError::Missing)?, now);
        Ok(context.nonces.map(accept).transpose()?)
    }

    /// Returns what the replay store must record, if the proof may be used only once.
    ///
    /// # Errors
    /// [`Error::Credential`].
    pub fn replay_entry(
        &self,
        token: &AccessToken,
        nonce: Option<AcceptedNonce>,
        head: &RequestHead<'_>,
        context: &ProofContext<'_>,
    ) -> Result<Option<ReplayEntry>, Error> {
        let proof = match self {
            Self::Dpop(proof) => proof,
            Self::Certificate(_) => return Ok(None),
        };
        let jkt = proof.thumbprint();
        let key = ReplayKey::dpop(jkt, head.target()?, proof.jti_bytes());
        let owner = match (context.policy.quota, token.client_id()) {
            (ReplayQuota::PerClient, Some(client_id)) => QuotaOwner::client(token.issuer(), client_id),
            _ => (*jkt).into(),
        };
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
        Ok(Some(ReplayEntry::new(key, owner, times)))
    }

    /// Returns the encoded header and the key of a proof whose key did not come from the cache.
    #[must_use]
    pub fn new_key(&self) -> Option<(&str, &Arc<ProofKey>)> {
        match self {
            Self::Dpop(proof) => proof.new_key(),
            Self::Certificate(_) => None,
        }
    }

    /// Returns whether this is the proof that a verified request had.
    #[must_use]
    pub fn is(&self, verified: &ProofOfPossession) -> bool {
        match self {
            Self::Dpop(proof) => {
                verified.key_thumbprint() == Some(proof.thumbprint()) && verified.jti() == Some(proof.jti())
            }
            Self::Certificate(proof) => {
                verified.certificate_thumbprint().is_none_or(|thumbprint| thumbprint == proof.thumbprint())
            }
        }
    }

    /// Keeps what the application may know of a verified proof.
    fn into_evidence(self) -> ProofOfPossession {
        let evidence = ProofOfPossession::without(self.kind());
        match self {
            Self::Dpop(proof) => {
                ProofOfPossession { key: Some(*proof.thumbprint()), jti: Some(proof.into_jti()), ..evidence }
            }
            Self::Certificate(_) => evidence,
        }
    }
}

/// RFC 9449 §4.3 without the checks of time.
fn check_dpop(proof: &DpopProof<'_>, head: &RequestHead<'_>, context: &ProofContext<'_>) -> Result<(), Error> {
    proof.check_method(head.method())?;
    proof.check_target(head.target()?)?;
    proof.check_access_token(context.token)?;
    Ok(proof.verify_signature()?)
}

/// All proofs of a request: that of the scheme first, then the client's certificate.
#[derive(Debug)]
pub struct Proofs<'r>([Option<Proof<'r>>; 2]);

impl<'r> Proofs<'r> {
    /// Reads the proofs that a request carries for this scheme.
    ///
    /// # Errors
    /// [`Error::Credential`] or [`Error::Proof`].
    pub fn read(
        scheme: Scheme,
        head: &RequestHead<'r>,
        policy: &ProofPolicy,
        keys: &dyn ProofKeyCache,
    ) -> Result<Self, Error> {
        let proof = match scheme {
            Scheme::Dpop => {
                head.target()?;
                Some(Proof::Dpop(DpopProof::parse(dpop::field(head.headers())?, &policy.dpop, keys)?))
            }
            // A proof beside a bearer token proves nothing (RFC 9449 §7.1).
            Scheme::HttpSig | Scheme::Pop | Scheme::Bearer => None,
        };
        let certificate = head.certificate().map(|thumbprint| Proof::Certificate(CertificateProof::new(*thumbprint)));
        Ok(Self([proof, certificate]))
    }

    /// Returns the proofs.
    pub fn iter(&self) -> impl Iterator<Item = &Proof<'r>> {
        self.0.iter().flatten()
    }

    /// Returns whether there is no proof.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.0, [None, None])
    }

    /// Keeps what the application may know of verified proofs.
    pub(crate) fn into_evidence(self, confirmation: &Confirmation) -> ProofOfPossession {
        let Self([proof, certificate]) = self;
        let mut evidence = match (proof, certificate) {
            (Some(proof), _) | (None, Some(proof)) => proof.into_evidence(),
            (None, None) => ProofOfPossession::without(ProofKind::None),
        };
        evidence.certificate = confirmation.x5t().copied();
        evidence
    }
}
