/// Why the claims of a valid token do not suffice for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The claims cannot be read into the type that the operation needs.
    #[error("the claims do not have the shape that the operation needs")]
    Shape,
    /// A claim that the operation needs is missing or has none of the accepted values.
    #[error("a claim that the operation needs is missing or has another value")]
    Insufficient,
}

impl ClaimError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Shape => "claim.shape",
            Self::Insufficient => "claim.insufficient",
        }
    }
}
