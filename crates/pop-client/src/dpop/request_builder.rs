//! Requests of a [`DpopClient`].

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, Method};
use reqwest::Response;
use serde::Serialize;

use super::client::DpopClient;
use crate::error::ClientError;

impl DpopClient {
    /// Starts a GET request.
    pub fn get(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Starts a POST request.
    pub fn post(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Starts a request with any method. [`send`](RequestBuilder::send) returns an error for an unusable URL.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        let url = self.checked_url(url.as_ref());
        let request = url.map(|url| self.transport.client(&url).request(method, url));
        RequestBuilder { client: self.clone(), request }
    }
}

/// Builds a request of a [`DpopClient`].
///
/// ```no_run
/// # async fn call(client: pop_client::DpopClient) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use http::{HeaderValue, header::ACCEPT};
///
/// let notes = client
///     .get("https://api.example/notes")
///     .query(&[("tag", "shopping")])
///     .header(ACCEPT, HeaderValue::from_static("application/json"))
///     .timeout(Duration::from_secs(10))
///     .send()
///     .await?;
/// # drop(notes);
/// # Ok(()) }
/// ```
#[must_use = "call send()"]
pub struct RequestBuilder {
    client: DpopClient,
    request: Result<reqwest::RequestBuilder, ClientError>,
}

impl RequestBuilder {
    /// Adds a header field. `Authorization` and `DPoP` are replaced when the request is signed.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.map(|request| request.header(name, value))
    }

    /// Adds query parameters.
    pub fn query<T: Serialize + ?Sized>(self, parameters: &T) -> Self {
        self.map(|request| request.query(parameters))
    }

    /// Sets the body to these bytes.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.map(|request| request.body(body))
    }

    /// Sets a body that may be a stream. A stream is sent only once: if the server asks for a nonce after a part of the
    /// stream was read, [`send`](Self::send) returns [`ClientError::BodyNotReplayable`]. Call [`DpopClient::warm_up`]
    /// first to fetch the nonce.
    ///
    /// ```no_run
    /// # async fn call(client: pop_client::DpopClient, file: reqwest::Body) -> Result<(), pop_client::ClientError> {
    /// let url = "https://api.example/files/1";
    /// client.warm_up(url).await?;
    /// client.request(http::Method::PUT, url).stream(file).send().await?;
    /// # Ok(()) }
    /// ```
    pub fn stream(self, body: impl Into<reqwest::Body>) -> Self {
        let body = body.into();
        self.map(|request| request.body(body))
    }

    /// Sets the body to this value as JSON.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.map(|request| request.json(value))
    }

    /// Sets the timeout for each HTTP exchange of this call, from connecting to the last byte of the response. Defaults
    /// to [`ClientOptions::total_timeout`](crate::ClientOptions::total_timeout).
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|request| request.timeout(timeout))
    }

    /// Signs and sends the request. Follows up to five redirects within the origin. A redirect to another origin is
    /// returned as the response. The caller may follow it without the token.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Interrupted`], [`ClientError::Nonce`],
    /// [`ClientError::NonceLoop`], [`ClientError::BodyNotReplayable`], [`ClientError::Redirect`] or
    /// [`ClientError::Key`]. Every other status is a response.
    /// [`Challenge::from_headers`](crate::Challenge::from_headers) reads what it asks for.
    pub async fn send(self) -> Result<Response, ClientError> {
        let request = self.request?.build()?;
        self.client.call(request).await
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
