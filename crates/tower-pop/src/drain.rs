//! Reads and discards the body of a rejected request, within limits.
//!
//! An HTTP/1.1 server that closes a connection with unread bytes resets it. Many clients write the whole body before they
//! read: they would see a broken pipe instead of the rejection (RFC 9112 §9.6). Therefore:
//!
//! 1. A separate task reads the body frame by frame and discards it. Nothing is buffered, and the application does not see it.
//! 2. The response waits at most [`GRACE`] for the end of the body. If the body has ended, the connection stays in use.
//! 3. Otherwise an HTTP/1.1 response has `Connection: close`, and the task goes on up to the limits.
//! 4. With `Expect: 100-continue` the client waits for the response: it is sent at once.
//! 5. HTTP/2 ends streams without closing connections: the response is sent at once and never has `Connection`.

use std::any::Any;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use futures_util::future::{Either, select};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Request, Version};
use http_body::Body;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The maximum time that a response waits for the end of the body.
const GRACE: Duration = Duration::from_millis(500);
/// How long a connection stays open after the byte limit, so that a client that reads while it writes gets the response. Also
/// how long a client that expects `100 Continue` has time to end its request.
const LINGER: Duration = Duration::from_millis(250);

/// The limits on the body of a rejected request. A limit of 0 turns reading off.
#[derive(Clone)]
pub(crate) struct DrainPolicy {
    /// The maximum number of bytes.
    pub(crate) bytes: u64,
    /// The maximum time.
    pub(crate) time: Duration,
    /// The body types of the application.
    pub(crate) types: Vec<TakeBody>,
}

impl DrainPolicy {
    pub(crate) const DEFAULT: Self = Self { bytes: 32 << 20, time: Duration::from_secs(10), types: Vec::new() };

    const fn is_off(&self) -> bool {
        self.bytes == 0 || self.time.is_zero()
    }
}

/// Takes the body out of a slot, if the slot is an `Option<T>` of the right body type `T`.
pub(crate) type TakeBody = fn(&mut dyn Any) -> Option<Taken>;

/// The body of a request.
pub(crate) enum Taken {
    /// There is nothing left to read.
    Ended,
    /// There may be more to read.
    Open(Pin<Box<dyn Discard + Send>>),
}

/// [`TakeBody`] for one type of body.
pub(crate) fn take<T: Body + Send + 'static>(slot: &mut dyn Any) -> Option<Taken> {
    let body = slot.downcast_mut::<Option<T>>()?.take()?;
    Some(if body.is_end_stream() { Taken::Ended } else { Taken::Open(Box::pin(body)) })
}

/// The body types that servers pass to services. The application names other types.
const KNOWN: &[TakeBody] = &[
    take::<hyper::body::Incoming>,
    take::<http_body_util::Limited<hyper::body::Incoming>>,
    #[cfg(feature = "axum")]
    take::<axum_core::body::Body>,
    #[cfg(feature = "axum")]
    take::<http_body_util::Limited<axum_core::body::Body>>,
];

