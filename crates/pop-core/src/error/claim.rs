/// Why the claims of a valid token are not sufficient for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The claims cannot be deserialized into the type that the operation needs.
    #[error("the claims cannot be deserialized into the type that the operation needs")]
    Shape,
    /// A required claim is missing, or does not have an accepted value.
    #[error("a required claim is missing or does not have an accepted value")]
    Insufficient,
}

impl ClaimError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Shape => "claim.shape",
            Self::Insufficient => "claim.insufficient",
        }
    }
}
