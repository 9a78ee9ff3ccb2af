use super::jws_codes;
use crate::jose::{Found, HeaderError, Malformed};

/// Why an access token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The token is not a compact JWS of JSON objects, or exceeds a limit.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A header parameter is rejected.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// `iss` is missing or does not name a configured issuer.
    #[error("unknown issuer")]
    Issuer(Found),
    /// The issuer has no key with this `kid` for this algorithm.
    #[error("unknown key")]
    UnknownKey,
    /// The signature does not verify.
    #[error("signature does not verify")]
    Signature,
    /// `aud` is missing, has the wrong type or does not name this resource.
    #[error("aud does not name this resource")]
    Audience(Found),
    /// `exp` has passed.
    #[error("expired {ago} s ago")]
    Expired {
        /// The time since `exp`, in seconds.
        ago: u64,
    },
    /// `nbf` is in the future.
    #[error("not valid for another {ahead} s")]
    NotYetValid {
        /// The time until `nbf`, in seconds.
        ahead: u64,
    },
    /// `iat` is in the future.
    #[error("issued {ahead} s in the future")]
    IssuedInFuture {
        /// The time until `iat`, in seconds.
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
        /// The kind of value that was found.
        found: Found,
    },
    /// The authorization server says that the token is not active (RFC 7662 §2.2).
    #[error("not active")]
    Inactive,
    /// The token is not an access token, by this claim: `token_type` of an introspection response contradicts `cnf` (RFC 9449
    /// §6.2), `token_use` or `typ` names another kind, `at_hash`, `c_hash` or `events` is there, or a claim is missing that all
    /// access tokens of the issuer have.
    #[error("not an access token, by {0}")]
    TokenType(&'static str),
}

jws_codes!("token");

impl TokenError {
    /// Returns the stable code.
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
            Self::TokenType(_) => "token.token_type",
        }
    }
}
