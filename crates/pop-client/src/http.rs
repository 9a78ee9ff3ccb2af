//! Calls of protected resources: `client.get(url).send()` signs a proof for each request, keeps the newest nonce, answers
//! one nonce challenge, and follows redirects within the origin only.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body::Body as _;
use pop_core::target::Origin;
use reqwest::{Request, Response, ResponseBuilderExt, Url};
use serde::Serialize;

use crate::DpopKey;
use crate::challenge::Challenge;
use crate::error::{ClientError, HttpError, shown};
use crate::json;
use crate::nonce::{MalformedNonce, NonceMemory, Role, Standing};
use crate::options::ClientOptions;
use crate::proof::{Proof, unix_now};
use crate::server_clock::ServerClock;
use crate::transport::Transport;
use crate::upload::{Resumed, Watch};
use crate::url::{checked_url, origin_of};

pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");
const USE_NONCE: &str = "use_dpop_nonce";
/// Redirects that are followed for one request.
const MAX_REDIRECTS: usize = 5;
/// Bytes that an OAuth error without a challenge may have, to be recognised.
const MAX_ERROR_LEN: usize = 8 * 1024;

/// An HTTP client that presents a DPoP-bound access token, always under the `DPoP` scheme. Cheap to clone. `Debug` shows
/// the key's thumbprint only.
#[derive(Clone)]
pub struct DpopClient {
    transport: Transport,
    key: DpopKey,
    token: String,
    nonces: NonceMemory,
    server_clock: Option<ServerClock>,
}

impl DpopClient {
    /// A client for this token and the key it is bound to, with default [`ClientOptions`].
    ///
    /// # Errors
    /// [`ClientError::Http`] when TLS cannot be set up.
    pub fn new(key: DpopKey, access_token: impl Into<String>) -> Result<Self, ClientError> {
        Self::with_options(key, access_token, &ClientOptions::default())
    }

    /// As [`new`](Self::new), with limits and settings of your own.
    ///
    /// # Errors
    /// [`ClientError::Options`], or [`ClientError::Http`] when the client cannot be set up.
    pub fn with_options(
        key: DpopKey,
        access_token: impl Into<String>,
        options: &ClientOptions,
    ) -> Result<Self, ClientError> {
        Ok(Self::with(Transport::new(options)?, key, access_token.into(), NonceMemory::default()))
    }

    pub(crate) fn with(transport: Transport, key: DpopKey, token: String, nonces: NonceMemory) -> Self {
        Self { transport, key, token, nonces, server_clock: None }
    }

    /// Dates proofs by each server's clock, as its `Date` fields show it, for machines whose own clock is wrong. A request
    /// that is rejected for its proof is then sent a second time if that server's clock turns out to differ. Off by
    /// default.
    #[must_use]
    pub fn follow_server_clock(mut self) -> Self {
        self.server_clock = Some(ServerClock::default());
        self
    }

    /// Asks the server at this URL for a nonce, by a HEAD request without a body. Returns whether it gave one, now or
    /// earlier. Before a stream, or a first large body, this avoids that the server ends the connection because the nonce
    /// is missing.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`] or [`ClientError::Key`].
    pub async fn warm_up(&self, url: impl AsRef<str>) -> Result<bool, ClientError> {
        let url = self.checked_url(url.as_ref())?;
        let origin = origin_of(&url)?;
        self.fetch_nonce(&url, &origin).await?;
        Ok(self.nonces.newest(Role::ResourceServer, &origin).is_some())
    }

