/// STUB
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// x
    #[error("x")]
    Missing,
    /// x
    #[error("x")]
    UnknownKey,
}
impl SignatureError {
    /// x
    #[must_use]
    pub const fn code(self) -> &'static str {
        "signature.missing"
    }
}
