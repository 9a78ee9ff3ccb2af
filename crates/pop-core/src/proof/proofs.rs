//! All proofs of one request.

use super::evidence::CoveredRequest;
use super::freshness::quota_owner;
use super::message_signature::{MessageSignature, SignatureProfile};
use super::signed_request::{PopCredentials, SignedRequest};
use super::{DpopProof, PopKey, Proof, ProofContext, ProofKeyCache, ProofKind, ProofOfPossession, Proven, dpop};
use crate::access_token::AccessToken;
use crate::confirmation::{Confirmation, Requirement};
use crate::content::ExpectedContent;
use crate::credentials::Scheme;
use crate::jose::{CertThumbprint, Malformed};
use crate::nonce::AcceptedNonce;
use crate::policy::ProofPolicy;
use crate::replay::ReplayEntry;
use crate::request::RequestHead;
use crate::{ConfirmationError, ContentError, CredentialError, Error, SignatureError, TokenError};

/// What reading proofs depends on.
#[derive(Clone, Copy)]
pub struct ProofReader<'c> {
    /// The options for each kind.
    pub policy: &'c ProofPolicy,
    /// The keys of DPoP proofs that are known.
    pub keys: &'c dyn ProofKeyCache,
    /// Whether requests under `DPoP` and `Bearer` must carry a message signature in addition.
    pub signature_required: bool,
}

/// All proofs of a request: that of the scheme, the client's certificate, and a message signature in addition.
#[derive(Debug)]
pub struct Proofs<'r> {
    proof: Option<Proof<'r>>,
    certificate: Option<CertThumbprint>,
    signature: Option<Box<MessageSignature<'r>>>,
}

/// What the proofs of a request have shown, once all of them are verified.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AllProven {
    pub(crate) proof: Option<Proven>,
    pub(crate) certificate: Option<Proven>,
    /// Identifies the key of the additional signature.
    signature_key: Option<[u8; 32]>,
}

impl<'r> ProofReader<'_> {
    /// Reads the proofs that a request carries for its scheme. `credentials` is what follows the scheme.
    ///
    /// # Errors
    /// [`Error::Credential`], [`Error::Token`] if an access token must be a signed request and is not, or [`Error::Proof`].
    pub fn read(&self, scheme: Scheme, credentials: &'r str, head: &RequestHead<'r>) -> Result<Proofs<'r>, Error> {
        let policy = self.policy;
        let proof = match scheme {
            Scheme::Dpop => {
                head.target()?;
                Some(Proof::Dpop(DpopProof::parse(dpop::field(head.headers())?, &policy.dpop, self.keys)?))
            }
            Scheme::HttpSig => Some(self.signature(SignatureProfile::HttpSig, head)?),
            Scheme::Pop => Some(self.pop(credentials, head)?),
            // A proof beside a bearer token proves nothing (RFC 9449 §7.1).
            Scheme::Bearer => None,
        };
        let signature = if self.signature_required && scheme.takes_signature() {
            head.target()?;
            Some(Box::new(MessageSignature::parse(SignatureProfile::Request, head, &policy.signature)?))
        } else {
            None
        };
        Ok(Proofs { proof, certificate: head.certificate().copied(), signature })
    }

    fn signature(&self, profile: SignatureProfile, head: &RequestHead<'r>) -> Result<Proof<'r>, Error> {
        head.target()?;
        let signature = MessageSignature::parse(profile, head, &self.policy.signature)?;
        Ok(Proof::MessageSignature(Box::new(signature)))
    }

    /// Under `PoP` there is a signed request, or an access token with an HMAC over the request.
    fn pop(&self, credentials: &'r str, head: &RequestHead<'r>) -> Result<Proof<'r>, Error> {
        let policy = self.policy;
        match SignedRequest::read(credentials, &policy.signed_request)? {
            PopCredentials::Envelope(envelope) if policy.accepts_signed_requests => {
                head.target()?;
                Ok(Proof::SignedRequest(envelope))
            }
            PopCredentials::Envelope(_) => Err(CredentialError::SchemeNotEnabled.into()),
            PopCredentials::Token if policy.accepts_hmac => self.signature(SignatureProfile::Hmac, head),
            PopCredentials::Token => Err(TokenError::Malformed(Malformed::NotCompact).into()),
        }
    }
}