    /// A GET request.
    pub fn get(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A POST request.
    pub fn post(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        let url = self.checked_url(url.as_ref());
        let request = url.map(|url| self.transport.client(&url).request(method, url));
        RequestBuilder { client: self.clone(), request }
    }

    fn checked_url(&self, url: &str) -> Result<Url, ClientError> {
        Ok(checked_url(url, self.transport.options.allow_http)?)
    }

    async fn execute(&self, mut request: Request) -> Result<Response, ClientError> {
        let (mut challenged, mut redated, mut interrupted, mut redirects) = (false, false, false, 0);
        loop {
            let (method, url) = (request.method().clone(), request.url().clone());
            let origin = origin_of(&url)?;
            let delay = self.prepare(&request, &url, &origin).await;
            let (mut sent, again) = Attempt::new(request, delay, self.transport.options.large_body_len);
            self.sign(&mut sent, &origin)?;
            let response = match self.transport.execute(sent, again.watch.as_deref()).await {
                Ok(response) => response,
                Err(error) if again.watch.is_some() && error.broke() => {
                    request = self.recover(error, again, &method, &origin, &mut interrupted)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let learned = self.learn(&origin, &response);
            let clock = self.server_clock.as_ref();
            let clock_differs = clock.is_some_and(|clock| clock.learn(&origin, response.headers()));
            let (response, asks) = self.asks_for_nonce(response, &url).await;
            if asks {
                let renewed = learned.and_then(|present| if present { Ok(()) } else { Err(MalformedNonce) });
                renewed.map_err(ClientError::Nonce)?;
                if challenged {
                    return Err(ClientError::NonceLoop);
                }
                challenged = true;
                request = again.request().ok_or(ClientError::BodyNotReplayable)?;
                continue;
            }
            if clock_differs && !redated && rejects_proof(&response) {
                redated = true;
                request = again.request().ok_or(ClientError::BodyNotReplayable)?;
                continue;
            }
            if response.status() != StatusCode::UNAUTHORIZED {
                self.nonces.was_not_asked(Role::ResourceServer, &origin);
            }
            match self.redirect_target(&response, &url, &origin) {
                Some(target) => {
                    redirects += 1;
                    if redirects > MAX_REDIRECTS {
                        return Err(ClientError::Redirect);
                    }
                    request = redirected(again, response.status(), &method, target)?;
                }
                None => return Ok(response),
            }
        }
    }

    /// Before a large body: gets a nonce from a server that wants one. Returns how long to hold the body back.
    async fn prepare(&self, request: &Request, url: &Url, origin: &Origin) -> Duration {
        let options = &self.transport.options;
        if !is_large(request, options.large_body_len) {
            return Duration::ZERO;
        }
        match self.nonces.standing(Role::ResourceServer, origin, options.max_nonce_age) {
            Standing::Unknown => options.body_delay,
            Standing::NotAsked | Standing::Fresh => Duration::ZERO,
            Standing::Stale => {
                if let Err(error) = self.fetch_nonce(url, origin).await {
                    tracing::debug!(url = shown(url), %error, "no nonce before a large body");
                }
                Duration::ZERO
            }
        }
    }

    async fn fetch_nonce(&self, url: &Url, origin: &Origin) -> Result<(), ClientError> {
        let mut request = Request::new(Method::HEAD, url.clone());
        *request.timeout_mut() = Some(self.transport.options.head_limit());
        self.sign(&mut request, origin)?;
        let response = self.transport.execute(request, None).await?;
        if let Ok(false) = self.learn(origin, &response)
            && response.status() != StatusCode::UNAUTHORIZED
        {
            self.nonces.was_not_asked(Role::ResourceServer, origin);
        }
        if let Some(clock) = &self.server_clock {
            clock.learn(origin, response.headers());
        }
        Ok(())
    }

    /// A connection that breaks while a body is sent often means that the server rejected the request early. Whether it
    /// did is unknown, so that only idempotent requests are sent again, once, with a fresh nonce.
    fn recover(
        &self,
        error: HttpError,
        again: Attempt,
        method: &Method,
        origin: &Origin,
        interrupted: &mut bool,
    ) -> Result<Request, ClientError> {
        self.nonces.doubt(Role::ResourceServer, origin);
        if !method.is_idempotent() || *interrupted {
            return Err(ClientError::Interrupted(error));
        }
        *interrupted = true;
        again.request().ok_or(ClientError::Interrupted(error))
    }

    /// Takes the nonce of a response. A malformed one never costs the caller the response.
    fn learn(&self, origin: &Origin, response: &Response) -> Result<bool, MalformedNonce> {
        let learned = self.nonces.learn(Role::ResourceServer, origin, response.headers());
        if learned.is_err() {
            tracing::warn!(url = shown(response.url()), "a malformed DPoP-Nonce is ignored");
        }
        learned
    }

    /// Whether a response asks for a nonce: by a challenge, or only in its body, which is then read as far as needed.
    async fn asks_for_nonce(&self, response: Response, url: &Url) -> (Response, bool) {
        if !may_ask_for_nonce(response.status()) {
            return (response, false);
        }
        if Challenge::any_asks_for(response.headers(), USE_NONCE) {
            return (response, true);
        }
        let is_json = response.headers().get(CONTENT_TYPE).is_none_or(|media_type| {
            media_type.to_str().is_ok_and(|media_type| media_type.to_ascii_lowercase().contains("json"))
        });
        let is_short = response.content_length().is_none_or(|length| length <= MAX_ERROR_LEN as u64);
        if !is_json || !is_short {
            return (response, false);
        }
        let (mut parts, mut rest) = http::Response::<reqwest::Body>::from(response).into_parts();
        let mut beginning = BytesMut::new();
        let limit = self.transport.options.head_limit();
        let read = tokio::time::timeout(limit, read_beginning(&mut rest, &mut beginning)).await;
        let beginning = beginning.freeze();
        let (complete, error) = match read {
            Ok(Ok(complete)) => (complete, None),
            Ok(Err(error)) => (false, Some(error)),
            Err(_elapsed) => (false, None),
        };
        let asks = complete && is_nonce_error(&beginning);
        let mut response = http::Response::builder().url(url.clone());
        if let Some(extensions) = response.extensions_mut() {
            parts.extensions.extend(std::mem::take(extensions));
        }
        let body = reqwest::Body::wrap(Resumed { beginning, error, rest });
        (Response::from(http::Response::from_parts(parts, body)), asks)
    }

    /// Where to go on, with a proof of its own. Other origins get no token: the response is the caller's.
    fn redirect_target(&self, response: &Response, base: &Url, origin: &Origin) -> Option<Url> {
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let target = base.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
        let target = checked_url(target.as_str(), self.transport.options.allow_http).ok()?;
        (origin_of(&target).ok()? == *origin).then_some(target)
    }

    fn sign(&self, request: &mut Request, origin: &Origin) -> Result<(), ClientError> {
        let nonce = self.nonces.newest(Role::ResourceServer, origin);
        let now = self.server_clock.as_ref().map_or_else(unix_now, |clock| clock.now(origin));
        let proof = Proof::new(request.method().as_str(), request.url().as_str())
            .access_token(&self.token)
            .nonce(nonce.as_deref())
            .issued_at(now)
            .sign(&self.key)?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, sensitive(format!("DPoP {}", self.token))?);
        headers.insert(DPOP, sensitive(proof)?);
        Ok(())
    }
}

/// What is left of a request that was sent, to send it again.
struct Attempt {
    /// The request with its body, or without one if that is a stream.
    request: Option<Request>,
    is_stream: bool,
    /// Over the body, if it is large.
    watch: Option<Arc<Watch>>,
}

impl Attempt {
    /// The request to send, and what is left of it.
    fn new(mut request: Request, delay: Duration, large: usize) -> (Request, Self) {
        let is_large = is_large(&request, large);
        let whole = request.try_clone();
        let body = request.body_mut().take();
        let is_stream = whole.is_none();
        let left = whole.or_else(|| request.try_clone());
        let (body, watch) = match body {
            Some(body) if is_large => {
                let (body, watch) = Watch::over(body, delay);
                (Some(body), Some(watch))
            }
            body => (body, None),
        };
        *request.body_mut() = body;
        (request, Self { request: left, is_stream, watch })
    }

    /// Ends what was sent, and returns the request to send again; `None` when its stream was begun.
    fn request(self) -> Option<Request> {
        let untouched = self.watch.and_then(|watch| watch.cancel());
        let mut request = self.request?;
        if self.is_stream {
            *request.body_mut() = Some(untouched?);
        }
        Some(request)
    }
}

/// Whether a body is large, or of unknown size.
fn is_large(request: &Request, large: usize) -> bool {
    let size = |body: &reqwest::Body| body.size_hint().exact();
    request.body().is_some_and(|body| size(body).is_none_or(|size| size >= large as u64 && size > 0))
}

impl fmt::Debug for DpopClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopClient").field("key", &self.key).finish_non_exhaustive()
    }
}

