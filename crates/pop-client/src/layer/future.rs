//! The future of a response: one exchange, and at most one more for each reason to repeat the request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use reqwest::Url;
use tower_service::Service;

use super::BoxError;
use super::body::{Handle, RepeatableBody};
use super::error::ProofServiceError;
use super::request_uri::url_of;
use super::settings::Settings;
use crate::error::ClientError;
use crate::signer::{Answer, Content, Covered, Repetitions, Unsigned};

pin_project! {
    /// The future of a [`ProofService`](crate::ProofService).
    pub struct ProofFuture<S, B>
    where
        S: Service<Request<RepeatableBody<B>>>,
    {
        inner: S,
        call: Option<Call<B>>,
        #[pin]
        state: State<S::Future, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> {
        Failed { error: Option<ProofServiceError> },
        Sent { #[pin] response: F },
        // The inner service is not ready for the repetition yet.
        Waiting { body: Option<RepeatableBody<B>> },
    }
}

/// What is kept of a request, to send it again.
struct Call<B> {
    settings: Arc<Settings>,
    head: Parts,
    url: Url,
    body: Handle<B>,
    repetitions: Repetitions,
}

impl<S, B> ProofFuture<S, B>
where
    S: Service<Request<RepeatableBody<B>>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(super) fn start(mut inner: S, settings: Arc<Settings>, request: Request<B>) -> Self {
        let (mut head, body) = request.into_parts();
        let checked = settings.destination.check_host(&head.headers);
        let url = match checked.and_then(|()| url_of(&mut head.uri, &settings.destination)) {
            Ok(url) => url,
            Err(error) => return Self::failed(inner, error.into()),
        };
        let (body, handle) = RepeatableBody::new(body, settings.max_kept_len);
        let call = Call { settings, head, url, body: handle, repetitions: Repetitions::default() };
        match call.sign(body) {
            Ok(request) => {
                let response = inner.call(request);
                Self { inner, call: Some(call), state: State::Sent { response } }
            }
            Err(error) => Self::failed(inner, error),
        }
    }

    fn failed(inner: S, error: ClientError) -> Self {
        Self { inner, call: None, state: State::Failed { error: Some(ProofServiceError::Request(error)) } }
    }
}

impl<B> Call<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// Returns the request with the token and a new proof.
    fn sign(&self, body: RepeatableBody<B>) -> Result<Request<RepeatableBody<B>>, ClientError> {
        let mut head = self.head.clone();
        let content = if body.is_end_stream() { Content::None } else { Content::Stream };
        let mut unsigned = Unsigned { method: self.head.method.as_str(), url: &self.url, headers: &mut head.headers };
        let Settings { signer, destination, .. } = &*self.settings;
        signer.sign(&mut unsigned, destination.origin(), Covered { content, fields: &[] })?;
        Ok(Request::from_parts(head, body))
    }

    /// Stores what the response says. Returns the body to send again, if the request is to be repeated.
    fn repetition<ResBody>(&mut self, response: &Response<ResBody>) -> Option<RepeatableBody<B>> {
        let Settings { signer, destination, .. } = &*self.settings;
        let headers = response.headers();
        let status = http_status(response.status(), headers);
        let asks_for_nonce = signer.head_asks_for_nonce(status, headers);
        let answer = Answer { url: &self.url, status, headers, asks_for_nonce };
        if !self.repetitions.next(signer, destination.origin(), &answer) {
            return None;
        }
        let (body, handle) = self.body.repeat()?;
        self.body = handle;
        Some(body)
    }
}

/// Returns the status of a response. A gRPC response that has no message may have it in a field only.
fn http_status(status: StatusCode, headers: &HeaderMap) -> StatusCode {
    let is_unauthenticated = headers.get("grpc-status").is_some_and(|code| code == "16");
    if is_unauthenticated { StatusCode::UNAUTHORIZED } else { status }
}

impl<S, B, ResBody> Future for ProofFuture<S, B>
where
    S: Service<Request<RepeatableBody<B>>, Response = Response<ResBody>>,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<ResBody>, ProofServiceError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let failed = |error: S::Error| ProofServiceError::Service(error.into());
        loop {
            match this.state.as_mut().project() {
                StateProj::Failed { error } => {
                    let error = error.take().unwrap_or_else(|| unreachable!("polled after completion"));
                    return Poll::Ready(Err(error));
                }
                StateProj::Sent { response } => {
                    let response = ready!(response.poll(cx)).map_err(failed)?;
                    let body = this.call.as_mut().and_then(|call| call.repetition(&response));
                    let Some(body) = body else {
                        return Poll::Ready(Ok(response));
                    };
                    this.state.set(State::Waiting { body: Some(body) });
                }
                StateProj::Waiting { body } => {
                    ready!(this.inner.poll_ready(cx)).map_err(failed)?;
                    let (Some(call), Some(body)) = (this.call.as_mut(), body.take()) else {
                        unreachable!("polled after completion");
                    };
                    match call.sign(body) {
                        Ok(request) => {
                            let response = this.inner.call(request);
                            this.state.set(State::Sent { response });
                        }
                        Err(error) => return Poll::Ready(Err(ProofServiceError::Request(error))),
                    }
                }
            }
        }
    }
}

impl<S, B> fmt::Debug for ProofFuture<S, B>
where
    S: Service<Request<RepeatableBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofFuture(..)")
    }
}
