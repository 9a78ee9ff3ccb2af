/// What the decision depends on and cannot reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// The issuer's keys were never fetched, or are too old to be used.
    #[error("no usable keys of the issuer")]
    Keys,
    /// The `kid` is unknown and the refresh that would settle it failed.
    #[error("unknown key and the refresh failed")]
    KeyRefresh,
    /// The authorization server gave no usable answer about a token (RFC 7662), or is not asked because it lately did not.
    #[error("no usable introspection response")]
    Introspection,
}

impl Unavailable {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Keys => "unavailable.keys",
            Self::KeyRefresh => "unavailable.key_refresh",
            Self::Introspection => "unavailable.introspection",
        }
    }
}
