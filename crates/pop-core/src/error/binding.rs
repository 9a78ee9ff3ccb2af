/// Why a token and a valid proof do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// The proof was made with another key than `cnf.jkt` names.
    #[error("bound to another key")]
    KeyMismatch,
    /// A token that is bound to a DPoP key came under the `Bearer` scheme (RFC 9449 §7.2).
    #[error("a bound token presented as Bearer")]
    BoundTokenAsBearer,
    /// A token that is bound to a certificate alone came under the `DPoP` scheme (RFC 8705 §3).
    #[error("not bound to a DPoP key")]
    NotBoundToProof,
    /// The token is bound to a certificate, and the client showed none.
    #[error("no client certificate")]
    CertificateMissing,
    /// The token is bound to another certificate.
    #[error("bound to another certificate")]
    CertificateMismatch,
}

impl BindingError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::KeyMismatch => "binding.key_mismatch",
            Self::BoundTokenAsBearer => "binding.bound_token_as_bearer",
            Self::NotBoundToProof => "binding.not_bound_to_proof",
            Self::CertificateMissing => "binding.certificate_missing",
            Self::CertificateMismatch => "binding.certificate_mismatch",
        }
    }
}
