//! Numbers and their bounds.

use std::time::Duration;

use crate::error::ConfigError;

/// A knob by name, its value, the least and the greatest that it may have.
pub(super) type Knob = (&'static str, u64, u64, u64);

pub(super) fn within<const N: usize>(knobs: [Knob; N]) -> Result<(), ConfigError> {
    let outside = knobs.into_iter().find(|(_, value, min, max)| !(min..=max).contains(&value));
    outside.map_or(Ok(()), |(name, value, min, max)| Err(ConfigError::OutOfBounds { name, value, min, max }))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
