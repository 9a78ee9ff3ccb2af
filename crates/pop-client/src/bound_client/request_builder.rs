//! Requests of a [`BoundClient`].

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, Method};
use reqwest::Response;
use serde::Serialize;

use super::client::BoundClient;
use crate::error::ClientError;

impl BoundClient {
    /// Starts a GET request.
    pub fn get(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Starts a POST request.
    pub fn post(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Starts a PUT request.
    pub fn put(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Starts a PATCH request.
    pub fn patch(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Starts a DELETE request.
    pub fn delete(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Starts a request with any method. [`send`](RequestBuilder::send) returns an error for an unusable URL.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        let url = self.checked_url(url.as_ref());
        let request = url.map(|url| self.transport.client(&url).request(method, url));
        RequestBuilder { client: self.clone(), request, covered: Vec::new() }
    }
}

/// Builds a request of a [`BoundClient`] or a [`DpopClient`](crate::DpopClient).
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
    client: BoundClient,
    request: Result<reqwest::RequestBuilder, ClientError>,
    covered: Vec<HeaderName>,
}

impl RequestBuilder {
    /// Adds a header field. The fields of the proof are replaced when the request is signed: `Authorization`, `DPoP`,
    /// and the `Content-Digest` of bytes.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.map(|request| request.header(name, value))
    }

    /// Covers a header field by the proof. [`send`](Self::send) returns an error if the request does not have the field,
    /// or if the proof is a DPoP proof without a
    /// [message signature](crate::DpopClient::with_message_signature). Don't cover fields that a proxy changes. Defaults
    /// to none.
    ///
    /// ```no_run
    /// # async fn call(client: pop_client::BoundClient) -> Result<(), pop_client::ClientError> {
    /// use http::header::CONTENT_TYPE;
    ///
    /// let note = serde_json::json!({ "title": "buy milk" });
    /// client.post("https://api.example/notes").json(&note).cover(CONTENT_TYPE).send().await?;
    /// # Ok(()) }
    /// ```
    pub fn cover(mut self, name: HeaderName) -> Self {
        if !self.covered.contains(&name) {
            self.covered.push(name);
        }
        self
    }

    /// Adds query parameters.
    pub fn query<T: Serialize + ?Sized>(self, parameters: &T) -> Self {
        self.map(|request| request.query(parameters))
    }

    /// Sets the body to these bytes. A proof that covers content hashes them, and copies nothing.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.map(|request| request.body(body))
    }

    /// Sets a body that may be a stream. A stream is sent only once: if the server asks for a nonce after a part of the
    /// stream was read, [`send`](Self::send) returns [`ClientError::BodyNotReplayable`]. Call
    /// [`DpopClient::warm_up`](crate::DpopClient::warm_up) first to fetch the nonce.
    ///
    /// Only DPoP proofs leave content uncovered. Other proofs cannot cover a stream: [`send`](Self::send) returns
    /// [`ClientError::StreamNotCovered`]. A message signature covers it nevertheless if the request has a
    /// `Content-Digest` field.
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
    /// [`ClientError::Key`]. For what a proof cannot cover: [`ClientError::StreamNotCovered`],
    /// [`ClientError::FieldsNotCovered`], [`ClientError::Signature`] or [`ClientError::Envelope`]. Every other status is
    /// a response. [`Challenge::from_headers`](crate::Challenge::from_headers) reads what it asks for.
    pub async fn send(self) -> Result<Response, ClientError> {
        let request = self.request?.build()?;
        self.client.call(request, self.covered).await
    }

    fn map(self, change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder) -> Self {
        Self { client: self.client, request: self.request.map(change), covered: self.covered }
    }
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestBuilder(..)")
    }
}
