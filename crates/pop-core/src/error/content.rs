/// Why the content of a request is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The request has content that its proof does not cover.
    #[error("the request has content that the proof does not cover")]
    Uncovered,
    /// The content does not match the digest that the proof covers.
    #[error("the content does not match the digest that the proof covers")]
    DigestMismatch,
    /// The content is longer than the limit for content that is verified.
    #[error("the content is longer than the limit")]
    TooLarge,
    /// The content ended early, or could not be read.
    #[error("the content could not be read to its end")]
    Incomplete,
    /// The content came after the proof had become too old.
    #[error("the content came after the proof had become too old")]
    Late,
    /// The service does not read content, so that it cannot verify it.
    #[error("the content cannot be verified by a layer that does not read it")]
    Unread,
}

impl ContentError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Uncovered => "content.uncovered",
            Self::DigestMismatch => "content.digest_mismatch",
            Self::TooLarge => "content.too_large",
            Self::Incomplete => "content.incomplete",
            Self::Late => "content.late",
            Self::Unread => "content.unread",
        }
    }
}

/// Why a `Content-Digest` field is rejected. Contains nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ContentDigestError {
    /// The field is not a dictionary, has an algorithm twice, or a digest is not a byte sequence of the length of its
    /// algorithm.
    #[error("malformed")]
    Malformed,
    /// The field has neither `sha-256` nor `sha-512`.
    #[error("no digest with sha-256 or sha-512")]
    Algorithm,
}
