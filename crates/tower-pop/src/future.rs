//! The future of a response. It is boxed only if the request has to wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, CONNECTION, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tower_service::Service;

use crate::config::PopConfig;
use crate::content::{HeadOnly, Read, ReadContent, Reading, Rest};
use crate::drain::{self, Answer, DrainPolicy};
use crate::rejection::{DPOP_NONCE, RejectionHandler};
use crate::telemetry::RequestCounter;
use crate::verifier::{ContentCheck, Decision, DecisionFuture, ResponseFields};

pin_project! {
    /// The future of a [`PopService`](crate::PopService).
    pub struct ResponseFuture<S, H, B, C = HeadOnly>
    where
        C: ReadContent<B>,
        S: Service<Request<C::Body>>,
    {
        #[pin]
        state: State<S, H, B, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, H, B, C>
    where
        C: ReadContent<B>,
        S: Service<Request<C::Body>>,
    {
        Waiting {
            decision: DecisionFuture,
            waiting: Option<Waiting<S, H, C>>,
            body: Option<B>,
        },
        Reading {
            reading: Pin<Box<dyn Future<Output = Read<C::Body, B>> + Send>>,
            waiting: Option<Waiting<S, H, C>>,
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

/// What a request needs to go on.
pub(crate) struct Waiting<S, H, C> {
    pub(crate) parts: Parts,
    pub(crate) inner: S,
    pub(crate) cfg: Arc<PopConfig>,
    pub(crate) handler: H,
    pub(crate) counter: RequestCounter,
    pub(crate) content: C,
}

impl<S, H, B, C> ResponseFuture<S, H, B, C>
where
    C: ReadContent<B>,
    S: Service<Request<C::Body>>,
{
    pub(crate) fn called(future: S::Future, fields: Option<ResponseFields>, counter: RequestCounter) -> Self {
        Self { state: State::Called { future, fields, counter } }
    }

    pub(crate) fn waiting(decision: DecisionFuture, waiting: Waiting<S, H, C>, body: B) -> Self {
        Self { state: State::Waiting { decision, waiting: Some(waiting), body: Some(body) } }
    }
}

impl<S, H, B, C, ResBody> ResponseFuture<S, H, B, C>
where
    C: ReadContent<B>,
    S: Service<Request<C::Body>, Response = Response<ResBody>>,
    B: 'static,
{
    /// A request that does not reach the inner service. Its body is discarded.
    pub(crate) fn answered(response: Response<ResBody>, request: Request<B>, policy: &DrainPolicy) -> Self {
        Self { state: State::answered(response, drain::start(policy, request)) }
    }
}

impl<S, H, B, C, ResBody> ResponseFuture<S, H, B, C>
where
    C: ReadContent<B>,
    S: Service<Request<C::Body>, Response = Response<ResBody>>,
    H: RejectionHandler<ResBody>,
    B: 'static,
{
    /// A request whose content decides.
    pub(crate) fn content(check: Box<ContentCheck>, waiting: Waiting<S, H, C>, body: B) -> Self {
        Self { state: State::content(check, waiting, body) }
    }
}

impl<S, H, B, C, ResBody> State<S, H, B, C>
where
    C: ReadContent<B>,
    S: Service<Request<C::Body>, Response = Response<ResBody>>,
    B: 'static,
{
    fn answered(mut response: Response<ResBody>, answer: Answer) -> Self {
        match answer {
            Answer::Now { close } => {
                announce(close, response.headers_mut());
                Self::Answered { response: Some(response) }
            }
            Answer::After(ended) => Self::Draining { ended, response: Some(response) },
        }
    }
}

impl<S, H, B, C, ResBody> State<S, H, B, C>
where
    C: ReadContent<B>,
    S: Service<Request<C::Body>, Response = Response<ResBody>>,
    H: RejectionHandler<ResBody>,
    B: 'static,
{
    fn content(check: Box<ContentCheck>, waiting: Waiting<S, H, C>, body: B) -> Self {
        match waiting.content.read(check, body) {
            Reading::Now(read) => Self::concluded(read, waiting),
            Reading::Later(reading) => Self::Reading { reading, waiting: Some(waiting) },
        }
    }

    fn decided(decision: Decision, waiting: Waiting<S, H, C>, body: B) -> Self {
        match decision {
            Decision::Content(check) => Self::content(check, waiting, body),
            Decision::Verdict(verdict) => {
                let read = Read::of_body(verdict, body, |body| waiting.content.unread(body));
                Self::concluded(read, waiting)
            }
        }
    }

    fn concluded(read: Read<C::Body, B>, waiting: Waiting<S, H, C>) -> Self {
        let Waiting { mut parts, mut inner, cfg, handler, mut counter, .. } = waiting;
        match read {
            Read::Accepted(admitted, body) => {
                let (fields, status) = admitted.insert_into(&mut parts, &cfg, handler.erased());
                counter.set(status);
                let future = inner.call(Request::from_parts(parts, body));
                Self::Called { future, fields: Some(fields), counter }
            }
            Read::Rejected(rejection, rest) => {
                counter.rejected(rejection.error(), rejection.explanation());
                let response = rejection.render_with(&handler, &mut parts);
                let policy = &cfg.state.drain;
                let answer = match rest {
                    Rest::Whole(body) => drain::start(policy, Request::from_parts(parts, body)),
                    Rest::Open(body) => drain::start_with(policy, &parts, body),
                    Rest::Nothing => Answer::Now { close: false },
                };
                Self::answered(response, answer)
            }
        }
    }
}

impl<S, H, B, C, ResBody> Future for ResponseFuture<S, H, B, C>
where
    C: ReadContent<B>,
    S: Service<Request<C::Body>, Response = Response<ResBody>>,
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
                StateProj::Waiting { decision, waiting, body } => {
                    let decision = ready!(decision.as_mut().poll(cx));
                    State::decided(decision, taken(waiting), taken(body))
                }
                StateProj::Reading { reading, waiting } => {
                    let read = ready!(reading.as_mut().poll(cx));
                    State::concluded(read, taken(waiting))
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

const AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("authentication-info");

fn add(fields: ResponseFields, headers: &mut HeaderMap) {
    if let Some(nonce) = fields.nonce {
        // There is at most one (RFC 9449 §8).
        headers.insert(DPOP_NONCE, nonce);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(authentication_info) = fields.authentication_info {
        headers.insert(AUTHENTICATION_INFO, authentication_info);
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

impl<S, H, B, C> fmt::Debug for ResponseFuture<S, H, B, C>
where
    C: ReadContent<B>,
    S: Service<Request<C::Body>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
