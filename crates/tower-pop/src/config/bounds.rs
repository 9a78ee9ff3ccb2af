//! Bounds of numbers.

use std::time::Duration;

use crate::error::ConfigError;

/// An option: name, value, minimum and maximum.
type Bounded = (&'static str, u64, u64, u64);

pub(super) fn within<const N: usize>(options: [Bounded; N]) -> Result<(), ConfigError> {
    let outside = options.into_iter().find(|(_, value, min, max)| !(min..=max).contains(&value));
    outside.map_or(Ok(()), |(name, value, min, max)| Err(ConfigError::OutOfBounds { name, value, min, max }))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
