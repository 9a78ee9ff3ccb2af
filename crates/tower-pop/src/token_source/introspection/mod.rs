//! Token introspection (RFC 7662), as configured for one issuer.

mod authentication;
mod breaker;
mod client;
mod endpoint;

mod lane;
mod outcome;
mod priority;
mod settings;

pub(crate) use self::client::Introspector;
pub(crate) use self::endpoint::IntrospectorParts;
pub use self::settings::Introspection;
