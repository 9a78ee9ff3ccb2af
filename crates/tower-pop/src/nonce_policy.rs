//! Which requests must have a nonce, and the current nonce.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method, Uri};
use pop_core::CredentialError;
use pop_core::credentials::Scheme;
use pop_core::jose::decode_array;
use pop_core::names::UnknownName;
use pop_core::nonce::NonceKeys;
use pop_core::target::{Origin, RequestTarget};

use crate::error::ConfigError;

/// Whether proofs must carry a nonce of this server (RFC 9449 §9).
///
/// ```
/// use std::sync::Arc;
///
/// use tower_pop::{NoncePolicy, NonceRequest, PopConfig};
///
/// let for_payments = NoncePolicy::PerRequest(Arc::new(|request: &NonceRequest<'_>| {
///     request.uri.path().starts_with("/payments/")
/// }));
/// let cfg = PopConfig::builder("https://as.example", "https://api.example").nonce(for_payments).build()?;
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum NoncePolicy {
    /// Nonces are not required and not checked.
    #[default]
    Off,
    /// Every proof must have a nonce.
    Required,
    /// The function decides for each request. It should depend on something that the client can predict, such as the route.
    /// Otherwise clients get challenges that they cannot foresee.
    PerRequest(Arc<dyn Fn(&NonceRequest<'_>) -> bool + Send + Sync>),
}

/// A request as [`NoncePolicy::PerRequest`] gets it. It is the same on every layer, at any depth of a router.
#[derive(Debug)]
#[non_exhaustive]
pub struct NonceRequest<'r> {
    /// The method.
    pub method: &'r Method,
    /// The absolute target URI as the client used it, with its query. It has the public origin and the normalized path
    /// (RFC 3986 §6.2.2), including any prefix that a router's `nest` or a proxy removed.
    pub uri: Uri,
    /// The header fields.
    pub headers: &'r HeaderMap,
    /// The request extensions.
    pub extensions: &'r Extensions,
}

impl NoncePolicy {
    /// Returns whether a request must have a nonce. `origin` and `path` (with query) are its target as the client used it.
    ///
    /// # Errors
    /// [`CredentialError::Target`] if the target is not a valid URI for [`NoncePolicy::PerRequest`].
    pub(crate) fn requires(&self, parts: &Parts, origin: &Origin, path: &str) -> Result<bool, CredentialError> {
        match self {
            Self::Off => Ok(false),
            Self::Required => Ok(true),
            Self::PerRequest(required) => {
                let target = RequestTarget::new(origin, path).map_err(|_| CredentialError::Target)?;
                let query = target.query().map_or_else(String::new, |query| format!("?{query}"));
                let uri = Uri::try_from(format!("{target}{query}")).map_err(|_| CredentialError::Target)?;
                let Parts { method, headers, extensions, .. } = parts;
                Ok(required(&NonceRequest { method, uri, headers, extensions }))
            }
        }
    }
}

impl fmt::Debug for NoncePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            Self::Required => "Required",
            Self::PerRequest(_) => "PerRequest(..)",
        })
    }
}

/// Parses `off` or `required`. [`NoncePolicy::PerRequest`] has no name: it can only be set in code.
impl FromStr for NoncePolicy {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "off" => Ok(Self::Off),
            "required" => Ok(Self::Required),
            _ => Err(UnknownName::new(name, "a nonce policy", Self::NAMES)),
        }
    }
}

impl NoncePolicy {
    /// The names that can be parsed.
    pub const NAMES: [&'static str; 2] = ["off", "required"];
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for NoncePolicy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str> as serde::Deserialize<'de>>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

/// The nonce keys, which can be replaced while requests are verified, and what is kept to issue nonces.
#[derive(Debug)]
pub(crate) struct Nonces {
    ring: ArcSwap<NonceRing>,
    audience: Box<str>,
    /// The serial number of the next nonce for a signed HTTP request. Replicas begin with random ones.
    serial: AtomicU32,
}

/// The keys, and the current nonce for DPoP: the step of time it belongs to, and its header value.
#[derive(Debug)]
pub(crate) struct NonceRing {
    pub(crate) keys: NonceKeys,
    current: ArcSwapOption<(u64, HeaderValue)>,
}

impl NonceRing {
    fn new(keys: impl IntoIterator<Item = [u8; 32]>, audience: &str) -> Option<Self> {
        NonceKeys::new(keys, audience).map(|keys| Self { keys, current: ArcSwapOption::empty() })
    }
}

impl Nonces {
    /// Returns `None` if there is no key.
    pub(crate) fn new(keys: impl IntoIterator<Item = [u8; 32]>, audience: &str) -> Option<Self> {
        let mut serial = [0; 4];
        let _ = getrandom::fill(&mut serial); // it has to be another one than in other replicas, not a secret
        let ring = ArcSwap::from_pointee(NonceRing::new(keys, audience)?);
        Some(Self { ring, audience: audience.into(), serial: u32::from_be_bytes(serial).into() })
    }

    /// Returns the keys.
    pub(crate) fn ring(&self) -> Arc<NonceRing> {
        self.ring.load_full()
    }

    /// Replaces the keys, unless there is none. Returns whether it did.
    pub(crate) fn replace(&self, keys: impl IntoIterator<Item = [u8; 32]>) -> bool {
        let ring = NonceRing::new(keys, &self.audience);
        ring.map(|ring| self.ring.store(Arc::new(ring))).is_some()
    }

    /// Returns a nonce for a request under this scheme.
    pub(crate) fn next(&self, scheme: Scheme, now: u64) -> Option<HeaderValue> {
        let (ring, step) = (self.ring.load(), NonceKeys::step_at(now));
        if scheme == Scheme::Pop {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed);
            return HeaderValue::try_from(ring.keys.issue_numbered(step, serial)).ok();
        }
        if let Some(current) = ring.current.load().as_deref()
            && current.0 == step
        {
            return Some(current.1.clone());
        }
        let value = HeaderValue::try_from(ring.keys.issue(step)).ok()?;
        ring.current.store(Some(Arc::new((step, value.clone()))));
        Some(value)
    }
}

/// Reads nonce keys from text, such as a file that replicas share: one key a line, base64url of 32 bytes, with or without
/// padding. Empty lines, and lines that begin with `#`, are ignored. The first key creates nonces.
///
/// ```
/// use tower_pop::{NoncePolicy, PopConfig, nonce_keys_from_text};
///
/// let text = "# since May\nkHYHd5Mp7tRyHxcG6Zy3XjQvBgnQrGdUOqJmvXkq8vE\n";
/// let cfg = PopConfig::builder("https://as.example", "https://api.example")
///     .nonce(NoncePolicy::Required)
///     .nonce_keys(nonce_keys_from_text(text)?)
///     .build()?;
/// # drop(cfg);
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
///
/// # Errors
/// [`ConfigError::NonceKeyLine`] with the number of a line that is no key, and [`ConfigError::NonceKeys`] if there is none.
pub fn nonce_keys_from_text(text: &str) -> Result<Vec<[u8; 32]>, ConfigError> {
    let lines = text.lines().map(str::trim).enumerate();
    let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(at, line)| {
        let key = decode_array::<32>(line.trim_end_matches('='));
        key.map_err(|_| ConfigError::NonceKeyLine(at.saturating_add(1)))
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(ConfigError::NonceKeys("there is none")) } else { Ok(keys) }
}
