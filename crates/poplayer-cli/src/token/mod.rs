//! The access token of a request and the key that it is bound to: as given, or from an authorization server.

mod arguments;
mod browser;
mod metadata;
mod source;

pub(crate) use self::arguments::{Binding, TokenArguments};
pub(crate) use self::source::{Source, Token};
