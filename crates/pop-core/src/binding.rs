//! The binding of an access token to the proofs of a request, and the order of the checks.
//!
//! 1. The token is bound to a key, unless the mode accepts unbound tokens.
//! 2. Every proof is verified ([`Proof::verify`](crate::proof::Proof::verify)).
//! 3. Every [`Requirement`] of the [`Confirmation`] is met by one of them.
//! 4. The proofs are fresh: `iat`, then the nonce.
//! 5. Outside this crate: the content, if a proof covers it or has to ([`Unread`]).
//! 6. Outside this crate, and last: the replay store. Nothing is recorded before.

use std::mem::discriminant;
use std::sync::Arc;

use crate::access_token::AccessToken;
use crate::confirmation::{Confirmation, Requirement};
use crate::content::{ContentVerified, ExpectedContent};
use crate::credentials::Scheme;
use crate::nonce::Freshness;
use crate::proof::{AllProven, Fresh, ProofContext, ProofKind, ProofOfPossession, Proofs, Proven};
use crate::replay::{FirstUse, ReplayEntry};
use crate::request::RequestHead;
use crate::{BindingError, ConfirmationError, ContentError, Error, ReplayError, SignatureError};

/// One request whose token and proofs are checked against each other.
#[derive(Debug, Clone, Copy)]
pub struct BindingCheck<'c, 'r> {
    /// The authentication scheme of the request.
    pub scheme: Scheme,
    /// The request.
    pub head: &'c RequestHead<'r>,
    /// What the proofs are checked against.
    pub context: ProofContext<'c>,
    /// Whether a token that is not bound to a key is accepted under `Bearer`.
    pub accepts_unbound: bool,
}

/// A verified token and its verified proofs.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // short-lived; a box would cost every request an allocation
pub enum Bound {
    /// Complete: there is no proof that may be used only once.
    Complete(VerifiedClaims),
    /// The replay store must record the proof first.
    Unreplayed(Unreplayed),
    /// The content of the request must be verified first.
    Unread(Box<Unread>),
}

impl BindingCheck<'_, '_> {
    /// Checks all that can be checked before the access token is verified. A request must pass this check before it may cause
    /// any I/O. `unverified` are the claims of a JWT whose signature cannot be verified yet.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify).
    pub fn precheck(&self, proofs: &Proofs<'_>, unverified: Option<&AccessToken>) -> Result<(), Error> {
        let Some(token) = unverified else {
            // Whatever an opaque token is bound to, it needs a proof.
            if proofs.is_empty() && !self.accepts_unbound {
                return Err(BindingError::CertificateMissing.into());
            }
            return proofs.precheck(self.head, &self.context);
        };
        let confirmation = self.confirmation(token)?;
        let has_shared_key = confirmation.is_some_and(|confirmation| confirmation.shared_key().is_some());
        if has_shared_key || proofs.needs_registered_key() {
            // No key is unwrapped, and no client looked up, for a token that is not verified.
            return proofs.precheck(self.head, &self.context);
        }
        let proven = self.prove(confirmation, token, proofs)?;
        proofs.check_freshness(&proven, confirmation, token, self.head, &self.context).map(drop)
    }

    /// Checks a verified token and the proofs of its request, in the order of the module's page.
    ///
    /// # Errors
    /// [`Error::Confirmation`], [`Error::Credential`], [`Error::Proof`], [`Error::Binding`], [`Error::Nonce`] or
    /// [`Error::Content`]: the first check that fails.
    pub fn verify(&self, proofs: Proofs<'_>, token: &Arc<AccessToken>) -> Result<Bound, Error> {
        let confirmation = self.confirmation(token)?;
        let proven = self.prove(confirmation, token, &proofs)?;
        let Fresh { nonce, of_proof, of_signature, until } =
            proofs.check_freshness(&proven, confirmation, token, self.head, &self.context)?;
        let content = proofs.expected_content(self.context.policy)?;
        let proof = proofs.into_evidence(&proven, confirmation, self.head);
        let claims = VerifiedClaims { token: Arc::clone(token), proof };
        let freshness = nonce.map_or(Freshness::Current, |nonce| nonce.freshness);
        let bound = match (of_proof, of_signature) {
            (None, None) => Bound::Complete(claims),
            (Some(entry), second) => {
                Bound::Unreplayed(Unreplayed { entry, second, of_signature: false, claims, freshness })
            }
            (None, Some(entry)) => {
                Bound::Unreplayed(Unreplayed { entry, second: None, of_signature: true, claims, freshness })
            }
        };
        Ok(match content {
            None => bound,
            Some(expected) => Bound::Unread(Box::new(Unread { expected, until, bound })),
        })
    }

