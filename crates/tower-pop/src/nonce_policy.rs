//! Which requests must have a nonce, and the nonce to hand out.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method, Uri};
use pop_core::CredentialError;
use pop_core::names::UnknownName;
use pop_core::nonce::NonceKeys;
use pop_core::target::{Origin, RequestTarget};

/// Whether proofs must carry a nonce of this server (RFC 9449 §9).
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum NoncePolicy {
    /// Nonces are not required and not checked.
    #[default]
    Off,
    /// Every proof must have one.
    Required,
    /// The function decides for each request. It should depend on something that the client can predict, such as the route:
    /// otherwise clients see challenges at random.
    PerRequest(Arc<dyn Fn(&NonceRequest<'_>) -> bool + Send + Sync>),
}

/// A request as a [`NoncePolicy::PerRequest`] sees it: the same on every layer, however deep in a router that is.
#[derive(Debug)]
#[non_exhaustive]
pub struct NonceRequest<'r> {
    /// The method.
    pub method: &'r Method,
    /// The absolute target URI as the client used it, with its query: the public origin, and the path in its normal form
    /// (RFC 3986 §6.2.2), with what a router's `nest` or a proxy took away.
    pub uri: Uri,
    /// The header fields.
    pub headers: &'r HeaderMap,
    /// The extensions.
    pub extensions: &'r Extensions,
}

impl NoncePolicy {
    /// Returns whether a request must have a nonce. `origin` and `path` are its target as the client used it.
    ///
    /// # Errors
    /// [`CredentialError::Target`] if the target cannot be given to [`NoncePolicy::PerRequest`].
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

/// Reads `off` or `required`. What is chosen for each request stands in code only.
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
    /// The names that can be read.
    pub const NAMES: [&'static str; 2] = ["off", "required"];
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for NoncePolicy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str> as serde::Deserialize<'de>>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

/// The keys, and the header value of the current step.
#[derive(Debug)]
pub(crate) struct Nonces {
    pub(crate) keys: NonceKeys,
    current: ArcSwapOption<(u64, HeaderValue)>,
}

impl Nonces {
    pub(crate) fn new(keys: NonceKeys) -> Self {
        Self { keys, current: ArcSwapOption::empty() }
    }

    /// The nonce to hand out now.
    pub(crate) fn header(&self, now: u64) -> Option<HeaderValue> {
        let step = NonceKeys::step_at(now);
        if let Some(current) = self.current.load().as_deref()
            && current.0 == step
        {
            return Some(current.1.clone());
        }
        let value = HeaderValue::try_from(self.keys.issue(step)).ok()?;
        self.current.store(Some(Arc::new((step, value.clone()))));
        Some(value)
    }
}
