/// Why the nonce of a proof is rejected (RFC 9449 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NonceError {
    /// The proof has no nonce.
    #[error("the proof has no nonce")]
    Missing,
    /// The nonce is expired, or this resource did not issue it.
    #[error("not a recent nonce of this resource")]
    Stale,
}

impl NonceError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "nonce.missing",
            Self::Stale => "nonce.stale",
        }
    }
}
