//! The members that all JWKs for JWE share (RFC 7517 §4), and the values of secret ones.

use zeroize::Zeroizing;

use super::Key;
use super::algorithm::KeyManagement;
use super::error::UnusableKey;
use crate::jose::{Json, JwkError, Object, base64url};

/// Reads `kid` and `alg`. Rejects keys whose `use` is not `enc`, or whose `key_ops` list none of `operations`.
pub(super) fn kid_and_alg(object: &Object<'_>, operations: &[&str]) -> Result<(Box<str>, KeyManagement), UnusableKey> {
    let kid = text(object, "kid").filter(|kid| !kid.is_empty()).ok_or(UnusableKey::Kid)?;
    let alg = text(object, "alg").and_then(KeyManagement::from_name).ok_or(UnusableKey::Algorithm)?;
    let listed = |value: &Json<'_>| value.as_str().is_some_and(|operation| operations.contains(&operation));
    let allows = |value: &Json<'_>| value.as_array().is_some_and(|list| list.iter().any(listed));
    if object.contains("use") && text(object, "use") != Some("enc") || !object.get("key_ops").is_none_or(allows) {
        return Err(UnusableKey::Usage);
    }
    Ok((kid.into(), alg))
}

/// Checks `kty`.
pub(super) fn expect_kty(object: &Object<'_>, kty: &str) -> Result<(), UnusableKey> {
    if text(object, "kty") == Some(kty) { Ok(()) } else { Err(UnusableKey::Algorithm) }
}

/// Returns a member that is a string.
pub(super) fn text<'o>(object: &'o Object<'_>, name: &str) -> Option<&'o str> {
    object.get(name).and_then(Json::as_str)
}

/// Returns a required member that is a string.
pub(super) fn required<'o>(object: &'o Object<'_>, name: &str) -> Result<&'o str, UnusableKey> {
    text(object, name).ok_or(UnusableKey::Jwk(JwkError::Member))
}

/// Decodes a member of a private key. The key is public if it is absent.
pub(super) fn private(object: &Object<'_>, name: &str) -> Result<Zeroizing<Vec<u8>>, UnusableKey> {
    if !object.contains(name) {
        return Err(UnusableKey::PublicOnly);
    }
    secret(object, name)
}

/// Reads `k` of a symmetric key with 32 bytes.
pub(super) fn oct_key(object: &Object<'_>) -> Result<Key, UnusableKey> {
    expect_kty(object, "oct")?;
    let bytes = secret(object, "k")?;
    let key = bytes.as_slice().try_into().map_err(|_| UnusableKey::OctLength)?;
    Ok(Zeroizing::new(key))
}

fn secret(object: &Object<'_>, name: &str) -> Result<Zeroizing<Vec<u8>>, UnusableKey> {
    let bytes = base64url::decode(required(object, name)?).map_err(|_| UnusableKey::Jwk(JwkError::Member))?;
    Ok(Zeroizing::new(bytes))
}
