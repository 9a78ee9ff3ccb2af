//! Limits on the fetches that tokens may cause.

use std::time::Duration;

use super::caching::JwksCaching;
use crate::clock::{Deadline, Moment};

/// Why a request needs the keys to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// There are no keys, or they are too old.
    NoKeys,
    /// No key has the `kid` of the token.
    UnknownKey,
    /// The signature of the token does not verify: the issuer may have given its `kid` to another key.
    Signature,
}

/// The number of fetches that tokens may cause: the burst at once, and one more after each cool-down.
#[derive(Default)]
pub(super) struct Allowance {
    remaining: u32,
    refilled_at: Option<Moment>,
    /// After a fetch for a signature: the time until the next one.
    signature_until: Option<Deadline>,
    /// Whether the log already says that the allowance is used up.
    reported: bool,
}

impl Allowance {
    fn refill(&mut self, now: Moment, caching: &JwksCaching) {
        let added = match self.refilled_at {
            None => u128::from(caching.refresh_burst),
            Some(then) => now.since(then).as_nanos() / caching.cool_down.as_nanos().max(1),
        };
        if added > 0 {
            self.add(u32::try_from(added).unwrap_or(u32::MAX), caching);
            self.refilled_at = Some(now);
            self.reported = false;
        }
    }

    fn add(&mut self, fetches: u32, caching: &JwksCaching) {
        self.remaining = self.remaining.saturating_add(fetches).min(caching.refresh_burst);
    }

    /// Returns whether a fetch is allowed for this reason.
    pub(super) fn allows(&mut self, reason: Reason, now: Moment, caching: &JwksCaching) -> bool {
        self.refill(now, caching);
        let signature_is_due = || self.signature_until.is_none_or(|until| until.has_passed(now));
        match reason {
            Reason::NoKeys => true,
            Reason::UnknownKey => self.remaining > 0,
            Reason::Signature => self.remaining > 0 && signature_is_due(),
        }
    }

    /// Counts a fetch for this reason.
    pub(super) fn take(&mut self, reason: Reason, now: Moment, caching: &JwksCaching) {
        if reason != Reason::NoKeys {
            self.remaining = self.remaining.saturating_sub(1);
        }
        if reason == Reason::Signature {
            self.signature_until = Some(Deadline::after(now, caching.cool_down));
        }
    }

    /// Returns a fetch to the allowance, because it failed.
    pub(super) fn put_back(&mut self, caching: &JwksCaching) {
        self.add(1, caching);
    }

    /// Returns the seconds until the next fetch, once each time the allowance is used up.
    pub(super) fn wait_to_report(&mut self, now: Moment, caching: &JwksCaching) -> Option<u128> {
        if std::mem::replace(&mut self.reported, true) {
            return None;
        }
        let passed = self.refilled_at.map_or(Duration::ZERO, |then| now.since(then));
        Some(caching.cool_down.saturating_sub(passed).as_millis().div_ceil(1000))
    }
}
