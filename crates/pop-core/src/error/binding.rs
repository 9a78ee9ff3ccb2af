/// Why an access token is not bound to a valid proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// The key of the proof is not the key that `cnf.jkt` names.
    #[error("bound to another key")]
    KeyMismatch,
    /// A token that is bound to a DPoP key was sent under the `Bearer` scheme (RFC 9449 §7.2).
    #[error("a bound token sent as Bearer")]
    BoundTokenAsBearer,
    /// The token is bound to a key that must sign the request, and the request has no such signature.
    #[error("no signature by the key of the token")]
    SignatureMissing,
    /// A token that is bound only to a certificate was sent under the `DPoP` scheme (RFC 8705 §3).
    #[error("not bound to a DPoP key")]
    NotBoundToProof,
    /// The token is bound to a certificate, and there is no client certificate.
    #[error("no client certificate")]
    CertificateMissing,
    /// The client certificate is not the certificate that the token is bound to.
    #[error("bound to another certificate")]
    CertificateMismatch,
}

impl BindingError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::KeyMismatch => "binding.key_mismatch",
            Self::BoundTokenAsBearer => "binding.bound_token_as_bearer",
            Self::SignatureMissing => "binding.signature_missing",
            Self::NotBoundToProof => "binding.not_bound_to_proof",
            Self::CertificateMissing => "binding.certificate_missing",
            Self::CertificateMismatch => "binding.certificate_mismatch",
        }
    }
}
