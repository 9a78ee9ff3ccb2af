use super::{jwk_codes, jws_codes};
use crate::jose::{Found, HeaderError, JwkError, Malformed};

/// Why a signed HTTP request is rejected: the envelope of `Authorization: PoP` (draft-ietf-oauth-signed-http-request).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SignedRequestError {
    /// The envelope is not a compact JWS of JSON objects, or exceeds a limit.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A header parameter is rejected.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// The `cnf.jwk` of the envelope is rejected.
    #[error("{0}")]
    Key(#[from] JwkError),
    /// `alg` of the envelope is not the algorithm of the key.
    #[error("alg is not the algorithm of the key")]
    KeyAlgorithm,
    /// The signature does not verify with the key.
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
    /// `nonce` or `jti` is empty or too long.
    #[error("{0} is empty or too long")]
    NonceLength(&'static str),
    /// The request has a path that a proof cannot name.
    #[error("the path of the request cannot be named by a proof")]
    Target,
    /// `m` is not the method of the request.
    #[error("m is not the method of the request")]
    MethodMismatch,
    /// `u` is not the host of the request.
    #[error("u is not the host of the request")]
    HostMismatch,
    /// `p` is not the path of the request.
    #[error("p is not the path of the request")]
    PathMismatch,
    /// `q` does not match the query of the request.
    #[error("q does not match the query of the request")]
    QueryMismatch,
    /// The query of the request has more parameters than `q` lists.
    #[error("the query has parameters that q does not list")]
    QueryUncovered,
    /// A parameter occurs twice, in the query or in `q`.
    #[error("a query parameter occurs twice")]
    QueryRepeated,
    /// `h` does not match the header fields of the request.
    #[error("h does not match the header fields of the request")]
    FieldsMismatch,
    /// `h` lists a header field that the request does not have.
    #[error("h lists a header field that the request does not have")]
    FieldMissing,
    /// A header field has several lines in the request, or is listed twice in `h`.
    #[error("a header field of h has several lines, or is listed twice")]
    FieldRepeated,
    /// `ts` is further in the past than the maximum age of an envelope.
    #[error("ts is {age} s in the past")]
    TooOld {
        /// The time since `ts`, in seconds.
        age: u64,
    },
    /// `ts` is further in the future than the allowed clock skew.
    #[error("ts is {ahead} s in the future")]
    InFuture {
        /// The time until `ts`, in seconds.
        ahead: u64,
    },
    /// `ts` is in milliseconds. It must be in seconds.
    #[error("ts is in milliseconds")]
    Milliseconds,
}

jws_codes!("envelope");
jwk_codes!("envelope");

impl SignedRequestError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed(error) => malformed(error),
            Self::Header(error) => header(error),
            Self::Key(error) => key(error),
            Self::KeyAlgorithm => "envelope.key_algorithm",
            Self::Signature => "envelope.signature",
            Self::MissingClaim(_) => "envelope.missing_claim",
            Self::InvalidClaim { .. } => "envelope.invalid_claim",
            Self::NonceLength(_) => "envelope.nonce_length",
            Self::Target => "envelope.target",
            Self::MethodMismatch => "envelope.m_mismatch",
            Self::HostMismatch => "envelope.u_mismatch",
            Self::PathMismatch => "envelope.p_mismatch",
            Self::QueryMismatch => "envelope.q_mismatch",
            Self::QueryUncovered => "envelope.q_uncovered",
            Self::QueryRepeated => "envelope.q_repeated",
            Self::FieldsMismatch => "envelope.h_mismatch",
            Self::FieldMissing => "envelope.h_missing_field",
            Self::FieldRepeated => "envelope.h_repeated_field",
            Self::TooOld { .. } => "envelope.ts_too_old",
            Self::InFuture { .. } => "envelope.ts_in_future",
            Self::Milliseconds => "envelope.ts_milliseconds",
        }
    }
}
