use std::fmt;

use super::Json;

/// The kind of a JSON value that was found where another one is expected. The value itself is never kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Found {
    /// The member is absent.
    Nothing,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Found {
    /// Returns the kind of a value that may be absent.
    #[must_use]
    pub const fn of(value: Option<&Json<'_>>) -> Self {
        match value {
            None => Self::Nothing,
            Some(Json::Null) => Self::Null,
            Some(Json::Bool(_)) => Self::Boolean,
            Some(Json::Integer(_) | Json::Float(_)) => Self::Number,
            Some(Json::String(_)) => Self::String,
            Some(Json::Array(_)) => Self::Array,
            Some(Json::Object(_)) => Self::Object,
        }
    }

    /// Returns `nothing`, `null`, `a boolean`, `a number`, `a string`, `an array` or `an object`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
