use super::{DpopError, SignatureError, SignedRequestError};

/// Why a proof is rejected. There is one variant for each kind of proof, except client certificates: they can only fail the
/// binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The DPoP proof is rejected.
    #[error(transparent)]
    Dpop(#[from] DpopError),
    /// The HTTP message signature is rejected.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The signed HTTP request is rejected.
    #[error(transparent)]
    SignedRequest(#[from] SignedRequestError),
}

impl ProofError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Dpop(error) => error.code(),
            Self::Signature(error) => error.code(),
            Self::SignedRequest(error) => error.code(),
        }
    }
}