impl<'r> Proofs<'r> {
    /// Returns the proof of the scheme.
    #[must_use]
    pub const fn proof(&self) -> Option<&Proof<'r>> {
        self.proof.as_ref()
    }

    /// Returns the access token, if a proof holds it.
    #[must_use]
    pub fn access_token(&self) -> Option<&str> {
        match &self.proof {
            Some(Proof::SignedRequest(envelope)) => Some(envelope.access_token()),
            _ => None,
        }
    }

    /// Returns whether there is no proof.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.proof.is_none() && self.certificate.is_none()
    }

    /// Returns a requirement that the request meets once it is verified, whatever token it has.
    #[must_use]
    pub fn requirement(&self) -> Option<Requirement> {
        self.proof.as_ref().and_then(Proof::requirement).or_else(|| self.certificate.map(Requirement::Certificate))
    }

    /// Checks everything that can be checked without the token's confirmation. A request must pass this check before it may
    /// cause any I/O.
    ///
    /// # Errors
    /// [`Error::Credential`], [`Error::Proof`] or [`Error::Nonce`].
    pub fn precheck(&self, head: &RequestHead<'_>, context: &ProofContext<'_>) -> Result<(), Error> {
        if let Some(proof) = &self.proof {
            proof.precheck(head, context)?;
        }
        self.check_signature_time(head, context)
    }

    /// Verifies every proof. Without a confirmation there is no proof but the signature in addition.
    pub(crate) fn verify(
        &self,
        confirmation: Option<&Confirmation>,
        token: &AccessToken,
        head: &RequestHead<'_>,
        context: &ProofContext<'_>,
    ) -> Result<AllProven, Error> {
        let proof = match &self.proof {
            Some(proof) => Some(proof.verify(confirmation.ok_or(ConfirmationError::Missing)?, head, context)?),
            None => None,
        };
        // The handshake proved possession. A certificate that the token is not bound to changes nothing.
        let certificate = self.certificate.map(|thumbprint| Proven::of(Requirement::Certificate(thumbprint)));
        let signature = self.signature.as_ref();
        let signature_key =
            signature.map(|signature| self.verify_signature(signature, token, head, context)).transpose()?;
        Ok(AllProven { proof, certificate, signature_key })
    }

    /// Verifies the signature in addition: with the key of the DPoP proof, or with one that the client registered.
    fn verify_signature(
        &self,
        signature: &MessageSignature<'_>,
        token: &AccessToken,
        head: &RequestHead<'_>,
        context: &ProofContext<'_>,
    ) -> Result<[u8; 32], Error> {
        let policy = &context.policy.signature;
        let verify = |key| signature.verify_signature(PopKey::Public(key), head, policy);
        if let Some(Proof::Dpop(proof)) = &self.proof
            && self.is_by_dpop_key(signature)
        {
            verify(proof.verifying_key())?;
            return Ok(*proof.thumbprint().as_bytes());
        }
        let registered = |keyid| context.client_keys?.key(token.issuer(), token.client_id()?, keyid);
        let key = signature.keyid().and_then(registered).ok_or(SignatureError::UnknownKey)?;
        verify(&key.key)?;
        Ok(*key.thumbprint.as_bytes())
    }

    fn check_signature_time(&self, head: &RequestHead<'_>, context: &ProofContext<'_>) -> Result<(), Error> {
        match &self.signature {
            Some(signature) => Ok(signature.check_time(&context.policy.signature, head.now())?),
            None => Ok(()),
        }
    }

    /// Checks that every proof was made recently, and returns what the replay store must record.
    pub(crate) fn check_freshness(
        &self,
        proven: &AllProven,
        confirmation: Option<&Confirmation>,
        token: &AccessToken,
        head: &RequestHead<'_>,
        context: &ProofContext<'_>,
    ) -> Result<Fresh, Error> {
        let mut fresh = Fresh { nonce: None, of_proof: None, of_signature: None, until: u64::MAX };
        if let (Some(proof), Some(proven)) = (&self.proof, &proven.proof) {
            fresh.nonce = proof.check_freshness(head, context)?;
            let key = key_of(proven.requirement(), confirmation, context)?;
            let entry = proof.replay_entry(&key, token, fresh.nonce, head, context)?;
            fresh.until = entry.expires_at;
            fresh.of_proof = Some(entry);
        }
        self.check_signature_time(head, context)?;
        if let (Some(signature), Some(key)) = (&self.signature, &proven.signature_key) {
            let owner = quota_owner(key, token, context);
            let entry = signature.replay_entry(key, owner, &context.policy.signature, head.now());
            fresh.until = fresh.until.min(entry.expires_at);
            fresh.of_signature = signature.nonce().map(|_| entry);
        }
        Ok(fresh)
    }

    /// Returns whether the signature in addition must be by a key that the client registered.
    pub(crate) fn needs_registered_key(&self) -> bool {
        self.signature.as_ref().is_some_and(|signature| !self.is_by_dpop_key(signature))
    }

    fn is_by_dpop_key(&self, signature: &MessageSignature<'_>) -> bool {
        match &self.proof {
            Some(Proof::Dpop(proof)) => signature.keyid().is_none_or(|keyid| proof.thumbprint().to_string() == keyid),
            _ => false,
        }
    }

    /// Returns what the content must be, if a proof covers it or must cover it.
    pub(crate) fn expected_content(&self, policy: &ProofPolicy) -> Result<Option<ExpectedContent>, ContentError> {
        let own = match &self.proof {
            Some(Proof::MessageSignature(proof)) => proof.expected_content(),
            Some(Proof::SignedRequest(proof)) => proof.expected_content(&policy.signed_request),
            Some(Proof::Dpop(_)) | None => None,
        };
        match (own, self.signature.as_ref().and_then(|signature| signature.expected_content())) {
            (Some(one), Some(other)) => one.and(other).map(Some),
            (one, other) => Ok(one.or(other)),
        }
    }

    /// Keeps what the application may know of verified proofs.
    pub(crate) fn into_evidence(
        self,
        proven: &AllProven,
        confirmation: Option<&Confirmation>,
        head: &RequestHead<'_>,
    ) -> ProofOfPossession {
        let mut covered: Vec<Box<str>> = Vec::new();
        let mut covered_fields = None;
        match &self.proof {
            Some(Proof::MessageSignature(proof)) => covered.extend(proof.covered().map(Into::into)),
            Some(Proof::SignedRequest(proof)) => {
                covered.extend(proof.covered().names().map(Into::into));
                covered_fields = Some(proof.covered_fields().map(Into::into).collect());
            }
            Some(Proof::Dpop(_)) | None => {}
        }
        if let Some(signature) = &self.signature {
            covered.extend(signature.covered().map(Into::into));
        }
        // A DPoP proof has a `jti` instead. It does not name the query, and a certificate no request at all: a signature does.
        let names_request = self.signature.is_some() || !matches!(self.proof, Some(Proof::Dpop(_)) | None);
        let mut evidence = match self.proof {
            Some(proof) => proof.into_evidence(proven.proof),
            None if self.certificate.is_some() && confirmation.is_some() => {
                ProofOfPossession::without(ProofKind::MutualTls)
            }
            None => ProofOfPossession::without(ProofKind::None),
        };
        evidence.covered_fields = covered_fields;
        evidence.certificate = confirmation.and_then(Confirmation::x5t).copied();
        if !covered.is_empty() {
            evidence.covered = Some(covered.into());
        }
        if names_request {
            evidence.request = CoveredRequest::of(head, evidence.names());
        }
        evidence
    }
}

/// The result of the checks of freshness.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) nonce: Option<AcceptedNonce>,
    /// What the replay store must record of the proof.
    pub(crate) of_proof: Option<ReplayEntry>,
    /// What it must record of the signature in addition, if that has a nonce.
    pub(crate) of_signature: Option<ReplayEntry>,
    /// The first second in which one of them is too old.
    pub(crate) until: u64,
}

/// Identifies the key that a proof was verified with.
fn key_of(
    requirement: Requirement,
    confirmation: Option<&Confirmation>,
    context: &ProofContext<'_>,
) -> Result<[u8; 32], ConfirmationError> {
    match requirement {
        Requirement::DpopKey(thumbprint) | Requirement::SigningKey(thumbprint) => Ok(*thumbprint.as_bytes()),
        Requirement::Certificate(thumbprint) => Ok(*thumbprint.as_bytes()),
        Requirement::SharedKey => {
            let key = confirmation.and_then(Confirmation::shared_key).ok_or(ConfirmationError::NotUnwrapped)?;
            Ok(*key.get(context.key_encryption_keys)?.id())
        }
    }
}

impl std::fmt::Debug for ProofReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProofReader").finish_non_exhaustive()
    }
}
