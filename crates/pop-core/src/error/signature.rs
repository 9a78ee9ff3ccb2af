use super::ContentDigestError;

/// Why an HTTP message signature is rejected (RFC 9421).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// No signature has the tag of the profile.
    #[error("no signature with the required tag")]
    Missing,
    /// The signature fields are too long, or have too many signatures, components or parameters, or the signature base
    /// is too long.
    #[error("the signature fields or the signature base exceed a limit")]
    TooLarge,
    /// `Signature-Input` is not a dictionary of inner lists of strings, or `Signature` is not a dictionary of byte
    /// sequences.
    #[error("Signature-Input or Signature is malformed")]
    Malformed,
    /// A label is in one of the two fields only, or twice in one of them.
    #[error("a label is duplicated, or is in one of the two fields only")]
    Labels,
    /// A covered component is unknown, does not belong to a request, or has an unknown parameter or parameters that
    /// exclude each other.
    #[error("a covered component is not a component of a request")]
    Component,
    /// A component is covered twice.
    #[error("a component is covered twice")]
    ComponentDuplicated,
    /// A covered component is not in the request.
    #[error("a covered component is not in the request")]
    ComponentMissing,
    /// The value of a covered component cannot be signed: it is not ASCII, or not the structured field that the
    /// component asks for, or a query parameter that occurs twice.
    #[error("the value of a covered component cannot be signed")]
    ComponentValue,
    /// A component that must be covered is not.
    #[error("{0} is not covered")]
    NotCovered(&'static str),
    /// A required parameter of the signature is missing.
    #[error("the parameter {0} is missing")]
    MissingParameter(&'static str),
    /// A parameter of the signature has the wrong type or value.
    #[error("the parameter {0} has the wrong type or value")]
    InvalidParameter(&'static str),
    /// A parameter that must not be used is present.
    #[error("the parameter {0} is not allowed")]
    ForbiddenParameter(&'static str),
    /// `nonce` is empty or too long.
    #[error("nonce is empty or too long")]
    NonceLength,
    /// The `nonce` of a signature in addition to another proof was used before with this key.
    #[error("nonce was used before")]
    NonceUsed,
    /// Several signatures have the tag, but not the same `nonce` and `keyid`, or the profile allows only one.
    #[error("the signatures with the tag have different parameters, or there may be only one")]
    Inconsistent,
    /// `keyid` names no key of the client.
    #[error("keyid names no key of the client")]
    UnknownKey,
    /// The algorithm of the key is not accepted, or `alg` is another one.
    #[error("the algorithm is not accepted, or does not fit the key")]
    Algorithm,
    /// A signature does not verify.
    #[error("the signature does not verify")]
    Invalid,
    /// `created` is further in the past than the maximum age of a signature.
    #[error("created is {age} s in the past")]
    TooOld {
        /// The time since `created`, in seconds.
        age: u64,
    },
    /// `created` is further in the future than the allowed clock skew.
    #[error("created is {ahead} s in the future")]
    InFuture {
        /// The time until `created`, in seconds.
        ahead: u64,
    },
    /// `created` is in milliseconds.
    #[error("created is in milliseconds")]
    Milliseconds,
    /// `expires` has passed.
    #[error("expired {ago} s ago")]
    Expired {
        /// The time since `expires`, in seconds.
        ago: u64,
    },
    /// `Content-Digest` is covered, but not usable.
    #[error("Content-Digest: {0}")]
    ContentDigest(#[from] ContentDigestError),
}

impl SignatureError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "signature.missing",
            Self::TooLarge => "signature.too_large",
            Self::Malformed => "signature.malformed",
            Self::Labels => "signature.labels",
            Self::Component => "signature.component",
            Self::ComponentDuplicated => "signature.component_duplicated",
            Self::ComponentMissing => "signature.component_missing",
            Self::ComponentValue => "signature.component_value",
            Self::NotCovered(_) => "signature.not_covered",
            Self::MissingParameter(_) => "signature.missing_parameter",
            Self::InvalidParameter(_) => "signature.invalid_parameter",
            Self::ForbiddenParameter(_) => "signature.forbidden_parameter",
            Self::NonceLength => "signature.nonce_length",
            Self::NonceUsed => "signature.nonce_used",
            Self::Inconsistent => "signature.inconsistent",
            Self::UnknownKey => "signature.unknown_key",
            Self::Algorithm => "signature.algorithm",
            Self::Invalid => "signature.invalid",
            Self::TooOld { .. } => "signature.created_too_old",
            Self::InFuture { .. } => "signature.created_in_future",
            Self::Milliseconds => "signature.created_milliseconds",
            Self::Expired { .. } => "signature.expired",
            Self::ContentDigest(ContentDigestError::Malformed) => "signature.content_digest",
            Self::ContentDigest(ContentDigestError::Algorithm) => "signature.content_digest_algorithm",
        }
    }
}
