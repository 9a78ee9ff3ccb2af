//! JWK sets (RFC 7517 §5). Usable keys are kept. Other keys are skipped, and the reason is reported.

use std::fmt;

use super::crypto::{CryptoBackend, VerifyingKey};
use super::{Algorithm, AlgorithmSet, Json, JsonLimits, Jwk, JwkError, Malformed, Object, RsaLimits};

/// The maximum number of keys in a set. A larger set is rejected.
pub(crate) const MAX_KEYS: usize = 64;

/// Why a key set is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// The set is not a JSON object without duplicate members, or exceeds [`JsonLimits::DOCUMENT`].
    #[error("malformed key set: {0}")]
    Malformed(#[from] Malformed),
    /// `keys` is missing or not an array.
    #[error("no keys array")]
    NoKeys,
    /// The set has more than 64 keys.
    #[error("more than {MAX_KEYS} keys")]
    TooMany,
    /// None of the keys is usable.
    #[error("no usable key")]
    NoUsableKey,
}

/// The maximum length of a reported `kid`, in characters.
const REPORTED_KID: usize = 64;

/// A key of a set that was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SkippedKey {
    /// The position in the `keys` array, from 0.
    pub index: usize,
    /// The `kid`, made safe for logs: the first 64 characters, with `?` for every character that is not printable ASCII.
    pub kid: Option<Box<str>>,
    /// Why the key was skipped.
    pub reason: JwkError,
}

#[derive(Debug, Clone)]
struct Entry {
    kid: Option<Box<str>>,
    key: VerifyingKey,
}

/// The public keys of an issuer. Each key is imported once for every algorithm that it may be used with.
#[derive(Clone, Default)]
pub struct JwkSet {
    entries: Vec<Entry>,
}

impl JwkSet {
    /// Parses a set. Each key is read by [`Jwk::parse_published`]. Keys that cannot be used are skipped and returned with the
    /// reason (RFC 7517 §5).
    ///
    /// # Errors
    /// Any [`JwksError`]. A set without a usable key is an error, so that it does not replace keys that work.
    pub fn parse(
        text: &[u8],
        allowed: AlgorithmSet,
        rsa: RsaLimits,
        backend: CryptoBackend,
    ) -> Result<(Self, Vec<SkippedKey>), JwksError> {
        let mut skipped = Vec::new();
        Self::parse_reporting(text, allowed, rsa, backend, &mut |key| skipped.push(key)).map(|set| (set, skipped))
    }

    /// Parses a set as [`parse`](Self::parse) does, and passes each skipped key to `report`. Keys are also reported if the set
    /// is then rejected because no usable key is left.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_reporting(
        text: &[u8],
        allowed: AlgorithmSet,
        rsa: RsaLimits,
        backend: CryptoBackend,
        report: &mut dyn FnMut(SkippedKey),
    ) -> Result<Self, JwksError> {
        let document = Object::parse(text, JsonLimits::DOCUMENT)?;
        let keys = document.get("keys").and_then(Json::as_array).ok_or(JwksError::NoKeys)?;
        if keys.len() > MAX_KEYS {
            return Err(JwksError::TooMany);
        }
        let mut entries = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            match read_key(key, allowed, rsa, backend) {
                Ok(usable) => entries.extend(usable),
                Err(reason) => report(SkippedKey { index, kid: reported_kid(key), reason }),
            }
        }
        if entries.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        Ok(Self { entries })
    }

    /// Returns the keys with this `kid` and algorithm, in the order of the set. Without a `kid`, returns every key of the
    /// algorithm.
    pub fn candidates<'s>(&'s self, kid: Option<&'s str>, alg: Algorithm) -> impl Iterator<Item = &'s VerifyingKey> {
        self.entries.iter().filter_map(move |entry| {
            let fits = entry.key.algorithm() == alg && kid.is_none_or(|kid| entry.kid.as_deref() == Some(kid));
            fits.then_some(&entry.key)
        })
    }

    /// Returns whether a key has this `kid`.
    #[must_use]
    pub fn has_kid(&self, kid: &str) -> bool {
        self.entries.iter().any(|entry| entry.kid.as_deref() == Some(kid))
    }
}

impl fmt::Debug for JwkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwkSet({} keys)", self.entries.len())
    }
}

/// Returns the `kid` of a key for reports, as [`SkippedKey::kid`] has it.
pub(super) fn reported_kid(key: &Json<'_>) -> Option<Box<str>> {
    let kid = key.as_object()?.get("kid")?.as_str()?;
    let printable = |char: char| if char.is_ascii_graphic() || char == ' ' { char } else { '?' };
    Some(kid.chars().take(REPORTED_KID).map(printable).collect::<String>().into())
}

fn read_key(
    key: &Json<'_>,
    allowed: AlgorithmSet,
    rsa: RsaLimits,
    backend: CryptoBackend,
) -> Result<Vec<Entry>, JwkError> {
    let jwk = Jwk::parse_published(key.as_object().ok_or(JwkError::NotObject)?, rsa)?;
    let entries = allowed
        .iter()
        .filter(|alg| jwk.serves(*alg))
        .map(|alg| Ok(Entry { kid: jwk.kid().map(Into::into), key: VerifyingKey::new(jwk.key(), alg, backend)? }))
        .collect::<Result<Vec<_>, JwkError>>()?;
    if entries.is_empty() { Err(JwkError::Algorithm) } else { Ok(entries) }
}

#[cfg(all(test, not(feature = "ml-dsa")))]
mod tests {
    use super::*;

    /// ATK-24, DPOP-44: without the feature `ml-dsa`, an AKP key is one of an unknown type. It is skipped.
    #[test]
    fn skips_keys_of_ml_dsa() {
        const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;
        let akp = format!(r#"{{"kty":"AKP","alg":"ML-DSA-44","kid":"a","pub":"{}"}}"#, "A".repeat(1750));
        let parse = |keys: &[&str]| {
            let text = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
            JwkSet::parse(text.as_bytes(), AlgorithmSet::TOKEN, RsaLimits::default(), CryptoBackend::default())
        };
        let (set, skipped) = parse(&[&akp, P256]).unwrap();
        assert_eq!(set.candidates(None, Algorithm::ES256).count(), 1);
        let expected = SkippedKey { index: 0, kid: Some("a".into()), reason: JwkError::KeyType };
        assert_eq!(skipped, [expected]);
        assert_eq!(parse(&[&akp]).unwrap_err(), JwksError::NoUsableKey);
    }
}
