//! The future of a response, boxed only where it had to wait for keys or for a replay store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, CONNECTION, VARY};
use http::{HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use pop_core::Error;
use tokio::sync::oneshot;
use tower_service::Service;

use crate::config::PopConfig;
use crate::drain::{self, Answer, DrainPolicy};
use crate::rejection::{DPOP_NONCE, Rejection, RejectionHandler};
use crate::telemetry::RequestCounter;
use crate::verifier::{ResponseFields, Verdict};

pin_project! {
    /// The future of a [`PopService`](crate::PopService).
    pub struct ResponseFuture<S, R, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, R, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, R, B>
    where
        S: Service<Request<B>>,
    {
        Waiting {
            verdict: Pin<Box<dyn Future<Output = Verdict> + Send>>,
            waiting: Option<Waiting<S, R, B>>,
        },
        Called {
            #[pin]
            future: S::Future,
            fields: Option<ResponseFields>,
            counter: RequestCounter,
        },
        Draining {
            ended: oneshot::Receiver<bool>,
            response: Option<S::Response>,
        },
        Answered {
            response: Option<S::Response>,
        },
    }
}

pub(crate) struct Waiting<S, R, B> {
    pub(crate) request: Request<B>,
    pub(crate) inner: S,
    pub(crate) cfg: Arc<PopConfig>,
    pub(crate) on_rejection: R,
    pub(crate) counter: RequestCounter,
}

impl<S, R, B> ResponseFuture<S, R, B>
where
    S: Service<Request<B>>,
{
    pub(crate) fn called(future: S::Future, fields: Option<ResponseFields>, counter: RequestCounter) -> Self {
        Self { state: State::Called { future, fields, counter } }
    }

    pub(crate) fn waiting(verdict: Pin<Box<dyn Future<Output = Verdict> + Send>>, waiting: Waiting<S, R, B>) -> Self {
        Self { state: State::Waiting { verdict, waiting: Some(waiting) } }
    }
}

impl<S, R, B, ResBody> ResponseFuture<S, R, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    B: 'static,
{
    /// The answer to a request that does not reach the inner service. Its body is discarded.
    pub(crate) fn answered(response: Response<ResBody>, request: Request<B>, policy: &DrainPolicy) -> Self {
        Self { state: State::answered(response, request, policy) }
    }
}

impl<S, R, B, ResBody> State<S, R, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    B: 'static,
{
    fn answered(mut response: Response<ResBody>, request: Request<B>, policy: &DrainPolicy) -> Self {
        match drain::start(policy, request) {
            Answer::Now { close } => {
                announce(close, response.headers_mut());
                Self::Answered { response: Some(response) }
            }
            Answer::After(ended) => Self::Draining { ended, response: Some(response) },
        }
    }
}

/// The response to a rejection. The error is in its extensions whatever the handler does, so that layers around this one
/// count it.
pub(crate) fn respond<R: RejectionHandler<ResBody>, ResBody>(handler: &R, rejection: &Rejection) -> Response<ResBody> {
    let mut response = handler.respond(rejection);
    if response.extensions().get::<Error>().is_none() {
        response.extensions_mut().insert(rejection.error().clone());
    }
    response
}

impl<S, R, B, ResBody> Future for ResponseFuture<S, R, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    R: RejectionHandler<ResBody>,
    B: 'static,
{
    type Output = Result<Response<ResBody>, S::Error>;

    /// # Panics
    /// When polled again after it was ready, as futures may.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Waiting { verdict, waiting } => {
                    let verdict = ready!(verdict.as_mut().poll(cx));
                    let Waiting { request, mut inner, cfg, on_rejection, mut counter } = taken(waiting);
                    match verdict {
                        Ok(admitted) => {
                            let (request, fields, status) = admitted.insert_into(request, &cfg);
                            counter.set(status);
                            State::Called { future: inner.call(request), fields: Some(fields), counter }
                        }
                        Err(rejection) => {
                            counter.rejected(rejection.error(), rejection.explanation());
                            State::answered(respond(&on_rejection, &rejection), request, &cfg.state.drain)
                        }
                    }
                }
                StateProj::Called { future, fields, counter } => {
                    let mut response = match ready!(future.poll(cx)) {
                        Ok(response) => response,
                        Err(error) => {
                            counter.failed();
                            return Poll::Ready(Err(error));
                        }
                    };
                    counter.answered(response.extensions());
                    if let Some(fields) = fields.take() {
                        add(fields, response.headers_mut());
                    }
                    return Poll::Ready(Ok(response));
                }
                StateProj::Draining { ended, response } => {
                    // An error means that the task is gone, and the body with it.
                    let ended = ready!(Pin::new(ended).poll(cx)).unwrap_or(false);
                    let mut response = taken(response);
                    announce(!ended, response.headers_mut());
                    return Poll::Ready(Ok(response));
                }
                StateProj::Answered { response } => return Poll::Ready(Ok(taken(response))),
            };
            state.set(next);
        }
    }
}

fn add(fields: ResponseFields, headers: &mut HeaderMap) {
    if let Some(nonce) = fields.nonce {
        // Replaces whatever the application set: there is at most one (RFC 9449 §8).
        headers.insert(DPOP_NONCE, nonce);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(certificate_field) = fields.vary {
        headers.append(VARY, certificate_field);
    }
}

/// Says that the connection ends with this response, because the request's body was not read to its end (RFC 9112 §9.6).
fn announce(close: bool, headers: &mut HeaderMap) {
    if close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

fn taken<T>(slot: &mut Option<T>) -> T {
    slot.take().unwrap_or_else(|| panic!("a ResponseFuture was polled after it was ready"))
}

impl<S, R, B> fmt::Debug for ResponseFuture<S, R, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
