use super::jws_codes;
use crate::jose::{HeaderError, Malformed};

/// Why an access token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not a strict compact JWS of JSON objects.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A header parameter is refused.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// `iss` is missing or no configured issuer.
    #[error("unknown issuer")]
    Issuer,
    /// The issuer has no key with this `kid` for this algorithm.
    #[error("unknown key")]
    UnknownKey,
    /// The signature does not verify.
    #[error("signature does not verify")]
    Signature,
    /// `aud` is missing, of the wrong type or names other resources only.
    #[error("meant for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("expired")]
    Expired,
    /// `nbf` has not come yet.
    #[error("not valid yet")]
    NotYetValid,
    /// `iat` lies in the future.
    #[error("issued in the future")]
    IssuedInFuture,
    /// A required claim is missing.
    #[error("a required claim is missing")]
    MissingClaim,
    /// A claim has the wrong JSON type or value.
    #[error("a claim has the wrong type")]
    InvalidClaim,
    /// The authorization server says that the token is not active (RFC 7662 §2.2).
    #[error("not active")]
    Inactive,
    /// `token_type` of an introspection response contradicts `cnf` (RFC 9449 §6.2).
    #[error("token_type contradicts cnf")]
    TokenType,
}

jws_codes!("token");

impl TokenError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed(error) => malformed(error),
            Self::Header(error) => header(error),
            Self::Issuer => "token.issuer",
            Self::UnknownKey => "token.unknown_key",
            Self::Signature => "token.signature",
            Self::Audience => "token.audience",
            Self::Expired => "token.expired",
            Self::NotYetValid => "token.not_yet_valid",
            Self::IssuedInFuture => "token.issued_in_future",
            Self::MissingClaim => "token.missing_claim",
            Self::InvalidClaim => "token.invalid_claim",
            Self::Inactive => "token.inactive",
            Self::TokenType => "token.token_type",
        }
    }
}
