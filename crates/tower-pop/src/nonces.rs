//! Who must send a nonce, and the nonce to hand out.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use http::request::Parts;
use pop_core::names::UnknownName;
use pop_core::nonce::NonceKeys;

/// Whether proofs must carry a nonce of this server (RFC 9449 §9).
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum NoncePolicy {
    /// Nonces are neither asked for nor looked at.
    #[default]
    Off,
    /// Every proof needs one.
    Required,
    /// Proofs of the requests for which this returns true need one. It must depend on what the client can foresee, such
    /// as the route, or clients are turned away at random.
    PerRequest(Arc<dyn Fn(&Parts) -> bool + Send + Sync>),
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
