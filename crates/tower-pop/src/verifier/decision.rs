//! What can be said of a request by its head: the verdict, or what its content must be.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use pop_core::binding::Unread;
use pop_core::content::{ContentHasher, ContentVerified, ExpectedContent};
use pop_core::{ContentError, Error};
use tracing::Instrument;

use super::traced::VerificationSpan;
use super::verdict::Verdict;

/// What can be said of a request by its head: the verdict, or what its content must be.
#[must_use = "a request is verified only once its verdict is known"]
#[allow(clippy::large_enum_variant)] // the verdict is the common case; a box would cost every request an allocation
#[derive(Debug)]
pub enum Decision {
    /// The verdict.
    Verdict(Verdict),
    /// The proof covers the content, or has to. The content decides.
    Content(Box<ContentCheck>),
}

/// A verification by the head of a request, complete if nothing had to be waited for.
///
/// `.await` completes it with a verdict. A request whose content must be verified is then rejected with status 500: use
/// [`decide`](Self::decide) where proofs can cover content.
#[must_use = "a request is verified only once its verdict is known"]
pub enum Verification {
    /// Complete.
    Now(Decision),
    /// Complete once the future is ready. The future owns everything that it needs.
    Later(DecisionFuture),
}

/// The future of a decision.
pub type DecisionFuture = Pin<Box<dyn Future<Output = Decision> + Send>>;

impl Verification {
    pub(super) const fn now(verdict: Verdict) -> Self {
        Self::Now(Decision::Verdict(verdict))
    }

    pub(super) fn later(decision: impl Future<Output = Decision> + Send + 'static) -> Self {
        Self::Later(Box::pin(decision))
    }

    /// Runs a part of a verification within its span. The verdict is recorded in it.
    pub(super) fn within(span: VerificationSpan, part: impl FnOnce() -> Self) -> Self {
        let Some(recorded) = span.recorded() else {
            return part();
        };
        match recorded.in_scope(part) {
            Self::Now(decision) => Self::Now(decision.within(span)),
            Self::Later(decision) => {
                let own = recorded.clone();
                Self::later(async move { decision.await.within(span) }.instrument(own))
            }
        }
    }

    /// Completes the verification of the head.
    pub async fn decide(self) -> Decision {
        match self {
            Self::Now(decision) => decision,
            Self::Later(decision) => decision.await,
        }
    }
}

impl Decision {
    /// Returns the verdict for a caller that does not read content.
    ///
    /// # Errors
    /// The rejection: with status 500 if the content must be verified.
    pub fn into_verdict(self) -> Verdict {
        match self {
            Self::Verdict(verdict) => verdict,
            Self::Content(check) => check.failed(ContentError::Unread),
        }
    }

    /// Records the verdict in the span, or keeps the span until there is one.
    fn within(mut self, span: VerificationSpan) -> Self {
        match &mut self {
            Self::Verdict(verdict) => span.record(verdict),
            Self::Content(check) => check.span = span,
        }
        self
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now(..)",
            Self::Later(_) => "Later(..)",
        })
    }
}

impl IntoFuture for Verification {
    type Output = Verdict;
    type IntoFuture = VerificationFuture;

    fn into_future(self) -> VerificationFuture {
        match self {
            Self::Now(decision) => VerificationFuture(State::Now(Some(Box::new(decision.into_verdict())))),
            Self::Later(decision) => VerificationFuture(State::Later(decision)),
        }
    }
}

/// The future of a [`Verification`].
pub struct VerificationFuture(State);

enum State {
    Now(Option<Box<Verdict>>),
    Later(DecisionFuture),
}

impl Future for VerificationFuture {
    type Output = Verdict;

    /// # Panics
    /// If it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        match &mut self.0 {
            State::Now(verdict) => match verdict.take() {
                Some(verdict) => Poll::Ready(*verdict),
                None => panic!("a VerificationFuture was polled after it was ready"),
            },
            State::Later(decision) => decision.as_mut().poll(cx).map(Decision::into_verdict),
        }
    }
}

impl fmt::Debug for VerificationFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationFuture(..)")
    }
}

/// A request whose token and proofs are verified, and whose content must be compared with what the proofs cover. Nothing is
/// recorded yet: dropping the check leaves the proof unused.
pub struct ContentCheck {
    unread: Unread,
    limit: u64,
    rest: Box<dyn Continuation>,
    span: VerificationSpan,
}

/// The rest of a verification, once the content is known.
pub(super) trait Continuation: Send {
    /// The content is right: `unread` gives the rest in exchange for this evidence.
    fn proceed(self: Box<Self>, unread: Unread, evidence: ContentVerified) -> Verification;

    /// The content is handed on while it is verified.
    fn stream(self: Box<Self>, unread: Unread) -> Verification;

    /// Whether wrong content is passed on, in mode `ReportOnly`.
    fn reports_only(&self) -> bool;

    /// The content is wrong, or could not be read.
    fn fail(self: Box<Self>, error: Error) -> Verdict;
}

impl ContentCheck {
    pub(super) fn new(unread: Unread, limit: u64, rest: impl Continuation + 'static) -> Self {
        Self { unread, limit, rest: Box::new(rest), span: VerificationSpan::none() }
    }

    /// Returns the maximum length of the content in bytes.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns what the content must be.
    #[must_use]
    pub const fn expected(&self) -> &ExpectedContent {
        self.unread.expected()
    }

    /// Returns whether wrong content is passed on, in mode `ReportOnly`.
    pub(crate) fn reports_only(&self) -> bool {
        self.rest.reports_only()
    }

    /// Starts to hash the content, as it was received.
    #[must_use]
    pub fn hasher(&self) -> ContentHasher {
        self.expected().hasher()
    }

    /// Goes on with the result of the [`hasher`](Self::hasher): records the proof if the content is right.
    ///
    /// # Errors
    /// The rejection. Mode `ReportOnly` accepts the request as unproven.
    pub async fn conclude(self, result: Result<ContentVerified, ContentError>) -> Verdict {
        self.proceed(result).await
    }

    pub(crate) fn proceed(self, result: Result<ContentVerified, ContentError>) -> Verification {
        let evidence = match result {
            Ok(evidence) => evidence,
            Err(error) => return Verification::now(self.failed(error)),
        };
        Verification::within(self.span, || self.rest.proceed(self.unread, evidence))
    }

    /// Records the proof before the content is verified: for content that is handed on while it is hashed.
    ///
    /// # Errors
    /// The rejection.
    ///
    /// # Security
    /// The caller must withhold the end of the content until the [`hasher`](Self::hasher) has verified it.
    pub async fn conclude_while_streaming(self) -> Verdict {
        Verification::within(self.span, || self.rest.stream(self.unread)).await
    }

    /// Returns the verdict on a request whose content could not be read or is not right. Nothing is recorded.
    ///
    /// # Errors
    /// The rejection. Mode `ReportOnly` accepts the request as unproven.
    pub fn failed(self, error: ContentError) -> Verdict {
        let verdict = self.rest.fail(error.into());
        self.span.record(&verdict);
        verdict
    }
}

impl fmt::Debug for ContentCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentCheck").field("expected", self.expected()).finish_non_exhaustive()
    }
}
