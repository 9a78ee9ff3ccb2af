//! The names of settings in configuration files and on command lines.

/// The name is not a value of the setting. The message shows the name and the allowed values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not {what}: use one of {allowed}")]
pub struct UnknownName {
    name: String,
    what: &'static str,
    allowed: String,
}

impl UnknownName {
    /// Creates an error for a name. `what` is the kind of setting with its article, such as `a mode`.
    #[must_use]
    pub fn new(name: &str, what: &'static str, allowed: impl IntoIterator<Item = &'static str>) -> Self {
        let allowed: Vec<_> = allowed.into_iter().collect();
        Self { name: name.to_owned(), what, allowed: allowed.join(", ") }
    }
}

/// Implements the names of a setting: `ALL`, `name`, `Display`, `FromStr` and, with feature `serde`, its serialization.
macro_rules! named {
    ($what:literal, $type:ident { $($variant:ident = $name:literal,)* }) => {
        impl $type {
            /// All values of the setting.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the name in configuration files and on command lines.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        crate::names::parsed!($what, $type, $type::ALL.iter().copied());
    };
}

/// Implements `FromStr` and, with feature `serde`, serialization for a type that has these values, and `name`.
macro_rules! parsed {
    ($what:literal, $type:ident, $all:expr) => {
        /// Parses the exact name.
        impl std::str::FromStr for $type {
            type Err = crate::names::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let known = $all.find(|value| value.name() == name);
                known.ok_or_else(|| crate::names::UnknownName::new(name, $what, $all.map(|value| value.name())))
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = <std::borrow::Cow<'de, str> as serde::Deserialize<'de>>::deserialize(deserializer)?;
                name.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {named, parsed};
