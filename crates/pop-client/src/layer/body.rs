//! Request bodies that can be sent a second time.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::BoxError;

/// The request body that a [`ProofService`](crate::ProofService) gives to its inner service. It keeps the parts that were
/// sent, up to [`ProofLayer::max_kept_len`](crate::ProofLayer::max_kept_len), without copying them. So the layer can send
/// them again, followed by the rest, when the server asks for a nonce.
///
/// An inner service with a body type of its own takes it through a conversion below the layer. See
/// [`ProofLayer`](crate::ProofLayer).
#[cfg_attr(not(feature = "tower"), expect(unreachable_pub, reason = "public with the tower layer only"))]
pub struct RepeatableBody<B>(Arc<Mutex<Parts<B>>>);

/// The body in parts. After [`Handle::repeat`] the original owns nothing.
struct Parts<B> {
    /// What an earlier attempt sent, and this one has not sent yet.
    again: VecDeque<Part>,
    /// What this attempt sent. `None` if it was more than the limit.
    kept: Option<Vec<Part>>,
    kept_len: usize,
    max_kept_len: usize,
    rest: Rest<B>,
}

/// What was not sent yet.
enum Rest<B> {
    Open(Pin<Box<B>>),
    /// All of it was sent. It is not polled again: a body may panic then.
    Ended,
    /// The request is sent again, or the body failed. What follows is an error, never the end: a part must not pass for the whole.
    Gone,
}

#[derive(Clone)]
enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// The layer's handle of a body that is sent.
pub(super) struct Handle<B>(RepeatableBody<B>);

impl<B> RepeatableBody<B> {
    pub(super) fn new(body: B, max_kept_len: usize) -> (Self, Handle<B>) {
        Self::of(Parts {
            again: VecDeque::new(),
            kept: Some(Vec::new()),
            kept_len: 0,
            max_kept_len,
            rest: Rest::Open(Box::pin(body)),
        })
    }

    fn of(parts: Parts<B>) -> (Self, Handle<B>) {
        let parts = Arc::new(Mutex::new(parts));
        (Self(Arc::clone(&parts)), Handle(Self(parts)))
    }

    fn lock(&self) -> MutexGuard<'_, Parts<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Handle<B> {
    /// Stops sending, and returns the body to send again. Returns `None`, and lets the body go on, if too much of it was
    /// sent.
    pub(super) fn repeat(&self) -> Option<(RepeatableBody<B>, Self)> {
        let mut parts = self.0.lock();
        let mut again = VecDeque::from(parts.kept.take()?);
        again.append(&mut parts.again);
        let (rest, max_kept_len) = (std::mem::replace(&mut parts.rest, Rest::Gone), parts.max_kept_len);
        drop(parts);
        Some(RepeatableBody::of(Parts { again, kept: Some(Vec::new()), kept_len: 0, max_kept_len, rest }))
    }
}

/// Stops to keep parts: the body is not sent again after this.
impl<B> Drop for Handle<B> {
    fn drop(&mut self) {
        self.0.lock().kept = None;
    }
}

impl<B> Parts<B> {
    fn keep(&mut self, part: &Part) {
        if let Part::Data(data) = part {
            if data.is_empty() {
                return;
            }
            self.kept_len = self.kept_len.saturating_add(data.len());
        }
        if self.kept_len > self.max_kept_len {
            self.kept = None;
        }
        if let Some(kept) = &mut self.kept {
            kept.push(part.clone());
        }
    }
}

impl From<Part> for Frame<Bytes> {
    fn from(part: Part) -> Self {
        match part {
            Part::Data(data) => Self::data(data),
            Part::Trailers(trailers) => Self::trailers(trailers),
        }
    }
}

impl<B> Body for RepeatableBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut parts = self.lock();
        let part = match parts.again.pop_front() {
            Some(part) => part,
            None => {
                let rest = match &mut parts.rest {
                    Rest::Open(rest) => rest,
                    Rest::Ended => return Poll::Ready(None),
                    Rest::Gone => return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::Interrupted).into()))),
                };
                match ready!(rest.as_mut().poll_frame(cx)) {
                    None => {
                        parts.rest = Rest::Ended;
                        return Poll::Ready(None);
                    }
                    Some(Err(error)) => {
                        (parts.rest, parts.kept) = (Rest::Gone, None);
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => Part::Data(data),
                        Err(frame) => match frame.into_trailers() {
                            Ok(trailers) => Part::Trailers(trailers),
                            Err(frame) => return Poll::Ready(Some(Ok(frame))),
                        },
                    },
                }
            }
        };
        parts.keep(&part);
        Poll::Ready(Some(Ok(part.into())))
    }

    fn is_end_stream(&self) -> bool {
        let parts = self.lock();
        parts.again.is_empty()
            && match &parts.rest {
                Rest::Open(rest) => rest.is_end_stream(),
                Rest::Ended => true,
                Rest::Gone => false,
            }
    }

    fn size_hint(&self) -> SizeHint {
        let parts = self.lock();
        let again: u64 =
            parts.again.iter().map(|part| if let Part::Data(data) = part { data.len() as u64 } else { 0 }).sum();
        let rest = match &parts.rest {
            Rest::Open(rest) => rest.size_hint(),
            Rest::Ended => SizeHint::with_exact(0),
            Rest::Gone => SizeHint::default(),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(again));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(again));
        }
        hint
    }
}

impl<B> fmt::Debug for RepeatableBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RepeatableBody(..)")
    }
}
