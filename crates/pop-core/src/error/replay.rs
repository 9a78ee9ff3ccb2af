/// Why the replay store rejects a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The proof was used before, or is too old for the store to know whether it was used.
    #[error("used before")]
    Replayed,
    /// The store is full. Entries that have not expired are never dropped.
    #[error("the store is full")]
    Full,
    /// This key has used its share of the store.
    #[error("this key has used its share of the store")]
    KeyQuota {
        /// The time until some entries of this key expire, in seconds.
        retry_after: u32,
    },
    /// The store did not answer.
    #[error("the store did not answer")]
    Unavailable,
}

impl ReplayError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Replayed => "replay.replayed",
            Self::Full => "replay.full",
            Self::KeyQuota { .. } => "replay.key_quota",
            Self::Unavailable => "replay.unavailable",
        }
    }
}
