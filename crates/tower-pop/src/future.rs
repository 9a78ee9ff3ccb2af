//! The future of a response, boxed only where it had to wait for keys or for a replay store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::config::PopConfig;
use crate::rejection::{DPOP_NONCE, RejectionHandler};
use crate::service::admit;
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
        },
        Answered {
            response: Option<S::Response>,
        },
    }
}

struct Waiting<S, R, B> {
    request: Request<B>,
    inner: S,
    cfg: Arc<PopConfig>,
    on_rejection: R,
}

impl<S, R, B> ResponseFuture<S, R, B>
where
    S: Service<Request<B>>,
{
    pub(crate) fn called(future: S::Future, fields: Option<ResponseFields>) -> Self {
        Self { state: State::Called { future, fields } }
    }

    pub(crate) fn answered(response: S::Response) -> Self {
        Self { state: State::Answered { response: Some(response) } }
    }

    pub(crate) fn waiting(
        verdict: Pin<Box<dyn Future<Output = Verdict> + Send>>,
        request: Request<B>,
        inner: S,
        cfg: Arc<PopConfig>,
        on_rejection: R,
    ) -> Self {
        let waiting = Some(Waiting { request, inner, cfg, on_rejection });
        Self { state: State::Waiting { verdict, waiting } }
    }
}

impl<S, R, B, ResBody> Future for ResponseFuture<S, R, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    R: RejectionHandler<ResBody>,
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
                    let Waiting { request, mut inner, cfg, on_rejection } = taken(waiting);
                    match verdict {
                        Ok(admitted) => {
                            let (request, fields) = admit(&cfg, request, admitted);
                            State::Called { future: inner.call(request), fields: Some(fields) }
                        }
                        Err(rejection) => State::Answered { response: Some(on_rejection.respond(&rejection)) },
                    }
                }
                StateProj::Called { future, fields } => {
                    let mut response = ready!(future.poll(cx))?;
                    if let Some(fields) = fields.take() {
                        add(fields, response.headers_mut());
                    }
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
