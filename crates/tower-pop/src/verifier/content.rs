//! The part of a verification that needs the content of the request.

use std::fmt;
use std::sync::Arc;

use pop_core::ContentError;
use pop_core::access_token::AccessToken;
use pop_core::binding::Unread;
use pop_core::content::{ContentHasher, ContentVerified, ExpectedContent};

use super::finish::{Ending, proceed};
use super::verdict::{Decision, Verdict, Verification};
use crate::config::PopConfig;

/// A request whose token and proofs are verified, and whose content must be compared with what the proofs cover. Nothing is
/// recorded yet: dropping the check leaves the proof unused.
pub struct ContentCheck {
    pub(super) cfg: PopConfig,
    pub(super) unread: Unread,
    pub(super) ending: Ending,
    pub(super) token: Arc<AccessToken>,
}

impl ContentCheck {
    /// Returns the maximum length of the content in bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.cfg.state.content_limit
    }

    /// Returns what the content must be.
    #[must_use]
    pub fn expected(&self) -> &ExpectedContent {
        self.unread.expected()
    }

    /// Starts to hash the content, as it was received.
    #[must_use]
    pub fn hasher(&self) -> ContentHasher {
        self.expected().hasher()
    }

    /// Goes on with the result of the [`hasher`](Self::hasher): records the proof if the content is right.
    pub async fn conclude(self, result: Result<ContentVerified, ContentError>) -> Verdict {
        let evidence = match result {
            Ok(evidence) => evidence,
            Err(error) => return self.failed(error),
        };
        let Self { cfg, unread, ending, token } = self;
        let decision = match unread.verified(&evidence) {
            Some(bound) => proceed(&cfg, ending, bound, token),
            None => Verification::Now(Decision::Verdict(ending.fail(&cfg, ContentError::Unread.into(), token))),
        };
        decision.await
    }

    /// Returns the verdict on a request whose content could not be read or is not right. Nothing is recorded.
    ///
    /// # Errors
    /// The rejection. Mode `ReportOnly` accepts the request as unproven.
    pub fn failed(self, error: ContentError) -> Verdict {
        self.ending.fail(&self.cfg, error.into(), self.token)
    }
}

impl fmt::Debug for ContentCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentCheck").field("expected", self.expected()).finish_non_exhaustive()
    }
}