/// A body of any type, of which only the length is read.
pub trait Discard {
    /// Returns the length of the next frame; `None` at the end.
    fn poll_discard(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<u64, ()>>>;

    /// Returns the minimum number of bytes that are still to come.
    fn min_len(&self) -> u64;
}

impl<T: Body> Discard for T {
    fn poll_discard(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<u64, ()>>> {
        let length = |data: T::Data| u64::try_from(data.remaining()).unwrap_or(u64::MAX);
        self.poll_frame(cx).map(|frame| {
            let frame = frame?.map_err(drop);
            Some(frame.map(|frame| frame.into_data().map_or(0, length)))
        })
    }

    fn min_len(&self) -> u64 {
        self.size_hint().lower()
    }
}

/// When the response to a rejected request can be sent.
pub(crate) enum Answer {
    /// At once.
    Now {
        /// Whether the response has `Connection: close`.
        close: bool,
    },
    /// When the receiver has a value: whether the body was read to its end.
    After(oneshot::Receiver<bool>),
}

/// Starts to read and discard the body of a rejected request.
pub(crate) fn start<B: 'static>(policy: &DrainPolicy, request: Request<B>) -> Answer {
    let (head, body) = request.into_parts();
    let mut slot = Some(body);
    match KNOWN.iter().chain(&policy.types).find_map(|take| take(&mut slot)) {
        Some(Taken::Ended) => Answer::Now { close: false },
        Some(Taken::Open(body)) => start_with(policy, &head, body),
        None => Answer::Now { close: head.version <= Version::HTTP_11 && announces_body(&head.headers) },
    }
}

/// The same for a body of which some was read.
pub(crate) fn start_with(policy: &DrainPolicy, head: &Parts, body: Pin<Box<dyn Discard + Send>>) -> Answer {
    let closes = head.version <= Version::HTTP_11;
    let runtime = match Handle::try_current() {
        Ok(runtime) if !policy.is_off() => runtime,
        _ => return Answer::Now { close: closes },
    };
    let limits = Limits { bytes: policy.bytes, time: policy.time };
    let expects = closes && head.headers.contains_key(EXPECT);
    if !closes || expects || body.min_len() > limits.bytes {
        // Reading earlier would make the server send `100 Continue` before the rejection.
        let pause = if expects { LINGER.min(limits.time) } else { Duration::ZERO };
        runtime.spawn(async move {
            sleep(pause).await;
            linger(body, limits).await;
        });
        return Answer::Now { close: closes };
    }
    let (sender, receiver) = oneshot::channel();
    runtime.spawn(discard(body, limits, sender));
    Answer::After(receiver)
}

/// Returns whether the header fields of a request announce a body, for a body of an unknown type.
fn announces_body(headers: &HeaderMap) -> bool {
    let is_zero = |value: &http::HeaderValue| value.as_bytes().iter().all(|digit| *digit == b'0');
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| !is_zero(length))
}

struct Limits {
    bytes: u64,
    time: Duration,
}

/// Reads within the limits, and signals when the response can be sent.
async fn discard(mut body: Pin<Box<dyn Discard + Send>>, limits: Limits, mut sender: oneshot::Sender<bool>) {
    let deadline = Instant::now() + limits.time;
    let mut reading = pin!(read(&mut body, limits.bytes));
    let ended = {
        let abandoned = pin!(sender.closed());
        match timeout(GRACE.min(limits.time), select(reading.as_mut(), abandoned)).await {
            Ok(Either::Left((ended, _))) => Some(ended),
            Ok(Either::Right(_)) => return, // the response future was dropped
            Err(_) => None,
        }
    };
    if sender.send(ended == Some(true)).is_err() {
        return;
    }
    match ended {
        Some(true) => {}
        Some(false) => timeout_at(deadline, sleep(LINGER)).await.unwrap_or_default(),
        None => drop(timeout_at(deadline, reading).await),
    }
}

/// Reads within the limits, for a response that was sent already.
async fn linger(mut body: Pin<Box<dyn Discard + Send>>, limits: Limits) {
    let deadline = Instant::now() + limits.time;
    if timeout_at(deadline, read(&mut body, limits.bytes)).await == Ok(false) {
        timeout_at(deadline, sleep(LINGER)).await.unwrap_or_default();
    }
}

/// Reads a body, and returns whether it ended within this many bytes. A body that fails has ended: no more bytes will come.
async fn read(body: &mut Pin<Box<dyn Discard + Send>>, mut remaining: u64) -> bool {
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_discard(cx)).await {
        let Ok(length) = frame else {
            return true;
        };
        // An empty frame counts as one byte: there could be endlessly many of them.
        let Some(rest) = remaining.checked_sub(length.max(1)) else {
            return false;
        };
        remaining = rest;
        tokio::task::coop::consume_budget().await;
    }
    true
}
