/// Why a `cnf` claim is refused (RFC 7800).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmationError {
    /// The token is bound to no key.
    #[error("the token is not bound to a key")]
    Missing,
    /// `cnf` is not an object.
    #[error("cnf is not an object")]
    NotObject,
    /// `cnf` names no method that is known: it declares a constraint that cannot be checked.
    #[error("cnf names no known method")]
    NoKnownMethod,
    /// More than one of `jwk`, `jwe` and `jku` (RFC 7800 §3.1).
    #[error("cnf names more than one key")]
    SeveralKeys,
    /// A known method has a malformed value.
    #[error("malformed confirmation method")]
    Malformed,
    /// A symmetric key in clear (RFC 7800 §3.2).
    #[error("a symmetric key in clear")]
    SymmetricKeyInClear,
    /// A known method that is not verified here.
    #[error("confirmation method not supported")]
    Unsupported,
}

impl ConfirmationError {
    /// The stable code.
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
