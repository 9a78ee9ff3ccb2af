/// Why a requirement is not usable. The message names the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequireError {
    /// An empty list: no token could meet it, or every token would.
    #[error("the list of required {0} is empty")]
    Empty(&'static str),
    /// Not a scope token (RFC 6749 §3.3).
    #[error("{0:?} is not a scope token")]
    Scope(String),
    /// An authentication context class that cannot be in a challenge: it must be printable ASCII without spaces, quotes and
    /// backslashes.
    #[error("the acr value {0:?} cannot be written in a challenge")]
    Acr(String),
    /// An empty claim name.
    #[error("the name of the required claim is empty")]
    ClaimName,
}
