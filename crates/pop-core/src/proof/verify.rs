//! What a proof shows: its signature, and that it covers the request and the access token.

use std::borrow::Cow;

use super::signed_request::EnvelopeAlgorithm;
use super::{DpopProof, MessageSignature, PopKey, Proof, ProofContext, Proven, SignatureProfile, SignedRequest};
use crate::confirmation::{Confirmation, PublicPopKey, Requirement};
use crate::jose::crypto::VerifyingKey;
use crate::jose::{Algorithm, AlgorithmSet};
use crate::request::RequestHead;
use crate::{BindingError, ConfirmationError, Error};

impl Proof<'_> {
    /// Checks everything that can be checked without the token's confirmation, freshness included. A request must pass this
    /// check before it may cause any I/O. Where only the token has the key of the proof, that is its form and its time.
    ///
    /// # Errors
    /// [`Error::Credential`], [`Error::Proof`] or [`Error::Nonce`].
    pub fn precheck(&self, head: &RequestHead<'_>, context: &ProofContext<'_>) -> Result<(), Error> {
        match self {
            Self::Dpop(proof) => check_dpop(proof, head, context)?,
            Self::MessageSignature(_) => {}
            Self::SignedRequest(proof) => {
                proof.check_request(head, &context.policy.signed_request)?;
                if let Some(key) = proof.embedded_key() {
                    proof.verify_signature(PopKey::Public(key.verifying_key()))?;
                }
            }
        }
        self.check_freshness(head, context).map(drop)
    }

    /// Verifies the proof: its signature, and that it covers the request and the access token.
    ///
    /// # Errors
    /// [`Error::Binding`] if the confirmation does not ask for this kind of proof, [`Error::Confirmation`],
    /// [`Error::Credential`] or [`Error::Proof`].
    pub fn verify(
        &self,
        confirmation: &Confirmation,
        head: &RequestHead<'_>,
        context: &ProofContext<'_>,
    ) -> Result<Proven, Error> {
        let requirement = match self {
            Self::Dpop(proof) => {
                confirmation.jkt().ok_or(BindingError::NotBoundToProof)?;
                check_dpop(proof, head, context)?;
                Requirement::DpopKey(*proof.thumbprint())
            }
            Self::MessageSignature(proof) if proof.profile() == SignatureProfile::Hmac => {
                let key = confirmation.shared_key().ok_or(BindingError::NotBoundToProof)?;
                let key = key.get(context.key_encryption_keys)?;
                proof.verify_signature(PopKey::Shared(key), head, &context.policy.signature)?;
                Requirement::SharedKey
            }
            Self::MessageSignature(proof) => check_signature(proof, confirmation, head, context)?,
            Self::SignedRequest(proof) => {
                proof.check_request(head, &context.policy.signed_request)?;
                check_envelope(proof, confirmation, context)?
            }
        };
        Ok(Proven::of(requirement))
    }
}

/// RFC 9449 §4.3 without the checks of time.
fn check_dpop(proof: &DpopProof<'_>, head: &RequestHead<'_>, context: &ProofContext<'_>) -> Result<(), Error> {
    proof.check_method(head.method())?;
    proof.check_target(head.target()?)?;
    proof.check_access_token(context.token)?;
    Ok(proof.verify_signature()?)
}

/// Verifies a message signature with the key in the token. Its algorithm is the one that the key names.
fn check_signature(
    proof: &MessageSignature<'_>,
    confirmation: &Confirmation,
    head: &RequestHead<'_>,
    context: &ProofContext<'_>,
) -> Result<Requirement, Error> {
    let key = confirmation.public_key().ok_or(BindingError::NotBoundToProof)?;
    let policy = &context.policy.signature;
    let algorithm = key.algorithm().ok_or(ConfirmationError::Algorithm)?;
    let verifying_key = accepted(policy.algorithms, key, algorithm)?;
    proof.verify_signature(PopKey::Public(&verifying_key), head, policy)?;
    Ok(Requirement::SigningKey(*key.thumbprint()))
}

/// Verifies an envelope with the key in the token, or with its own key if the token has the thumbprint of that one.
fn check_envelope(
    proof: &SignedRequest<'_>,
    confirmation: &Confirmation,
    context: &ProofContext<'_>,
) -> Result<Requirement, Error> {
    let algorithm = match proof.algorithm() {
        EnvelopeAlgorithm::Hs256 => {
            let key = confirmation.shared_key().ok_or(BindingError::NotBoundToProof)?;
            proof.verify_signature(PopKey::Shared(key.get(context.key_encryption_keys)?))?;
            return Ok(Requirement::SharedKey);
        }
        EnvelopeAlgorithm::Asymmetric(algorithm) => algorithm,
    };
    let own = proof.embedded_key();
    if let Some(key) = confirmation.public_key() {
        if own.is_some_and(|own| own.thumbprint() != key.thumbprint()) {
            return Err(BindingError::KeyMismatch.into());
        }
        let verifying_key = accepted(context.policy.signed_request.algorithms, key, algorithm)?;
        proof.verify_signature(PopKey::Public(&verifying_key))?;
        return Ok(Requirement::SigningKey(*key.thumbprint()));
    }
    let thumbprint = confirmation.key_thumbprint().ok_or(BindingError::NotBoundToProof)?;
    match own {
        Some(own) if own.thumbprint() == thumbprint => {
            proof.verify_signature(PopKey::Public(own.verifying_key()))?;
            Ok(Requirement::SigningKey(*thumbprint))
        }
        _ => Err(BindingError::KeyMismatch.into()),
    }
}

/// Returns the key of a token for an algorithm, if both sides accept it.
fn accepted(
    algorithms: AlgorithmSet,
    key: &PublicPopKey,
    algorithm: Algorithm,
) -> Result<Cow<'_, VerifyingKey>, ConfirmationError> {
    let key = algorithms.contains(algorithm).then(|| key.verifying_key(algorithm)).flatten();
    key.ok_or(ConfirmationError::Algorithm)
}
