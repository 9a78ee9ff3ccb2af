//! Large request bodies: they are held back at first, and their progress is observed.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// Bytes of the parts that a body is sent in, so that progress is observed.
const PART_LEN: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request body that waits at first, and notes when its last part was taken.
struct UploadBody {
    upload: Arc<Upload>,
    delay: Option<Pin<Box<Sleep>>>,
    body: Option<reqwest::Body>,
    rest: Bytes,
    size: SizeHint,
}

/// The handle of a request body that is sent.
#[derive(Debug)]
pub(crate) struct Upload {
    started_at: Instant,
    /// Milliseconds from the start to the last part that was taken.
    progress: AtomicU64,
    cancelled: AtomicBool,
    /// The original body, until its first part is read.
    unread: Mutex<Option<reqwest::Body>>,
}

impl Upload {
    /// Returns the body to send instead of this one, and its handle.
    pub(crate) fn start(body: reqwest::Body, delay: Duration) -> (reqwest::Body, Arc<Self>) {
        let size = body.size_hint();
        let handle = Arc::new(Self {
            started_at: Instant::now(),
            progress: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            unread: Mutex::new(Some(body)),
        });
        let delay = (!delay.is_zero()).then(|| Box::pin(tokio::time::sleep(delay)));
        let body = UploadBody { upload: Arc::clone(&handle), delay, body: None, rest: Bytes::new(), size };
        (reqwest::Body::wrap(body), handle)
    }

    /// Stops sending. Returns the original body if no part of it was read.
    pub(crate) fn cancel(&self) -> Option<reqwest::Body> {
        self.cancelled.store(true, Ordering::Relaxed);
        self.take()
    }

    /// Returns the time when the last part was taken.
    pub(crate) fn last_progress(&self) -> Instant {
        self.started_at + Duration::from_millis(self.progress.load(Ordering::Relaxed))
    }

    fn take(&self) -> Option<reqwest::Body> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn advance(&self) {
        let millis = u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.progress.store(millis, Ordering::Relaxed);
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        let cancelled = || -> BoxError { io::Error::from(io::ErrorKind::Interrupted).into() };
        if this.upload.cancelled.load(Ordering::Relaxed) {
            return Poll::Ready(Some(Err(cancelled())));
        }
        if let Some(delay) = &mut this.delay {
            ready!(delay.as_mut().poll(cx));
            this.delay = None;
        }
        if this.body.is_none() {
            this.body = this.upload.take();
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
        this.upload.advance();
        let part = this.rest.split_to(this.rest.len().min(PART_LEN));
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
