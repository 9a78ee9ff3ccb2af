//! Strict JOSE: what RFC 7515, 7517, 7518 and 7638 allow, and nothing that two parsers could read differently.
//!
//! 1. base64url is canonical: no padding, no whitespace, no other alphabet, no stray trailing bits.
//! 2. JSON objects have no duplicate members at any level, bounded depth and a bounded number of members.
//! 3. `crit`, `zip` and `b64: false` are refused; a JWE is never mistaken for a JWS.
//! 4. Algorithms are an enum of asymmetric signatures. `none` and the HMAC family cannot be written.
//! 5. A JWK that carries a private member is refused by the *presence* of that member.
//! 6. A verification key serves exactly one algorithm.

mod alg;
mod base64url;
pub mod crypto;
mod header;
mod json;
mod jwk;
mod jwks;
mod jws;
#[cfg(feature = "signing")]
mod signing;
mod thumbprint;

pub use alg::{Algorithm, AlgorithmSet, Family};
pub use base64url::{decode, decode_array, decode_standard, encode, encode_standard};
pub(crate) use header::is_media_type;
pub use header::{HeaderError, JoseHeader};
pub use json::{Found, Json, JsonLimits, Object};
pub(crate) use json::{Member, WrongType};
pub use jwk::{Curve, EcPoint, Jwk, JwkError, PublicKey, RsaLimits};
pub use jwks::{JwkSet, JwksError, SkippedKey};
pub use jws::{CompactJws, DecodedJws};
#[cfg(feature = "signing")]
pub use signing::{KeyError, SigningKey};
pub use thumbprint::{CertThumbprint, JwkThumbprint};

/// Why a JWS, JWK or JSON text could not be read. Nothing of the input is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Longer than the configured limit; nothing was decoded.
    #[error("longer than the limit")]
    TooLarge,
    /// Not three non-empty segments separated by dots.
    #[error("not a compact JWS")]
    NotCompact,
    /// Five segments: an encrypted token.
    #[error("a JWE, not a JWS")]
    Encrypted,
    /// A segment is not canonical, unpadded base64url (RFC 7515 §2).
    #[error("not canonical base64url")]
    NotBase64url,
    /// A segment is not UTF-8 JSON, or has trailing data.
    #[error("not JSON")]
    NotJson,
    /// The JSON text is not an object.
    #[error("not a JSON object")]
    NotObject,
    /// A member name occurs twice in one object.
    #[error("duplicate member")]
    DuplicateMember,
    /// Nested deeper than the limit.
    #[error("nested too deeply")]
    TooDeep,
    /// More members or elements than the limit.
    #[error("too many members")]
    TooManyMembers,
}
