//! One error per stage of the pipeline. Every variant has a stable code; none holds a byte of the request.

mod binding;
mod claim;
mod confirmation;
mod credential;
mod dpop;
mod help;
mod nonce;
mod proof;
mod replay;
mod token;
mod unavailable;

pub use binding::BindingError;
pub use claim::ClaimError;
pub use confirmation::ConfirmationError;
pub use credential::CredentialError;
pub use dpop::DpopError;
pub use help::{CODES, CodeHelp, help};
pub use nonce::NonceError;
pub use proof::ProofError;
pub use replay::ReplayError;
pub use token::TokenError;
pub use unavailable::Unavailable;

use crate::scope::ScopeError;
use crate::step_up::StepUpError;

/// Why a request is refused. [`Error::code`] names the exact reason for logs, metrics and tests;
/// [`crate::challenge`] turns the error into a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The credentials could not be read from the request.
    #[error("credentials: {0}")]
    Credential(#[from] CredentialError),
    /// The access token is not valid.
    #[error("access token: {0}")]
    Token(#[from] TokenError),
    /// The token's `cnf` claim is unusable or missing.
    #[error("confirmation: {0}")]
    Confirmation(#[from] ConfirmationError),
    /// The proof is missing or not valid for this request.
    #[error("proof: {0}")]
    Proof(#[from] ProofError),
    /// The token is not bound to the key that made the proof.
    #[error("binding: {0}")]
    Binding(#[from] BindingError),
    /// The proof lacks a fresh server nonce.
    #[error("nonce: {0}")]
    Nonce(#[from] NonceError),
    /// The proof was used before, or the replay store refuses it.
    #[error("replay: {0}")]
    Replay(#[from] ReplayError),
    /// The token does not carry the scopes that the operation needs.
    #[error("scope: {0}")]
    Scope(#[from] ScopeError),
    /// The user's authentication does not suffice for the operation.
    #[error("step-up: {0}")]
    StepUp(#[from] StepUpError),
    /// The token's claims do not suffice for the operation.
    #[error("claims: {0}")]
    Claim(#[from] ClaimError),
    /// Something the decision depends on is out of reach: fail closed.
    #[error("unavailable: {0}")]
    Unavailable(#[from] Unavailable),
}

impl From<DpopError> for Error {
    fn from(error: DpopError) -> Self {
        Self::Proof(error.into())
    }
}

impl Error {
    /// The stable code of the exact reason, such as `proof.ath_mismatch`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Credential(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::Confirmation(error) => error.code(),
            Self::Proof(error) => error.code(),
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

/// The codes of what tokens and proofs have in common: both are JWS.
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

use jws_codes;
