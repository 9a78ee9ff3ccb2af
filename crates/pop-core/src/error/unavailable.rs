/// What the decision depends on and is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// The keys of the issuer were never fetched, or are too old to use.
    #[error("no usable keys of the issuer")]
    Keys,
    /// The `kid` is unknown, and refreshing the keys failed.
    #[error("unknown key, and refreshing the keys failed")]
    KeyRefresh,
    /// The authorization server returned no usable introspection response (RFC 7662), or no request was sent because earlier
    /// requests failed.
    #[error("no usable introspection response")]
    Introspection,
}

impl Unavailable {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Keys => "unavailable.keys",
            Self::KeyRefresh => "unavailable.key_refresh",
            Self::Introspection => "unavailable.introspection",
        }
    }
}