    /// Returns what the token is bound to; `None` for an unbound token that is accepted.
    fn confirmation<'t>(&self, token: &'t AccessToken) -> Result<Option<&'t Confirmation>, ConfirmationError> {
        match token.confirmation() {
            None if self.scheme == Scheme::Bearer && self.accepts_unbound => Ok(None),
            None => Err(ConfirmationError::Missing),
            bound => Ok(bound),
        }
    }

    /// Verifies every proof, then checks that every requirement is met.
    fn prove(
        &self,
        confirmation: Option<&Confirmation>,
        token: &AccessToken,
        proofs: &Proofs<'_>,
    ) -> Result<AllProven, Error> {
        let proven = proofs.verify(confirmation, token, self.head, &self.context)?;
        if let Some(confirmation) = confirmation {
            bind(confirmation, &[proven.proof, proven.certificate])?;
        }
        Ok(proven)
    }
}

/// Checks that every requirement of a confirmation is met by a verified proof. Further proofs change nothing.
///
/// # Errors
/// The [`BindingError`] of the first requirement that is not met.
pub fn bind(confirmation: &Confirmation, proven: &[Option<Proven>]) -> Result<(), BindingError> {
    confirmation.requirements().try_for_each(|requirement| {
        let (missing, mismatch) = match requirement {
            Requirement::DpopKey(_) => (BindingError::BoundTokenAsBearer, BindingError::KeyMismatch),
            Requirement::Certificate(_) => (BindingError::CertificateMissing, BindingError::CertificateMismatch),
            Requirement::SigningKey(_) | Requirement::SharedKey => {
                (BindingError::SignatureMissing, BindingError::KeyMismatch)
            }
        };
        let of_this_kind = |proven: &Requirement| discriminant(proven) == discriminant(&requirement);
        match proven.iter().flatten().map(Proven::requirement).find(of_this_kind) {
            None => Err(missing),
            Some(proven) if proven == requirement => Ok(()),
            Some(_) => Err(mismatch),
        }
    })
}

/// A verified access token together with its verified proof. Only [`BindingCheck`] makes one.
#[derive(Debug, Clone)]
pub struct VerifiedClaims {
    token: Arc<AccessToken>,
    proof: ProofOfPossession,
}

impl VerifiedClaims {
    /// Labels a valid token whose proof or binding failed: for mode `ReportOnly` alone.
    #[must_use]
    pub const fn unproven(token: Arc<AccessToken>) -> Self {
        Self::without_proof(token, ProofKind::Unproven)
    }

    const fn without_proof(token: Arc<AccessToken>, kind: ProofKind) -> Self {
        Self { token, proof: ProofOfPossession::without(kind) }
    }

    /// Returns the token.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// Returns the proof.
    #[must_use]
    pub const fn proof(&self) -> &ProofOfPossession {
        &self.proof
    }
}

/// A verified request whose proof may have been used before. The claims come out only in exchange for the evidence of a
/// replay store:
///
/// ```
/// use pop_core::binding::{Unreplayed, VerifiedClaims};
/// use pop_core::replay::FirstUse;
///
/// fn claims(unreplayed: Unreplayed, evidence: FirstUse) -> Option<VerifiedClaims> {
///     unreplayed.first_use(evidence)
/// }
/// ```
///
/// ```compile_fail
/// use pop_core::binding::{Unreplayed, VerifiedClaims};
///
/// fn claims(unreplayed: Unreplayed) -> VerifiedClaims {
///     unreplayed.claims
/// }
/// ```
#[derive(Debug)]
pub struct Unreplayed {
    entry: ReplayEntry,
    /// The single-use nonce of a signature in addition to another proof.
    second: Option<ReplayEntry>,
    /// Whether `entry` is that nonce.
    of_signature: bool,
    claims: VerifiedClaims,
    freshness: Freshness,
}

impl Unreplayed {
    /// Returns what the replay store must record.
    #[must_use]
    pub const fn entry(&self) -> &ReplayEntry {
        &self.entry
    }

    /// Returns what the replay store must record as well, if the request has two proofs that may be used only once: it stands for
    /// this request in exchange for the evidence of the first.
    #[must_use]
    pub const fn second_entry(&self) -> Option<&ReplayEntry> {
        self.second.as_ref()
    }

    /// Moves the entries to the current time.
    fn at(mut self, now: u64) -> Self {
        for entry in std::iter::once(&mut self.entry).chain(&mut self.second) {
            entry.now = now.max(entry.now);
        }
        self
    }

    /// Returns the error if the entry was recorded before.
    #[must_use]
    pub fn replayed(&self) -> Error {
        if self.of_signature { SignatureError::NonceUsed.into() } else { ReplayError::Replayed.into() }
    }

