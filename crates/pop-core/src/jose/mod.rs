//! Strict JOSE (RFC 7515, RFC 7517, RFC 7518, RFC 7638). Input that two parsers could read differently is rejected.
//!
//! 1. base64url is canonical: no padding, no whitespace, no other alphabet, no non-zero trailing bits.
//! 2. JSON has no duplicate members at any level. Its depth, its members and its values are limited ([`JsonLimits`]).
//! 3. `crit`, `zip`, `enc` and `b64: false` are rejected. A JWE is never read as a JWS.
//! 4. [`Algorithm`] has only asymmetric signature algorithms. `none` and the HMAC algorithms do not exist in it.
//! 5. A JWK with a private member is rejected, whatever the value of the member. Issuers may publish such members as `null`
//!    ([`Jwk::parse_published`]).
//! 6. A [`VerifyingKey`](crypto::VerifyingKey) verifies exactly one algorithm.

mod alg;
mod base64url;
pub mod crypto;
mod curve;
mod header;
mod json;
#[cfg_attr(not(feature = "aws-lc-rs"), path = "jwe_unavailable.rs")]
mod jwe;
mod jwk;
mod jwks;
mod jws;
mod mac;
#[cfg(feature = "ml-dsa")]
mod ml_dsa;
mod oct;
#[cfg(feature = "signing")]
mod signing;
mod thumbprint;

pub use alg::{Algorithm, AlgorithmSet, Family};
pub use base64url::{decode, decode_array, decode_standard, encode, encode_standard};
pub use curve::Curve;
pub use header::{HeaderError, JoseHeader};
pub(crate) use header::{Parameters, is_media_type};
pub use json::{Found, Json, JsonLimits, Object};
pub(crate) use json::{Member, WrongType};
#[cfg(feature = "aws-lc-rs")]
pub use jwe::{ContentEncryption, EncryptError, JweError, KeyManagement, Recipient, UnusableKey};
pub use jwe::{KeyEncryptionKeyId, KeyEncryptionKeys, KeyEncryptionKeysError, UnwrappedKey};
pub use jwk::{EcPoint, Jwk, JwkError, PublicKey, RsaLimits};
pub use jwks::{JwkSet, JwksError, SkippedKey};
pub use jws::{CompactJws, DecodedJws};
pub use mac::{KeyTooShort, SharedKey};
#[cfg(feature = "ml-dsa")]
pub use ml_dsa::{MlDsa, MlDsaPublicKey};
pub use oct::{OctError, shared_key_from_jwk};
#[cfg(feature = "signing")]
pub use signing::{KeyError, SigningKey};
pub use thumbprint::{CertThumbprint, JwkThumbprint};

/// Why a JWS, a JWK or a JSON document is malformed. Contains nothing of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The input is longer than the configured limit. Nothing was decoded.
    #[error("longer than the limit")]
    TooLarge,
    /// The input is not three non-empty segments separated by dots.
    #[error("not a compact JWS")]
    NotCompact,
    /// The input has five segments, so it is an encrypted token (JWE).
    #[error("a JWE, not a JWS")]
    Encrypted,
    /// A segment is not canonical base64url without padding (RFC 7515 §2).
    #[error("not canonical base64url")]
    NotBase64url,
    /// The input is not JSON in UTF-8, or has trailing data.
    #[error("not JSON")]
    NotJson,
    /// The JSON is not an object.
    #[error("not a JSON object")]
    NotObject,
    /// A member name occurs twice in one object.
    #[error("duplicate member")]
    DuplicateMember,
    /// Objects and arrays are nested deeper than the limit.
    #[error("nested too deeply")]
    TooDeep,
    /// An object has more members than the limit, or the input has more values than the limit.
    #[error("too many members or values")]
    TooManyMembers,
}
