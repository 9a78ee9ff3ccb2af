use super::{jwk_codes, jws_codes};
use crate::jose::{Found, HeaderError, JwkError, Malformed};

/// Why a DPoP proof is rejected (RFC 9449 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DpopError {
    /// There is no `DPoP` field.
    #[error("no DPoP field")]
    Missing,
    /// There is more than one `DPoP` field line.
    #[error("more than one DPoP field")]
    Duplicated,
    /// The proof is not a compact JWS of JSON objects, or exceeds a limit.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A header parameter is rejected.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// The `jwk` is rejected.
    #[error("{0}")]
    Key(#[from] JwkError),
    /// The signature does not verify with the `jwk`.
    #[error("signature does not verify")]
    Signature,
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
    /// `jti` is empty or too long.
    #[error("jti is empty or too long")]
    JtiLength,
    /// `htm` is not the method of the request.
    #[error("htm is not the method of the request")]
    MethodMismatch,
    /// `htu` is not an absolute http(s) URI without userinfo.
    #[error("htu is not an absolute http(s) URI without userinfo")]
    TargetInvalid,
    /// `htu` is not the URI of the request.
    #[error("htu is not the URI of the request")]
    TargetMismatch,
    /// `iat` is further in the past than the maximum age of a proof.
    #[error("iat is {age} s in the past")]
    TooOld {
        /// The time since `iat`, in seconds.
        age: u64,
    },
    /// `iat` is further in the future than the allowed clock skew.
    #[error("iat is {ahead} s in the future")]
    InFuture {
        /// The time until `iat`, in seconds.
        ahead: u64,
    },
    /// `iat` is in milliseconds. A NumericDate is in seconds (RFC 7519 §2).
    #[error("iat is in milliseconds")]
    Milliseconds,
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
    /// `ath` is missing.
    #[error("ath is missing")]
    AccessTokenHashMissing,
    /// `ath` is the hash of another token, or is not canonical base64url.
    #[error("ath does not match the access token")]
    AccessTokenHashMismatch,
}

jws_codes!("proof");
jwk_codes!("proof");

impl DpopError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "proof.missing",
            Self::Duplicated => "proof.duplicated",
            Self::Malformed(error) => malformed(error),
            Self::Header(error) => header(error),
            Self::Key(error) => key(error),
            Self::Signature => "proof.signature",
            Self::MissingClaim(_) => "proof.missing_claim",
            Self::InvalidClaim { .. } => "proof.invalid_claim",
            Self::JtiLength => "proof.jti_length",
            Self::MethodMismatch => "proof.htm_mismatch",
            Self::TargetInvalid => "proof.htu_invalid",
            Self::TargetMismatch => "proof.htu_mismatch",
            Self::TooOld { .. } => "proof.iat_too_old",
            Self::InFuture { .. } => "proof.iat_in_future",
            Self::Milliseconds => "proof.iat_milliseconds",
            Self::Expired { .. } => "proof.expired",
            Self::NotYetValid { .. } => "proof.not_yet_valid",
            Self::AccessTokenHashMissing => "proof.ath_missing",
            Self::AccessTokenHashMismatch => "proof.ath_mismatch",
        }
    }
}
