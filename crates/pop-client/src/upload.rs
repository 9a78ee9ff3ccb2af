//! Bodies on their way: requests that can be held back and watched, responses whose beginning was read.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// Pieces that a body is sent in, so that its progress can be seen.
const PIECE: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request body that waits at first, and says when its last piece was taken.
struct Upload {
    watch: Arc<Watch>,
    delay: Option<Pin<Box<Sleep>>>,
    body: Option<reqwest::Body>,
    rest: Bytes,
    size: SizeHint,
}

/// The sender's side of an [`Upload`].
#[derive(Debug)]
pub(crate) struct Watch {
    begun: Instant,
    /// Milliseconds from the beginning to the last piece.
    progress: AtomicU64,
    cancelled: AtomicBool,
    untouched: Mutex<Option<reqwest::Body>>,
}

impl Watch {
    /// A body to send instead of this one.
    pub(crate) fn over(body: reqwest::Body, delay: Duration) -> (reqwest::Body, Arc<Self>) {
        let size = body.size_hint();
        let watch = Arc::new(Self {
            begun: Instant::now(),
            progress: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            untouched: Mutex::new(Some(body)),
        });
        let delay = (!delay.is_zero()).then(|| Box::pin(tokio::time::sleep(delay)));
        let upload = Upload { watch: Arc::clone(&watch), delay, body: None, rest: Bytes::new(), size };
        (reqwest::Body::wrap(upload), watch)
    }

    /// Stops sending. Returns the body if nothing of it was read.
    pub(crate) fn cancel(&self) -> Option<reqwest::Body> {
        self.cancelled.store(true, Ordering::Relaxed);
        self.take()
    }

    /// When the last piece was taken.
    pub(crate) fn last(&self) -> Instant {
        self.begun + Duration::from_millis(self.progress.load(Ordering::Relaxed))
    }

    fn take(&self) -> Option<reqwest::Body> {
        self.untouched.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn advance(&self) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.progress.store(millis, Ordering::Relaxed);
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        let cancelled = || -> BoxError { io::Error::from(io::ErrorKind::Interrupted).into() };
        if this.watch.cancelled.load(Ordering::Relaxed) {
            return Poll::Ready(Some(Err(cancelled())));
        }
        if let Some(delay) = &mut this.delay {
            ready!(delay.as_mut().poll(cx));
            this.delay = None;
        }
        if this.body.is_none() {
            this.body = this.watch.take();
        }
        let Some(body) = &mut this.body else {
            return Poll::Ready(Some(Err(cancelled())));
        };
        if this.rest.is_empty() {
            match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
        this.watch.advance();
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}

/// A response body, of which the beginning was read, up to its end or up to an error.
pub(crate) struct Resumed {
    pub(crate) beginning: Bytes,
    pub(crate) error: Option<reqwest::Error>,
    pub(crate) rest: reqwest::Body,
}

impl Body for Resumed {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if !self.beginning.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.beginning)))));
        }
        match self.error.take() {
            Some(error) => Poll::Ready(Some(Err(error))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.beginning.is_empty() && self.error.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.size_hint().exact();
        rest.map_or_else(SizeHint::new, |rest| SizeHint::with_exact(rest + self.beginning.len() as u64))
    }
}
