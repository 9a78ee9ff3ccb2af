//! The future of a response. It is boxed only if the request has to wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, CONNECTION, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tower_service::Service;

use crate::config::PopConfig;
use crate::drain::{self, Answer, DrainPolicy};
use crate::rejection::{DPOP_NONCE, RejectionHandler};
use crate::telemetry::RequestCounter;
use crate::verifier::{ResponseFields, Verdict};

pin_project! {
    /// The future of a [`PopService`](crate::PopService).
    pub struct ResponseFuture<S, H, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, H, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, H, B>
    where
        S: Service<Request<B>>,
    {
        Waiting {
            verdict: Pin<Box<dyn Future<Output = Verdict> + Send>>,
            waiting: Option<Waiting<S, H, B>>,
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

pub(crate) struct Waiting<S, H, B> {
    pub(crate) parts: Parts,
    pub(crate) body: B,
    pub(crate) inner: S,
    pub(crate) cfg: Arc<PopConfig>,
    pub(crate) handler: H,
    pub(crate) counter: RequestCounter,
}

impl<S, H, B> ResponseFuture<S, H, B>
where
    S: Service<Request<B>>,
{
    pub(crate) fn called(future: S::Future, fields: Option<ResponseFields>, counter: RequestCounter) -> Self {
        Self { state: State::Called { future, fields, counter } }
    }

    pub(crate) fn waiting(verdict: Pin<Box<dyn Future<Output = Verdict> + Send>>, waiting: Waiting<S, H, B>) -> Self {
        Self { state: State::Waiting { verdict, waiting: Some(waiting) } }
    }
}

impl<S, H, B, ResBody> ResponseFuture<S, H, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    B: 'static,
{
    /// A request that does not reach the inner service. Its body is discarded.
    pub(crate) fn answered(response: Response<ResBody>, request: Request<B>, policy: &DrainPolicy) -> Self {
        Self { state: State::answered(response, request, policy) }
    }
}

impl<S, H, B, ResBody> State<S, H, B>
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

impl<S, H, B, ResBody> Future for ResponseFuture<S, H, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    H: RejectionHandler<ResBody>,
    B: 'static,
{
    type Output = Result<Response<ResBody>, S::Error>;

    /// # Panics
    /// If it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Waiting { verdict, waiting } => {
                    let verdict = ready!(verdict.as_mut().poll(cx));
                    let Waiting { mut parts, body, mut inner, cfg, handler, mut counter } = taken(waiting);
                    match verdict {
                        Ok(admitted) => {
                            let (fields, status) = admitted.insert_into(&mut parts, &cfg, handler.erased());
                            counter.set(status);
                            let future = inner.call(Request::from_parts(parts, body));
                            State::Called { future, fields: Some(fields), counter }
                        }
                        Err(rejection) => {
                            counter.rejected(rejection.error(), rejection.explanation());
                            let response = rejection.render_with(&handler, &mut parts);
                            State::answered(response, Request::from_parts(parts, body), &cfg.state.drain)
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
                    // An error means that the task ended without reading the body.
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
        // There is at most one (RFC 9449 §8).
        headers.insert(DPOP_NONCE, nonce);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(certificate_field) = fields.vary {
        headers.append(VARY, certificate_field);
    }
}

/// Announces that the connection ends with this response, because the request body was not read to its end (RFC 9112 §9.6).
fn announce(close: bool, headers: &mut HeaderMap) {
    if close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

fn taken<T>(slot: &mut Option<T>) -> T {
    slot.take().unwrap_or_else(|| panic!("a ResponseFuture was polled after it was ready"))
}

impl<S, H, B> fmt::Debug for ResponseFuture<S, H, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
