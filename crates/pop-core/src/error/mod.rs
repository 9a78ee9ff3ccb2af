//! One error for each step of the verification. Every variant has a stable code. No variant contains a byte of the request.

mod binding;
mod claim;
mod confirmation;
mod content;
mod credential;
mod dpop;
mod help;
mod nonce;
mod proof;
mod replay;
mod signature;
mod signed_request;
mod token;
mod unavailable;

pub use binding::BindingError;
pub use claim::ClaimError;
pub use confirmation::ConfirmationError;
pub use content::{ContentDigestError, ContentError};
pub use credential::CredentialError;
pub use dpop::DpopError;
pub use help::{CODES, CodeHelp, help};
pub use nonce::NonceError;
pub use proof::ProofError;
pub use replay::ReplayError;
pub use signature::SignatureError;
pub use signed_request::SignedRequestError;
pub use token::TokenError;
pub use unavailable::Unavailable;

use crate::scope::ScopeError;
use crate::step_up::StepUpError;

/// Why a request is rejected. [`Error::code`] returns the exact reason for logs, metrics and tests;
/// [`Challenges::respond`](crate::challenge::Challenges::respond) returns the response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The credentials are missing or malformed, or the request is rejected before its token is read.
    #[error("credentials: {0}")]
    Credential(#[from] CredentialError),
    /// The access token is not valid.
    #[error("access token: {0}")]
    Token(#[from] TokenError),
    /// The `cnf` claim of the token is missing or rejected.
    #[error("confirmation: {0}")]
    Confirmation(#[from] ConfirmationError),
    /// The proof is missing, or is not valid for this request.
    #[error("proof: {0}")]
    Proof(#[from] ProofError),
    /// The content of the request is not the content that the proof covers.
    #[error("content: {0}")]
    Content(#[from] ContentError),
    /// The token is not bound to the key of the proof.
    #[error("binding: {0}")]
    Binding(#[from] BindingError),
    /// The proof lacks a fresh server nonce.
    #[error("nonce: {0}")]
    Nonce(#[from] NonceError),
    /// The proof was used before, or the replay store rejects it for another reason.
    #[error("replay: {0}")]
    Replay(#[from] ReplayError),
    /// The token does not have the scopes that the operation needs.
    #[error("scope: {0}")]
    Scope(#[from] ScopeError),
    /// The user's authentication is not sufficient for the operation.
    #[error("step-up: {0}")]
    StepUp(#[from] StepUpError),
    /// The claims of the token are not sufficient for the operation.
    #[error("claims: {0}")]
    Claim(#[from] ClaimError),
    /// Something that the decision depends on is unavailable. The request is rejected (fail closed).
    #[error("unavailable: {0}")]
    Unavailable(#[from] Unavailable),
}

impl From<DpopError> for Error {
    fn from(error: DpopError) -> Self {
        Self::Proof(error.into())
    }
}

impl From<SignatureError> for Error {
    fn from(error: SignatureError) -> Self {
        Self::Proof(error.into())
    }
}

impl From<SignedRequestError> for Error {
    fn from(error: SignedRequestError) -> Self {
        Self::Proof(error.into())
    }
}

impl Error {
    /// Returns the stable code of the exact reason, such as `proof.ath_mismatch`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Credential(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::Confirmation(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::Content(error) => error.code(),
            Self::Binding(error) => error.code(),
            Self::Nonce(error) => error.code(),
            Self::Replay(error) => error.code(),
            Self::Scope(error) => error.code(),
            Self::StepUp(error) => error.code(),
            Self::Claim(error) => error.code(),
            Self::Unavailable(error) => error.code(),
        }
    }
}

/// Defines the codes that tokens and proofs share, because both are JWS.
macro_rules! jws_codes {
    ($prefix:literal) => {
        const fn malformed(error: Malformed) -> &'static str {
            match error {
                Malformed::TooLarge => concat!($prefix, ".too_large"),
                Malformed::NotCompact => concat!($prefix, ".not_compact"),
                Malformed::Encrypted => concat!($prefix, ".encrypted"),
                Malformed::NotBase64url => concat!($prefix, ".not_base64url"),
                Malformed::NotJson => concat!($prefix, ".not_json"),
                Malformed::NotObject => concat!($prefix, ".not_object"),
                Malformed::DuplicateMember => concat!($prefix, ".duplicate_member"),
                Malformed::TooDeep => concat!($prefix, ".too_deep"),
                Malformed::TooManyMembers => concat!($prefix, ".too_many_members"),
            }
        }

        const fn header(error: HeaderError) -> &'static str {
            match error {
                HeaderError::Algorithm => concat!($prefix, ".alg"),
                HeaderError::Type(_) => concat!($prefix, ".typ"),
                HeaderError::Critical => concat!($prefix, ".crit"),
                HeaderError::Encoding => concat!($prefix, ".encoding"),
                HeaderError::Parameter => concat!($prefix, ".header_parameter"),
            }
        }
    };
}

/// Defines the codes of the key in a proof.
macro_rules! jwk_codes {
    ($prefix:literal) => {
        const fn key(error: JwkError) -> &'static str {
            match error {
                JwkError::NotObject => concat!($prefix, ".jwk_missing"),
                JwkError::PrivateMember => concat!($prefix, ".jwk_private"),
                JwkError::KeyType => concat!($prefix, ".jwk_kty"),
                JwkError::Curve => concat!($prefix, ".jwk_crv"),
                JwkError::Member | JwkError::LeadingZero => concat!($prefix, ".jwk_member"),
                JwkError::RsaModulus => concat!($prefix, ".jwk_rsa_modulus"),
                JwkError::RsaExponent => concat!($prefix, ".jwk_rsa_exponent"),
                JwkError::Point => concat!($prefix, ".jwk_point"),
                JwkError::Algorithm => concat!($prefix, ".jwk_algorithm"),
                JwkError::Usage => concat!($prefix, ".jwk_usage"),
            }
        }
    };
}

use {jwk_codes, jws_codes};
