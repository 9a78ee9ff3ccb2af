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
    /// `cnf` has more than one of `jwk`, `jwe`, `jku` and `kid` (RFC 7800 §3.1).
    #[error("cnf has more than one key")]
    SeveralKeys,
    /// A known confirmation method has a malformed value.
    #[error("malformed confirmation method")]
    Malformed,
    /// `cnf` has an unencrypted symmetric key (RFC 7800 §3.2).
    #[error("cnf has an unencrypted symmetric key")]
    SymmetricKeyInClear,
    /// The members of `cnf` name different keys.
    #[error("cnf names different keys")]
    Contradiction,
    /// The symmetric key of the token could not be unwrapped. The reason is deliberately not given (RFC 7516 §11.5).
    #[error("the symmetric key could not be unwrapped")]
    NotUnwrapped,
    /// The algorithm of the key is missing, not fully specified, or not accepted for this kind of proof.
    #[error("the algorithm of the key is not accepted")]
    Algorithm,
    /// A token with a symmetric key has several audiences: each could forge requests to the others (RFC 9200 §6.1).
    #[error("a symmetric key for several audiences")]
    SeveralAudiences,
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
            Self::Contradiction => "confirmation.contradiction",
            Self::NotUnwrapped => "confirmation.not_unwrapped",
            Self::Algorithm => "confirmation.algorithm",
            Self::SeveralAudiences => "confirmation.several_audiences",
            Self::Unsupported => "confirmation.unsupported",
        }
    }
}