/// A request in the making.
#[must_use = "a request is sent by send()"]
pub struct RequestBuilder {
    client: DpopClient,
    request: Result<reqwest::RequestBuilder, ClientError>,
}

impl RequestBuilder {
    /// Adds a header field.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.map(|request| request.header(name, value))
    }

    /// Adds query parameters.
    pub fn query<T: Serialize + ?Sized>(self, parameters: &T) -> Self {
        self.map(|request| request.query(parameters))
    }

    /// Sends these bytes.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.map(|request| request.body(body))
    }

    /// Sends a body that may be a stream. A stream is sent once: when the server asks for a nonce after it began, the answer
    /// is [`ClientError::BodyNotReplayable`]. [`DpopClient::warm_up`] before it fetches the nonce.
    pub fn stream(self, body: impl Into<reqwest::Body>) -> Self {
        let body = body.into();
        self.map(|request| request.body(body))
    }

    /// Sends a value as JSON.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.map(|request| request.json(value))
    }

    /// Sets the maximum time for each exchange of this call, from connecting to the last byte of the response. Defaults to
    /// [`ClientOptions::total_timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|request| request.timeout(timeout))
    }

    /// Signs and sends the request. Redirects within the origin are followed, up to five; one to another origin is the
    /// response, which the caller may follow without the token.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Interrupted`], [`ClientError::Nonce`],
    /// [`ClientError::NonceLoop`], [`ClientError::BodyNotReplayable`] or [`ClientError::Redirect`]. Every other status is
    /// a response; see [`Challenge::from_headers`] for what it asks for.
    pub async fn send(self) -> Result<Response, ClientError> {
        let request = self.request?.build()?;
        self.client.execute(request).await
    }

    fn map(self, change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder) -> Self {
        Self { client: self.client, request: self.request.map(change) }
    }
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestBuilder(..)")
    }
}

