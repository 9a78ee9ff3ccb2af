/// Why a proof's nonce is refused (RFC 9449 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NonceError {
    /// The proof has no nonce.
    #[error("missing")]
    Missing,
    /// The nonce was not issued here, or too long ago.
    #[error("not a recent nonce of this server")]
    Stale,
}

impl NonceError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "nonce.missing",
            Self::Stale => "nonce.stale",
        }
    }
}
