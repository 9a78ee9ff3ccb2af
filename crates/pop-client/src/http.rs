//! Calls of protected resources: `client.get(url).send()` signs a proof for each request, keeps the newest nonce, answers
//! one nonce challenge, and follows redirects within the origin only.

use std::fmt;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, LOCATION};
use http::{HeaderValue, Method, StatusCode};
use pop_core::target::Origin;
use reqwest::{Request, Response, Url};
use serde::Serialize;

use crate::DpopKey;
use crate::challenge::Challenge;
use crate::error::ClientError;
use crate::nonce::{NonceMemory, Role};
use crate::proof::{Proof, unix_now};
use crate::server_clock::ServerClock;

pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");
/// Redirects that are followed for one request.
const MAX_REDIRECTS: usize = 5;

/// An HTTP client that presents a DPoP-bound access token, always under the `DPoP` scheme. Cheap to clone. `Debug` shows
/// the key's thumbprint only.
#[derive(Clone)]
pub struct DpopClient {
    http: reqwest::Client,
    key: DpopKey,
    token: String,
    nonces: NonceMemory,
    server_clock: Option<ServerClock>,
}

impl DpopClient {
    /// A client for this token and the key it is bound to.
    ///
    /// # Errors
    /// [`ClientError::Http`] when TLS cannot be set up.
    pub fn new(key: DpopKey, access_token: impl Into<String>) -> Result<Self, ClientError> {
        Ok(Self::with(http_client()?, key, access_token.into(), NonceMemory::default()))
    }

    pub(crate) fn with(http: reqwest::Client, key: DpopKey, token: String, nonces: NonceMemory) -> Self {
        Self { http, key, token, nonces, server_clock: None }
    }

    /// Dates proofs by the server's clock, as its `Date` fields show it, for machines whose own clock is wrong. A request
    /// that is refused for its proof is then sent a second time if the server's clock turns out to differ. Off by default.
    #[must_use]
    pub fn follow_server_clock(mut self) -> Self {
        self.server_clock = Some(ServerClock::default());
        self
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
        let request = checked_url(url.as_ref()).map(|url| self.http.request(method, url));
        RequestBuilder { client: self.clone(), request }
    }

    async fn execute(&self, mut request: Request) -> Result<Response, ClientError> {
        let (mut challenged, mut redated, mut redirects) = (false, false, 0);
        loop {
            let origin = origin_of(request.url())?;
            let again = request.try_clone();
            self.sign(&mut request, &origin)?;
            let (method, url) = (request.method().clone(), request.url().clone());
            let response = self.http.execute(request).await?;
            self.nonces.learn(Role::ResourceServer, &origin, response.headers())?;
            let clock_differs = self.server_clock.as_ref().is_some_and(|clock| clock.learn(response.headers()));
            if clock_differs && !redated && asks_for(&response, "invalid_dpop_proof") {
                redated = true;
                request = again.ok_or(ClientError::BodyNotReplayable)?;
            } else if asks_for(&response, "use_dpop_nonce") {
                if challenged {
                    return Err(ClientError::NonceLoop);
                }
                challenged = true;
                request = again.ok_or(ClientError::BodyNotReplayable)?;
            } else if let Some(target) = redirect_target(&response, &url) {
                redirects += 1;
                if redirects > MAX_REDIRECTS || origin_of(&target)? != origin {
                    return Err(ClientError::Redirect);
                }
                request = redirected(again, response.status(), &method, target)?;
            } else {
                return Ok(response);
            }
        }
    }

    fn sign(&self, request: &mut Request, origin: &Origin) -> Result<(), ClientError> {
        let nonce = self.nonces.newest(Role::ResourceServer, origin);
        let now = self.server_clock.as_ref().map_or_else(unix_now, ServerClock::now);
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

    /// Sends a body that may be a stream. A stream is sent once: when the server then asks for a nonce, the answer is
    /// [`ClientError::BodyNotReplayable`]; a GET of the same origin before it fetches the nonce.
    pub fn stream(self, body: impl Into<reqwest::Body>) -> Self {
        let body = body.into();
        self.map(|request| request.body(body))
    }

    /// Sends a value as JSON.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.map(|request| request.json(value))
    }

    /// Signs and sends the request.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Nonce`], [`ClientError::NonceLoop`],
    /// [`ClientError::BodyNotReplayable`] or [`ClientError::Redirect`]. Every other status is a response; see
    /// [`Challenge::from_headers`] for what it asks for.
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

/// reqwest without redirects: each hop needs a proof of its own.
pub(crate) fn http_client() -> Result<reqwest::Client, ClientError> {
    Ok(reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?)
}

/// https, or http on loopback.
pub(crate) fn checked_url(url: &str) -> Result<Url, ClientError> {
    let refused = || ClientError::Url(url.split(['?', '#']).next().unwrap_or_default().to_owned());
    let origin = Origin::of(url).map_err(|_| refused())?;
    if !origin.is_https() && !origin.is_loopback() {
        return Err(refused());
    }
    Url::parse(url).map_err(|_| refused())
}

pub(crate) fn origin_of(url: &Url) -> Result<Origin, ClientError> {
    Origin::of(url.as_str()).map_err(|_| ClientError::Url(url.origin().ascii_serialization()))
}

pub(crate) fn sensitive(value: String) -> Result<HeaderValue, ClientError> {
    let mut value =
        HeaderValue::try_from(value).map_err(|_| ClientError::Response("a token with control characters"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn asks_for(response: &Response, error: &str) -> bool {
    let asks = |challenge: &Challenge| challenge.is("DPoP") && challenge.error() == Some(error);
    response.status() == StatusCode::UNAUTHORIZED && Challenge::from_headers(response.headers()).iter().any(asks)
}

fn redirect_target(response: &Response, base: &Url) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    base.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

/// RFC 9110 §15.4: 303 turns into GET, 301 and 302 turn POST into GET, 307 and 308 repeat the request.
fn redirected(
    request: Option<Request>,
    status: StatusCode,
    method: &Method,
    target: Url,
) -> Result<Request, ClientError> {
    let becomes_get = match status.as_u16() {
        303 => method != Method::HEAD,
        301 | 302 => method == Method::POST,
        _ => false,
    };
    if becomes_get {
        let mut get = Request::new(Method::GET, target);
        if let Some(request) = request {
            let content = |name: &HeaderName| name.as_str().starts_with("content-");
            let kept = request.headers().iter().filter(|(name, _)| !content(name));
            get.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        }
        return Ok(get);
    }
    let mut request = request.ok_or(ClientError::BodyNotReplayable)?;
    *request.url_mut() = target;
    Ok(request)
}
