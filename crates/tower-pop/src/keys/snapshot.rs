//! One state of an issuer's key set, and how long it may be used.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pop_core::jose::JwkSet;

use super::caching::JwksCaching;
use super::fetch::FetchResponse;
use crate::clock::{Deadline, Moment};

/// The limits on `max-age`.
const MIN_FRESH: Duration = Duration::from_secs(60);
const MAX_FRESH: Duration = Duration::from_secs(3600);
/// A response counts as fresh for at least this time, whatever its age: otherwise every request would cause a fetch.
const MIN_REMAINING: Duration = Duration::from_secs(10);

/// One state of an issuer's key set. A token that was verified with an earlier generation must be verified again.
pub(crate) struct KeySnapshot {
    pub(crate) keys: JwkSet,
    pub(crate) generation: u64,
}

/// Fetched keys, and the end of their use.
pub(super) struct CachedKeys {
    pub(super) snapshot: Arc<KeySnapshot>,
    body: Bytes,
    /// The number of successful fetches before this one.
    pub(super) fetch_number: u64,
    fresh_until: Deadline,
    usable_until: Deadline,
}

impl CachedKeys {
    /// Returns the keys of a response. The generation changes only if the document is different from the previous one.
    /// `sent` is the time before the request was sent.
    pub(super) fn new(
        keys: JwkSet,
        response: FetchResponse,
        sent: Moment,
        now: Moment,
        previous: Option<&Self>,
        caching: &JwksCaching,
    ) -> Self {
        let fresh_for =
            max_age(response.cache_control.as_deref()).map_or(caching.fresh_for, |age| age.clamp(MIN_FRESH, MAX_FRESH));
        let age = now.since(sent).saturating_add(response.age.unwrap_or_default());
        let remaining = |time: Duration| time.saturating_sub(age).max(MIN_REMAINING.min(fresh_for));
        let snapshot = match previous {
            Some(cached) if cached.body == response.body => Arc::clone(&cached.snapshot),
            Some(cached) => Arc::new(KeySnapshot { keys, generation: cached.snapshot.generation + 1 }),
            None => Arc::new(KeySnapshot { keys, generation: 0 }),
        };
        Self {
            snapshot,
            body: response.body,
            fetch_number: previous.map_or(0, |cached| cached.fetch_number.wrapping_add(1)),
            fresh_until: Deadline::after(now, remaining(fresh_for)),
            usable_until: Deadline::after(now, remaining(fresh_for.saturating_add(caching.stale_for))),
        }
    }

    /// Returns whether the keys are used without a refresh.
    pub(super) fn is_fresh(&self, now: Moment) -> bool {
        !self.fresh_until.has_passed(now)
    }

    /// Returns whether the keys may be used at all.
    pub(super) fn is_usable(&self, now: Moment) -> bool {
        !self.usable_until.has_passed(now)
    }
}

/// Returns the minimum `max-age` of a `Cache-Control` value.
fn max_age(cache_control: Option<&str>) -> Option<Duration> {
    let directives = cache_control?.split(',');
    let seconds = directives.filter_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| value.trim().trim_matches('"').parse::<u64>().ok())?
    });
    seconds.min().map(Duration::from_secs)
}
