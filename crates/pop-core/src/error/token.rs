use super::jws_codes;
use crate::jose::{Found, HeaderError, Malformed};

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
    Issuer(Found),
    /// The issuer has no key with this `kid` for this algorithm.
    #[error("unknown key")]
    UnknownKey,
    /// The signature does not verify.
    #[error("signature does not verify")]
    Signature,
    /// `aud` is missing, of the wrong type or names other resources only.
    #[error("meant for another audience")]
    Audience(Found),
    /// `exp` has passed.
    #[error("expired {ago} s ago")]
    Expired {
        /// Seconds since then.
        ago: u64,
    },
    /// `nbf` has not come yet.
    #[error("not valid for another {ahead} s")]
    NotYetValid {
        /// Seconds until then.
        ahead: u64,
    },
    /// `iat` lies in the future.
    #[error("issued {ahead} s in the future")]
    IssuedInFuture {
        /// Seconds until then.
        ahead: u64,
    },
    /// A required claim is missing.
    #[error("{0} is missing")]
    MissingClaim(&'static str),
    /// A claim has the wrong JSON type or value.
    #[error("{claim} has the wrong type or value: {found}")]
    InvalidClaim {
        /// The name of the claim.
        claim: &'static str,
        /// What stands there.
        found: Found,
    },
    /// The authorization server says that the token is not active (RFC 7662 §2.2).
    #[error("not active")]
    Inactive,
    /// `token_type` of an introspection response contradicts `cnf` (RFC 9449 §6.2), or `token_use` or `typ` among the claims
    /// names another kind of token.
    #[error("token_type contradicts cnf, or the claims are of another kind of token")]
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
            Self::Issuer(_) => "token.issuer",
            Self::UnknownKey => "token.unknown_key",
            Self::Signature => "token.signature",
            Self::Audience(_) => "token.audience",
            Self::Expired { .. } => "token.expired",
            Self::NotYetValid { .. } => "token.not_yet_valid",
            Self::IssuedInFuture { .. } => "token.issued_in_future",
            Self::MissingClaim(_) => "token.missing_claim",
            Self::InvalidClaim { .. } => "token.invalid_claim",
            Self::Inactive => "token.inactive",
            Self::TokenType => "token.token_type",
        }
    }
}
