//! `rmcp` sends the requests and reads the responses. This adds the token and a new proof to each request.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use pop_client::{BoundToken, DpopKey, ProofMethod, RequestSigner, SignableRequest};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::Sse;

type Headers = HashMap<HeaderName, HeaderValue>;
type Outcome<T> = Result<T, StreamableHttpError<reqwest::Error>>;

/// The HTTP client of `rmcp`, with a DPoP-bound token.
#[derive(Clone)]
pub(crate) struct SignedHttp {
    http: reqwest::Client,
    signer: RequestSigner,
}

impl SignedHttp {
    pub(crate) fn new(key: DpopKey, token: impl Into<String>) -> reqwest::Result<Self> {
        let redirects = reqwest::redirect::Policy::none(); // each needs a new proof
        let http = reqwest::Client::builder().redirect(redirects).build()?;
        Ok(Self { http, signer: RequestSigner::new(BoundToken::new(token, ProofMethod::Dpop(key))) })
    }

    /// Sends a request to the URL that its proof names, and once again if the server asks for a nonce.
    async fn send<T, F>(
        &self,
        method: &Method,
        url: &str,
        headers: Headers,
        request: impl Fn(Arc<str>, Headers) -> F,
    ) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>>,
    {
        let signed = || -> Outcome<(Arc<str>, Headers)> {
            let (mut headers, signable) = (headers.clone(), self.signable(method, url)?);
            let fields = self.sign(&signable)?;
            headers.extend(fields.into_iter().filter_map(|(name, value)| Some((name?, value))));
            Ok((signable.url().as_str().into(), headers))
        };
        let (to, fields) = signed()?;
        let outcome = request(to, fields).await;
        if is_rejected(&outcome) && self.renew_nonce(method, url).await? {
            let (to, fields) = signed()?;
            return request(to, fields).await;
        }
        outcome
    }

    /// Returns whether the request is to be sent again. `rmcp` shows no header fields of responses, so an empty request gets the
    /// challenge again, with the nonce. If its proof is accepted, another request has got the nonce meanwhile.
    async fn renew_nonce(&self, method: &Method, url: &str) -> Outcome<bool> {
        let mut request = self.signable(method, url)?;
        let fields = self.sign(&request)?;
        let response = self.http.request(method.clone(), request.url().clone()).headers(fields).send().await?;
        let is_accepted = response.status() != StatusCode::UNAUTHORIZED && response.status() != StatusCode::FORBIDDEN;
        Ok(request.repeats(response.status(), response.headers()) || is_accepted)
    }

    fn signable<'r>(&'r self, method: &'r Method, url: &str) -> Outcome<SignableRequest<'r>> {
        Ok(self.signer.request(method.as_str(), url).map_err(io::Error::other)?)
    }

    /// Returns the token and a proof as header fields.
    fn sign(&self, request: &SignableRequest<'_>) -> Outcome<HeaderMap> {
        let mut fields = HeaderMap::new();
        request.sign(&mut fields).map_err(io::Error::other)?;
        Ok(fields)
    }
}

/// `rmcp` shows only the first challenge of a response, and only the status of a DELETE.
fn is_rejected<T>(outcome: &Outcome<T>) -> bool {
    match outcome {
        Err(StreamableHttpError::AuthRequired(_)) => true,
        Err(StreamableHttpError::Client(error)) => error.status() == Some(StatusCode::UNAUTHORIZED),
        _ => false,
    }
}

/// `_token` is what `rmcp` would send under the scheme `Bearer`.
impl StreamableHttpClient for SignedHttp {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        url: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _token: Option<String>,
        headers: Headers,
    ) -> Outcome<StreamableHttpPostResponse> {
        let post = |url, headers| self.http.post_message(url, message.clone(), session.clone(), None, headers);
        self.send(&Method::POST, &url, headers, post).await
    }

    async fn get_stream(
        &self,
        url: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        _token: Option<String>,
        headers: Headers,
    ) -> Outcome<BoxStream<'static, Result<Sse, SseError>>> {
        let get = |url, headers| self.http.get_stream(url, session.clone(), last_event.clone(), None, headers);
        self.send(&Method::GET, &url, headers, get).await
    }

    async fn delete_session(
        &self,
        url: Arc<str>,
        session: Arc<str>,
        _token: Option<String>,
        headers: Headers,
    ) -> Outcome<()> {
        let delete = |url, headers| self.http.delete_session(url, session.clone(), None, headers);
        self.send(&Method::DELETE, &url, headers, delete).await
    }
}
