//! Public keys as the embedder writes them.

use pop_core::jose::{JsonLimits, Jwk, JwkError, Object, RsaLimits};
use serde_json::Value;

/// Reads a public JWK.
pub(crate) fn read(jwk: &Value) -> Result<Jwk, JwkError> {
    let json = jwk.to_string();
    let object = Object::parse(json.as_bytes(), JsonLimits::DOCUMENT).map_err(|_| JwkError::NotObject)?;
    Jwk::parse(&object, RsaLimits::default())
}
