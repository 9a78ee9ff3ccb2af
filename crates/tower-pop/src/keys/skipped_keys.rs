//! Log lines about keys of a set that are not used.

use std::collections::HashSet;

use pop_core::jose::{JwkError, SkippedKey};

/// The maximum number of keys that are remembered as reported.
const CAPACITY: usize = 256;

/// Logs a key that cannot be used. Tokens that it signed are rejected.
pub(crate) fn report_skipped(issuer: &str, key: &SkippedKey) {
    let kid = key.kid.as_deref().unwrap_or("none");
    tracing::info!(issuer, index = key.index, kid, reason = %key.reason, "a key of the issuer is not used");
}

/// The skipped keys that the log already names, so that each key and reason is logged once.
#[derive(Default)]
pub(super) struct ReportedKeys(HashSet<(Option<Box<str>>, usize, JwkError)>);

impl ReportedKeys {
    /// Remembers a key. Returns whether it is new.
    pub(super) fn insert(&mut self, key: &SkippedKey) -> bool {
        // A `kid` identifies a key wherever it is in the set.
        let index = if key.kid.is_some() { 0 } else { key.index };
        if self.0.len() >= CAPACITY {
            self.0.clear();
        }
        self.0.insert((key.kid.clone(), index, key.reason))
    }
}