    /// Returns the rest, once the first of two entries is recorded.
    #[must_use]
    pub fn first_of_two(mut self, _evidence: FirstUse) -> Self {
        if let Some(second) = self.second.take() {
            (self.entry, self.of_signature) = (second, true);
        }
        self
    }

    /// Returns whether the response should carry a new nonce.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Returns the verified claims, in exchange for the store's evidence. `None` if there is a second entry that was not recorded.
    #[must_use]
    pub fn first_use(self, _evidence: FirstUse) -> Option<VerifiedClaims> {
        self.second.is_none().then_some(self.claims)
    }
}

/// A verified request whose content was not verified yet. The rest comes out only in exchange for the evidence of a
/// [`ContentHasher`](crate::content::ContentHasher).
#[derive(Debug)]
pub struct Unread {
    expected: ExpectedContent,
    /// The first second in which a proof is too old.
    until: u64,
    bound: Bound,
}

impl Unread {
    /// Returns what the content must be.
    #[must_use]
    pub const fn expected(&self) -> &ExpectedContent {
        &self.expected
    }

    /// Returns the rest without evidence, for callers that hand the content on while they verify it.
    ///
    /// # Security
    /// The caller must withhold the end of the content until it is verified.
    #[must_use]
    pub fn verified_while_streaming(self) -> Bound {
        self.bound
    }

    /// Returns the rest, in exchange for the evidence. `now` is the current time in seconds since the epoch: content may take its
    /// time, and a store could not remember a proof that is too old.
    ///
    /// # Errors
    /// [`ContentError::Late`] if a proof is too old now. [`ContentError::Unread`] if the evidence is about other expectations.
    pub fn verified(self, evidence: &ContentVerified, now: u64) -> Result<Bound, ContentError> {
        if *evidence.expected() != self.expected {
            return Err(ContentError::Unread);
        }
        if now >= self.until {
            return Err(ContentError::Late);
        }
        Ok(match self.bound {
            Bound::Unreplayed(unreplayed) => Bound::Unreplayed(unreplayed.at(now)),
            bound => bound,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confirmation::ConfirmationPolicy;
    use crate::jose::{CertThumbprint, Json, JsonLimits, JwkThumbprint, Object};

    const OWN: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    const OTHER: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

    fn confirmation(cnf: &str) -> Confirmation {
        let cnf = Object::parse(cnf.as_bytes(), JsonLimits::TOKEN).unwrap();
        Confirmation::parse(&Json::Object(cnf), ConfirmationPolicy::default()).unwrap()
    }

    fn key(thumbprint: &str) -> Proven {
        Proven::of(Requirement::DpopKey(JwkThumbprint::parse(thumbprint).unwrap()))
    }

    fn certificate(thumbprint: &str) -> Proven {
        Proven::of(Requirement::Certificate(CertThumbprint::parse(thumbprint).unwrap()))
    }

    /// MTLS-01, MTLS-02, MTLS-08, DPOP-28, DPOP-30: every requirement must be met, by the key or certificate that it names.
    #[test]
    fn every_requirement_must_be_met_by_the_key_or_certificate_that_it_names() {
        use BindingError as E;
        let jkt = format!(r#"{{"jkt":"{OWN}"}}"#);
        let x5t = format!(r#"{{"x5t#S256":"{OWN}"}}"#);
        let both = format!(r#"{{"jkt":"{OWN}","x5t#S256":"{OWN}"}}"#);
        for (cnf, proven, expected) in [
            (&jkt, &[key(OWN)][..], Ok(())),
            (&jkt, &[key(OWN), certificate(OTHER)], Ok(())),
            (&jkt, &[key(OTHER)], Err(E::KeyMismatch)),
            (&jkt, &[certificate(OWN)], Err(E::BoundTokenAsBearer)),
            (&jkt, &[], Err(E::BoundTokenAsBearer)),
            (&x5t, &[certificate(OWN)], Ok(())),
            (&x5t, &[certificate(OTHER)], Err(E::CertificateMismatch)),
            (&x5t, &[key(OWN)], Err(E::CertificateMissing)),
            (&x5t, &[], Err(E::CertificateMissing)),
            (&both, &[key(OWN), certificate(OWN)], Ok(())),
            (&both, &[key(OWN)], Err(E::CertificateMissing)),
            (&both, &[key(OWN), certificate(OTHER)], Err(E::CertificateMismatch)),
            (&both, &[key(OTHER), certificate(OWN)], Err(E::KeyMismatch)),
            (&both, &[certificate(OWN)], Err(E::BoundTokenAsBearer)),
        ] {
            let proven: Vec<_> = proven.iter().copied().map(Some).collect();
            assert_eq!(bind(&confirmation(cnf), &proven), expected, "{cnf} {proven:?}");
        }
    }
}
