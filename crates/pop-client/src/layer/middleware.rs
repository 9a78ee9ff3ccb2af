//! The layer as a middleware of `reqwest-middleware`.

use std::time::Duration;

use async_trait::async_trait;
use http::Extensions;
use reqwest::{Body, Request, Response};
use reqwest_middleware::{Error, Middleware, Next};

use super::body::{Handle, RepeatableBody};
use super::proof_layer::ProofLayer;
use super::settings::Settings;
use crate::error::ClientError;
use crate::error_response::check_for_nonce_challenge;
use crate::signer::{Answer, Content, Covered, Repetitions, Unsigned};

/// The maximum time to read an error response that has no challenge.
const ERROR_TIMEOUT: Duration = Duration::from_secs(60);

/// What is kept of a request, to send it again.
struct Kept {
    /// Without the body, if that is a stream.
    request: Option<Request>,
    stream: Option<Handle<Body>>,
}

impl Kept {
    /// Keeps a copy of a request, and of the beginning of a stream while it is sent.
    fn of(request: &mut Request, max_kept_len: usize) -> Self {
        if let Some(request) = request.try_clone() {
            return Self { request: Some(request), stream: None };
        }
        let stream = request.body_mut().take();
        let head = request.try_clone();
        let stream = stream.map(|stream| {
            let (body, handle) = RepeatableBody::new(stream, max_kept_len);
            *request.body_mut() = Some(Body::wrap(body));
            handle
        });
        Self { request: head, stream }
    }

    fn content(&self) -> Content<'_> {
        match self.request.as_ref().and_then(Request::body).map(Body::as_bytes) {
            _ if self.stream.is_some() => Content::Stream,
            None => Content::None,
            Some(bytes) => bytes.map_or(Content::Stream, Content::Bytes),
        }
    }

    /// Returns the request to send again. Returns `None` if too much of its stream was sent.
    fn into_request(self) -> Option<Request> {
        let mut request = self.request?;
        if let Some(stream) = self.stream {
            *request.body_mut() = Some(Body::wrap(stream.repeat()?.0));
        }
        Some(request)
    }
}

impl ProofLayer {
    fn sign(&self, request: &mut Request, content: Content<'_>) -> Result<(), ClientError> {
        let Settings { signer, destination, .. } = &self.settings;
        destination.check_host(request.headers())?;
        let (method, url) = (request.method().clone(), request.url().clone());
        let mut unsigned = Unsigned { method: method.as_str(), url: &url, headers: request.headers_mut() };
        signer.sign(&mut unsigned, destination.origin(), Covered { content, fields: &[] })
    }
}

/// A request that cannot be signed, or is for another origin, fails with a [`ClientError`] in
/// [`Error::Middleware`](reqwest_middleware::Error::Middleware). The `reqwest` client must not follow redirects: they would
/// have the proof of the first request.
///
/// ```
/// # fn client(token: pop_client::BoundToken) -> Result<(), Box<dyn std::error::Error>> {
/// let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
/// let client = reqwest_middleware::ClientBuilder::new(client)
///     .with(pop_client::ProofLayer::new(token, "https://api.example")?)
///     .build();
/// # drop(client);
/// # Ok(()) }
/// ```
#[async_trait]
impl Middleware for ProofLayer {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let Settings { signer, destination, max_kept_len } = &self.settings;
        let not_sent = |error: ClientError| Error::middleware(error);
        let url = destination.checked(request.url()).map_err(|error| not_sent(error.into()))?;
        *request.url_mut() = url.clone();
        let mut repetitions = Repetitions::default();
        loop {
            let kept = Kept::of(&mut request, *max_kept_len);
            self.sign(&mut request, kept.content()).map_err(not_sent)?;
            let response = next.clone().run(request, extensions).await?;
            let (response, asks_for_nonce) = check_for_nonce_challenge(response, signer, &url, ERROR_TIMEOUT).await;
            let answer = Answer { url: &url, status: response.status(), headers: response.headers(), asks_for_nonce };
            if !repetitions.next(signer, destination.origin(), &answer) {
                return Ok(response);
            }
            match kept.into_request() {
                Some(again) => request = again,
                None => return Ok(response),
            }
        }
    }
}
