//! Access tokens: what the issuer says, in a JWT (RFC 9068) or in an introspection response (RFC 7662).
//!
//! [`UnverifiedToken`] reads and verifies a JWT, [`introspection`] reads the response about an opaque token. Both end in an
//! [`AccessToken`], and both check the same [`Expectations`].

mod arena;
mod claims;
mod expectations;
mod hash;
pub mod introspection;
mod times;
mod token;
mod unverified;

pub use self::expectations::Expectations;
pub use self::hash::AccessTokenHash;
pub use self::times::check_times;
pub use self::token::AccessToken;
pub use self::unverified::{ClaimedIssuer, UnverifiedToken};
