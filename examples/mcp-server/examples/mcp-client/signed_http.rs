//! `rmcp` sends the requests and reads the responses. This adds the token and a new proof to each request.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use pop_client::pop_core::target::Origin;
use pop_client::{DpopKey, NonceMemory, Proof, Role};
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
    key: DpopKey,
    token: Arc<str>,
    nonces: NonceMemory,
}

impl SignedHttp {
    pub(crate) fn new(key: DpopKey, token: impl Into<Arc<str>>) -> reqwest::Result<Self> {
        let redirects = reqwest::redirect::Policy::none(); // each needs a new proof
        let http = reqwest::Client::builder().redirect(redirects).build()?;
        Ok(Self { http, key, token: token.into(), nonces: NonceMemory::default() })
    }

    /// Sends a request, and once again if the server asks for a nonce.
    async fn send<T, F>(&self, method: &str, url: &str, headers: Headers, request: impl Fn(Headers) -> F) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>>,
    {
        let outcome = request(self.signed(method, url, headers.clone())?).await;
        if asks_for_nonce(&outcome) && self.fetch_nonce(method, url).await? {
            return request(self.signed(method, url, headers)?).await;
        }
        outcome
    }

    /// `rmcp` shows no header fields of responses. So an empty request gets the challenge again, with the nonce.
    async fn fetch_nonce(&self, method: &str, url: &str) -> Outcome<bool> {
        let method = Method::from_bytes(method.as_bytes()).map_err(io::Error::other)?;
        let headers = self.signed(method.as_str(), url, Headers::new())?.into_iter().collect();
        let response = self.http.request(method, url).headers(headers).send().await?;
        let learned = self.nonces.learn(Role::ResourceServer, &origin(url)?, response.headers());
        Ok(learned.map_err(io::Error::other)?)
    }

    /// Adds the token and a proof.
    fn signed(&self, method: &str, url: &str, mut headers: Headers) -> Outcome<Headers> {
        let nonce = self.nonces.newest(Role::ResourceServer, &origin(url)?);
        let proof = Proof::new(method, url).access_token(&self.token).nonce(nonce.as_deref());
        let proof = proof.sign(&self.key).map_err(io::Error::other)?;
        let fields = [(AUTHORIZATION, format!("DPoP {}", self.token)), (HeaderName::from_static("dpop"), proof)];
        for (name, value) in fields {
            let mut value = HeaderValue::try_from(value).map_err(io::Error::other)?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

fn origin(url: &str) -> io::Result<Origin> {
    Origin::of(url).map_err(io::Error::other)
}

fn asks_for_nonce<T>(outcome: &Outcome<T>) -> bool {
    match outcome {
        Err(StreamableHttpError::AuthRequired(challenge)) => {
            challenge.www_authenticate_header.contains("use_dpop_nonce")
        }
        Err(StreamableHttpError::Client(error)) => error.status() == Some(StatusCode::UNAUTHORIZED), // of a DELETE
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
        let post = |headers| self.http.post_message(url.clone(), message.clone(), session.clone(), None, headers);
        self.send("POST", &url, headers, post).await
    }

    async fn get_stream(
        &self,
        url: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        _token: Option<String>,
        headers: Headers,
    ) -> Outcome<BoxStream<'static, Result<Sse, SseError>>> {
        let get = |headers| self.http.get_stream(url.clone(), session.clone(), last_event.clone(), None, headers);
        self.send("GET", &url, headers, get).await
    }

    async fn delete_session(
        &self,
        url: Arc<str>,
        session: Arc<str>,
        _token: Option<String>,
        headers: Headers,
    ) -> Outcome<()> {
        let delete = |headers| self.http.delete_session(url.clone(), session.clone(), None, headers);
        self.send("DELETE", &url, headers, delete).await
    }
}
