use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use pop_core::ContentError;
use pop_core::content::{ContentHasher, ContentVerified};

pin_project! {
    /// The body of a request that [`PopLayer::verify_content`](crate::PopLayer::verify_content) accepted: verified content in
    /// memory, or the body as received if no proof covers it.
    pub struct VerifiedBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        Unread { #[pin] body: B },
        Read { frames: VecDeque<Bytes>, length: u64, end: End<B> },
        Streaming { #[pin] body: B, hasher: Option<ContentHasher>, withheld: Option<Bytes> },
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

/// What follows the content that was read.
pub(super) enum End<B> {
    Complete,
    /// In mode `ReportOnly`: all of the content, which is not what the proof covers.
    Wrong,
    /// In mode `ReportOnly`: content that is longer than the limit was not verified.
    Rest(Pin<Box<B>>),
    /// In mode `ReportOnly`: the content ended early.
    Failed,
}

impl<B> End<B> {
    /// All of the content was read and hashed.
    pub(super) const fn of(result: &Result<ContentVerified, ContentError>) -> Self {
        if result.is_ok() { Self::Complete } else { Self::Wrong }
    }
}

/// The content of a request ended early, or is not what its proof covers. A handler must undo what it did with the bytes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentFailed(ContentError);

impl ContentFailed {
    /// Returns the reason.
    #[must_use]
    pub const fn reason(&self) -> ContentError {
        self.0
    }
}

impl fmt::Display for ContentFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for ContentFailed {}

impl<B> VerifiedBody<B> {
    pub(super) const fn unread(body: B) -> Self {
        Self { state: State::Unread { body } }
    }

    pub(super) fn read(frames: VecDeque<Bytes>, end: End<B>) -> Self {
        let length = frames.iter().map(|frame| frame.len() as u64).sum();
        Self { state: State::Read { frames, length, end } }
    }

    pub(super) const fn streaming(body: B, hasher: ContentHasher) -> Self {
        Self { state: State::Streaming { body, hasher: Some(hasher), withheld: None } }
    }

    /// Returns whether the content was verified as a whole. Otherwise no proof of the request covers it.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        matches!(self.state, State::Read { end: End::Complete, .. })
    }
}

impl<B> Body for VerifiedBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match self.project().state.project() {
            StateProj::Unread { body } => ready!(body.poll_frame(cx)),
            StateProj::Read { frames, length, end } => match frames.pop_front() {
                Some(frame) => {
                    *length = length.saturating_sub(frame.len() as u64);
                    return Poll::Ready(Some(Ok(Frame::data(frame))));
                }
                None => match end {
                    End::Complete | End::Wrong => None,
                    End::Rest(body) => ready!(body.as_mut().poll_frame(cx)),
                    End::Failed => {
                        *end = End::Complete;
                        return Poll::Ready(Some(Err(ContentFailed(ContentError::Incomplete).into())));
                    }
                },
            },
            StateProj::Streaming { body, hasher, withheld } => return poll_streaming(body, hasher, withheld, cx),
        };
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Unread { body } => body.is_end_stream(),
            State::Read { frames, end, .. } => {
                frames.is_empty()
                    && match end {
                        End::Complete | End::Wrong => true,
                        End::Rest(body) => body.is_end_stream(),
                        End::Failed => false,
                    }
            }
            State::Streaming { hasher, withheld, .. } => hasher.is_none() && withheld.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Unread { body } | State::Streaming { body, hasher: Some(_), withheld: None } => body.size_hint(),
            State::Streaming { .. } => SizeHint::new(),
            State::Read { length, end: End::Complete | End::Wrong, .. } => SizeHint::with_exact(*length),
            State::Read { length, .. } => {
                let mut hint = SizeHint::new();
                hint.set_lower(*length);
                hint
            }
        }
    }
}

/// Hands frames on one behind: the last one comes out once the content is verified.
fn poll_streaming<B>(
    mut body: Pin<&mut B>,
    hasher: &mut Option<ContentHasher>,
    withheld: &mut Option<Bytes>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    loop {
        let Some(running) = hasher else {
            return Poll::Ready(None);
        };
        let data = match ready!(body.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) => {
                (*hasher, *withheld) = (None, None);
                return Poll::Ready(Some(Err(error.into())));
            }
            None => {
                let (last, result) = (withheld.take(), hasher.take().map(ContentHasher::finish));
                return Poll::Ready(match result {
                    Some(Err(error)) => Some(Err(ContentFailed(error).into())),
                    _ => last.map(|last| Ok(Frame::data(last))),
                });
            }
        };
        if data.is_empty() {
            continue;
        }
        if running.expected().is_empty() {
            (*hasher, *withheld) = (None, None);
            return Poll::Ready(Some(Err(ContentFailed(ContentError::Uncovered).into())));
        }
        running.update(&data);
        if let Some(earlier) = withheld.replace(data) {
            return Poll::Ready(Some(Ok(Frame::data(earlier))));
        }
    }
}

impl<B> fmt::Debug for VerifiedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedBody").field("is_verified", &self.is_verified()).finish_non_exhaustive()
    }
}
