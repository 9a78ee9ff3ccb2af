//! JWK sets (RFC 7517 §5): usable keys are kept, all others are skipped with a reason.

use std::fmt;

use super::crypto::{CryptoBackend, VerifyingKey};
use super::{Algorithm, AlgorithmSet, Json, JsonLimits, Jwk, JwkError, Malformed, Object, RsaLimits};

/// Most keys that are read from one set; a longer set is refused.
pub(crate) const MAX_KEYS: usize = 64;

/// Why a whole set is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// Not a JSON object without duplicate members.
    #[error("malformed key set: {0}")]
    Malformed(#[from] Malformed),
    /// `keys` is missing or not an array.
    #[error("no keys array")]
    NoKeys,
    /// More than 64 keys.
    #[error("more than {MAX_KEYS} keys")]
    TooMany,
    /// Not one of the keys is usable.
    #[error("no usable key")]
    NoUsableKey,
}

/// Longest part of a `kid` that is kept for a report, in characters.
const REPORTED_KID: usize = 64;

/// A key of a set that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SkippedKey {
    /// Position in the `keys` array.
    pub index: usize,
    /// Its `kid`, for a log: at most 64 characters, and `?` for what is not printable ASCII.
    pub kid: Option<Box<str>>,
    /// Why it was left out.
    pub reason: JwkError,
}

#[derive(Debug, Clone)]
struct Entry {
    kid: Option<Box<str>>,
    key: VerifyingKey,
}

/// The public keys of one issuer, each parsed once for each algorithm that it may serve.
#[derive(Clone, Default)]
pub struct JwkSet {
    entries: Vec<Entry>,
}

impl JwkSet {
    /// Reads a set. Keys that cannot be used are skipped and reported, not fatal (RFC 7517 §5). Each key is read by
    /// [`Jwk::parse_published`].
    ///
    /// # Errors
    /// Any [`JwksError`]. A set without one usable key is an error: it must not replace keys that work.
    pub fn parse(
        text: &[u8],
        allowed: AlgorithmSet,
        rsa: RsaLimits,
        backend: CryptoBackend,
    ) -> Result<(Self, Vec<SkippedKey>), JwksError> {
        let mut skipped = Vec::new();
        Self::parse_reporting(text, allowed, rsa, backend, &mut |key| skipped.push(key)).map(|set| (set, skipped))
    }

    /// Reads a set as [`parse`](Self::parse) does and reports each skipped key, also of a set that is then refused
    /// because none is left.
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

    /// The keys that may have made a signature with this `kid` and algorithm, in the order of the set. Without a `kid`
    /// every key for the algorithm is a candidate.
    pub fn candidates<'s>(&'s self, kid: Option<&'s str>, alg: Algorithm) -> impl Iterator<Item = &'s VerifyingKey> {
        self.entries.iter().filter_map(move |entry| {
            let fits = entry.key.algorithm() == alg && kid.is_none_or(|kid| entry.kid.as_deref() == Some(kid));
            fits.then_some(&entry.key)
        })
    }

    /// Whether any key has this `kid`.
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

fn reported_kid(key: &Json<'_>) -> Option<Box<str>> {
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