pub(crate) fn sensitive(value: String) -> Result<HeaderValue, ClientError> {
    let mut value =
        HeaderValue::try_from(value).map_err(|_| ClientError::Response("a token with control characters"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// RFC 9449 §8 and §9 ask for a nonce with 400 and 401; servers of both roles use either.
fn may_ask_for_nonce(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED)
}

/// Whether a response asks for a nonce, by a challenge or in its body.
pub(crate) fn asks_for_nonce(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> bool {
    may_ask_for_nonce(status) && (Challenge::any_asks_for(headers, USE_NONCE) || is_nonce_error(body))
}

fn is_nonce_error(body: &[u8]) -> bool {
    json::object(body).is_some_and(|error| error.get("error").is_some_and(|code| code == USE_NONCE))
}

fn rejects_proof(response: &Response) -> bool {
    response.status() == StatusCode::UNAUTHORIZED && Challenge::any_asks_for(response.headers(), "invalid_dpop_proof")
}

/// Reads up to the limit; returns whether that was all.
async fn read_beginning(body: &mut reqwest::Body, beginning: &mut BytesMut) -> Result<bool, reqwest::Error> {
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await;
        match frame.transpose()?.map(http_body::Frame::into_data) {
            None => return Ok(true),
            Some(Ok(data)) => beginning.extend_from_slice(&data),
            Some(Err(_trailers)) => {}
        }
        if beginning.len() > MAX_ERROR_LEN {
            return Ok(false);
        }
    }
}

/// RFC 9110 §15.4: 303 turns into GET, 301 and 302 turn POST into GET, 307 and 308 repeat the request.
fn redirected(again: Attempt, status: StatusCode, method: &Method, target: Url) -> Result<Request, ClientError> {
    let becomes_get = match status.as_u16() {
        303 => method != Method::HEAD,
        301 | 302 => method == Method::POST,
        _ => false,
    };
    if !becomes_get {
        let mut request = again.request().ok_or(ClientError::BodyNotReplayable)?;
        *request.url_mut() = target;
        return Ok(request);
    }
    let mut get = Request::new(Method::GET, target);
    if let Some(request) = &again.request {
        let content = |name: &HeaderName| name.as_str().starts_with("content-");
        let kept = request.headers().iter().filter(|(name, _)| !content(name));
        get.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        *get.timeout_mut() = request.timeout().copied();
    }
    Ok(get)
}
