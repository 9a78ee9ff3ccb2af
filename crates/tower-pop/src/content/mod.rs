//! The content of requests whose proof covers it: read and verified before the application sees a byte of it.
//!
//! A layer either reads content ([`VerifyContent`]) or does not ([`HeadOnly`], the default). It is the type of the layer that
//! decides, because the inner service then gets another type of body: [`VerifiedBody`]. Where content must be verified and
//! the layer does not read it, the request is rejected with status 500: content never passes unverified.

mod body;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use pop_core::ContentError;

use self::body::End;
pub use self::body::{ContentFailed, VerifiedBody};
use crate::drain::Discard;
use crate::rejection::Rejection;
use crate::verifier::{Admitted, ContentCheck, Decision, Verdict, Verification};

/// Whether and how a layer reads content: [`HeadOnly`], [`VerifyContent`] or [`StreamContent`]. Nothing else can implement it.
pub trait ReadContent<B>: Clone + sealed::Sealed {
    /// The body that the inner service gets.
    type Body;

    /// Returns the body of a request whose proof says nothing of its content.
    #[doc(hidden)]
    fn unread(&self, body: B) -> Self::Body;

    /// Verifies the content of a request.
    #[doc(hidden)]
    fn read(&self, check: Box<ContentCheck>, body: B) -> Reading<Self::Body, B>;
}

mod sealed {
    pub trait Sealed {}
}

/// The verdict on a request whose content had to be verified, now or later.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub enum Reading<Inner, B> {
    Now(Read<Inner, B>),
    Later(Pin<Box<dyn Future<Output = Read<Inner, B>> + Send>>),
}

/// The accepted request with its body, or the rejection with what is left of the body.
#[doc(hidden)]
#[allow(missing_debug_implementations, clippy::large_enum_variant)]
pub enum Read<Inner, B> {
    Accepted(Admitted, Inner),
    Rejected(Rejection, Rest<B>),
}

impl<Inner, B> Read<Inner, B> {
    /// The verdict on a request whose body was not read.
    pub(crate) fn of_body(verdict: Verdict, body: B, inner: impl FnOnce(B) -> Inner) -> Self {
        match verdict {
            Ok(admitted) => Self::Accepted(admitted, inner(body)),
            Err(rejection) => Self::Rejected(rejection, Rest::Whole(body)),
        }
    }
}

impl<B: Body<Data = Bytes> + Send + 'static> Read<VerifiedBody<B>, B> {
    /// The verdict on a request whose body was read: these frames, and what follows them.
    fn of_frames(verdict: Verdict, frames: VecDeque<Bytes>, end: End<B>) -> Self {
        match (verdict, end) {
            (Ok(admitted), end) => Self::Accepted(admitted, VerifiedBody::read(frames, end)),
            (Err(rejection), End::Rest(body)) => Self::Rejected(rejection, Rest::Open(body)),
            (Err(rejection), End::Complete | End::Wrong | End::Failed) => Self::Rejected(rejection, Rest::Nothing),
        }
    }
}

/// What is left of the body of a rejected request.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub enum Rest<B> {
    Whole(B),
    Open(Pin<Box<dyn Discard + Send>>),
    Nothing,
}

/// Does not read content. Requests whose content must be verified are rejected with status 500.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadOnly;

impl sealed::Sealed for HeadOnly {}

impl<B> ReadContent<B> for HeadOnly {
    type Body = B;

    fn unread(&self, body: B) -> B {
        body
    }

    fn read(&self, check: Box<ContentCheck>, body: B) -> Reading<B, B> {
        Reading::Now(Read::of_body(check.failed(ContentError::Unread), body, |body| body))
    }
}

/// Reads the content of requests whose proof covers it, up to
/// [`content_limit`](crate::PopConfigBuilder::content_limit), and verifies it before the inner service is called. See
/// [`PopLayer::verify_content`](crate::PopLayer::verify_content).
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyContent;

impl sealed::Sealed for VerifyContent {}

impl<B> ReadContent<B> for VerifyContent
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Body = VerifiedBody<B>;

    fn unread(&self, body: B) -> VerifiedBody<B> {
        VerifiedBody::unread(body)
    }

    fn read(&self, check: Box<ContentCheck>, body: B) -> Reading<VerifiedBody<B>, B> {
        if body.size_hint().lower() > check.limit() {
            return Reading::Now(Read::of_body(check.failed(ContentError::TooLarge), body, VerifiedBody::unread));
        }
        if !body.is_end_stream() {
            return Reading::Later(Box::pin(read(check, body)));
        }
        let result = check.hasher().finish();
        let end = End::of(&result);
        let read = |decision: Decision, end| Read::of_frames(decision.into_verdict(), VecDeque::new(), end);
        match check.proceed(result) {
            Verification::Now(decision) => Reading::Now(read(decision, end)),
            Verification::Later(decision) => Reading::Later(Box::pin(async move { read(decision.await, end) })),
        }
    }
}

/// Hands content on while it is verified. See
/// [`PopLayer::verify_content_while_streaming`](crate::PopLayer::verify_content_while_streaming).
#[derive(Debug, Clone, Copy, Default)]
pub struct StreamContent;

impl sealed::Sealed for StreamContent {}

impl<B> ReadContent<B> for StreamContent
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Body = VerifiedBody<B>;

    fn unread(&self, body: B) -> VerifiedBody<B> {
        VerifiedBody::unread(body)
    }

    fn read(&self, check: Box<ContentCheck>, body: B) -> Reading<VerifiedBody<B>, B> {
        // There is nothing to hand on where no content may be, and in mode `ReportOnly` the verdict depends on all of it.
        if check.expected().is_empty() || check.reports_only() {
            return VerifyContent.read(check, body);
        }
        Reading::Later(Box::pin(async move {
            let hasher = check.hasher();
            let verdict = check.conclude_while_streaming().await;
            Read::of_body(verdict, body, |body| VerifiedBody::streaming(body, hasher))
        }))
    }
}

/// Reads a body to its end and verifies it. Trailers are dropped: no proof covers them.
async fn read<B: Body<Data = Bytes> + Send + 'static>(check: Box<ContentCheck>, body: B) -> Read<VerifiedBody<B>, B> {
    let (mut hasher, limit, may_be_any) = (check.hasher(), check.limit(), !check.expected().is_empty());
    let (mut frames, mut length) = (VecDeque::new(), 0_u64);
    let mut body = Box::pin(body);
    let failed = loop {
        let data = match body.frame().await {
            None => break None,
            Some(Err(_)) => break Some(ContentError::Incomplete),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        length = length.saturating_add(data.len() as u64);
        hasher.update(&data);
        tokio::task::coop::consume_budget().await;
        if !data.is_empty() {
            frames.push_back(data);
        }
        if length > 0 && !may_be_any {
            break Some(ContentError::Uncovered);
        }
        if length > limit {
            break Some(ContentError::TooLarge);
        }
    };
    let (verdict, end) = match failed {
        None => {
            let result = hasher.finish();
            let end = End::of(&result);
            (check.conclude(result).await, end)
        }
        Some(error @ ContentError::Incomplete) => (check.failed(error), End::Failed),
        Some(error) => (check.failed(error), End::Rest(body)),
    };
    Read::of_frames(verdict, frames, end)
}
