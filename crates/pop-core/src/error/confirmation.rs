/// Why a `cnf` claim is rejected (RFC 7800).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmationError {
    /// The token is not bound to a key.
    #[error("the token is not bound to a key")]
    Missing,
    /// `cnf` is not an object.
    #[error("cnf is not an object")]
    NotObject,
    /// `cnf` has no known confirmation method. It declares a constraint that cannot be checked.
    #[error("cnf has no known confirmation method")]
    NoKnownMethod,
    /// `cnf` has more than one of `jwk`, `jwe` and `jku` (RFC 7800 §3.1).
    #[error("cnf has more than one key")]
    SeveralKeys,
    /// A known confirmation method has a malformed value.
    #[error("malformed confirmation method")]
    Malformed,
    /// `cnf` has an unencrypted symmetric key (RFC 7800 §3.2).
    #[error("cnf has an unencrypted symmetric key")]
    SymmetricKeyInClear,
    /// A known confirmation method that is not implemented.
    #[error("confirmation method not supported")]
    Unsupported,
}

impl ConfirmationError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "confirmation.missing",
            Self::NotObject => "confirmation.not_object",
            Self::NoKnownMethod => "confirmation.no_known_method",
            Self::SeveralKeys => "confirmation.several_keys",
            Self::Malformed => "confirmation.malformed",
            Self::SymmetricKeyInClear => "confirmation.symmetric_key_in_clear",
            Self::Unsupported => "confirmation.unsupported",
        }
    }
}
