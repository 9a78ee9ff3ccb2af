//! The HTTP client of key cache and introspection, as a trait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tracing::{Instrument, Span};

use crate::span;

/// Sends requests to the authorization server: for metadata, keys and introspection.
///
/// An `Arc` of an implementation is an implementation too, so that several configurations can share one client.
///
/// # Security
/// Implementations must authenticate the server by TLS. They must not follow redirects, and must not send cookies or
/// credentials other than those of the request.
///
/// # Example
/// A client for tests, which knows one document:
///
/// ```
/// use std::future::{Future, ready};
/// use std::pin::Pin;
/// use std::sync::Arc;
///
/// use tower_pop::keys::{FetchError, FetchRequest, FetchResponse, HttpFetch};
/// use tower_pop::{IssuerConfig, PopConfig};
///
/// struct OneDocument;
///
/// impl HttpFetch for OneDocument {
///     fn fetch(
///         &self,
///         request: FetchRequest,
///     ) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
///         let response = if request.url == "https://as.example/jwks" {
///             Ok(FetchResponse::new(r#"{"keys": []}"#).content_type("application/json"))
///         } else {
///             Err(FetchError::Status(404))
///         };
///         Box::pin(ready(response))
///     }
/// }
///
/// let client = Arc::new(OneDocument);
/// let issuer = IssuerConfig::new("https://as.example").jwks_uri("https://as.example/jwks");
/// let cfg = PopConfig::builder(issuer, "https://api.example").http_fetch(Arc::clone(&client)).build()?;
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
pub trait HttpFetch: Send + Sync + 'static {
    /// Sends a request and returns the response.
    ///
    /// # Errors
    /// The future fails with a [`FetchError`] if there is no response with status 200 within the limits of the request. The
    /// layer applies the limits too: a response that is too long or too late counts as failed.
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>>;
}

impl<S: HttpFetch + ?Sized> HttpFetch for Arc<S> {
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
        (**self).fetch(request)
    }
}

/// A request: a POST if it has a form, otherwise a GET. `Debug` shows the URL and the timeout, never credentials or the form.
#[derive(Clone)]
#[non_exhaustive]
pub struct FetchRequest {
    /// An absolute https URL, or http on loopback.
    pub url: String,
    /// The value of `Accept`.
    pub accept: &'static str,
    /// The value of `Authorization`.
    pub authorization: Option<HeaderValue>,
    /// The body of a POST, `application/x-www-form-urlencoded`. It may hold a token.
    pub form: Option<String>,
    /// The maximum length of the response body in bytes.
    pub max_len: usize,
    /// The timeout of the whole exchange.
    pub timeout: Duration,
}

impl fmt::Debug for FetchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRequest").field("url", &self.url).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// A response with status 200. `Debug` shows only the length of the body.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct FetchResponse {
    /// The body.
    pub body: Bytes,
    /// The value of `Content-Type`.
    pub content_type: Option<String>,
    /// The value of `Cache-Control`.
    pub cache_control: Option<String>,
    /// The value of `Age`: how long caches have held the response (RFC 9111 §5.1).
    pub age: Option<Duration>,
}

impl FetchResponse {
    /// Creates a response with this body, without header fields.
    #[must_use]
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Sets `Content-Type`.
    #[must_use]
    pub fn content_type(mut self, value: impl Into<String>) -> Self {
        self.content_type = Some(value.into());
        self
    }

    /// Sets `Cache-Control`.
    #[must_use]
    pub fn cache_control(mut self, value: impl Into<String>) -> Self {
        self.cache_control = Some(value.into());
        self
    }

    /// Sets `Age`.
    #[must_use]
    pub fn age(mut self, value: Duration) -> Self {
        self.age = Some(value);
        self
    }
}

impl fmt::Debug for FetchResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FetchResponse({} bytes)", self.body.len())
    }
}

/// Returns a URL without its query and fragment, for the log.
pub(crate) fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Sends a request. Applies its limits even if the client ignores them.
pub(crate) async fn exchange(fetch: &dyn HttpFetch, request: FetchRequest) -> Result<FetchResponse, FetchError> {
    let method = if request.form.is_some() { "POST" } else { "GET" };
    let span = span::http(method, without_query(&request.url));
    let mut open = OpenExchange { span: &span, has_result: false };
    let result = exchange_in_time(fetch, request).instrument(span.clone()).await;
    open.has_result = true;
    match &result {
        Ok(_) => {
            span.record("http.response.status_code", 200);
        }
        Err(error) => error.record_in(&span),
    }
    result
}

/// Records the end of an exchange that is dropped before it has a result, for example at the timeout of its caller.
struct OpenExchange<'s> {
    span: &'s Span,
    has_result: bool,
}

impl Drop for OpenExchange<'_> {
    fn drop(&mut self) {
        if !self.has_result {
            span::failed(self.span, "cancelled");
        }
    }
}

async fn exchange_in_time(fetch: &dyn HttpFetch, request: FetchRequest) -> Result<FetchResponse, FetchError> {
    let FetchRequest { max_len, timeout, .. } = request;
    let response = tokio::time::timeout(timeout, fetch.fetch(request)).await.unwrap_or(Err(FetchError::Timeout))?;
    if response.body.len() > max_len { Err(FetchError::TooLong) } else { Ok(response) }
}

/// Why an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The connection could not be made, or broke, for an unknown reason.
    #[error("the connection failed")]
    Connection,
    /// The connection could not be made, or broke, for this reason.
    #[error("{0}")]
    NotConnected(ConnectionFailure),
    /// There was no complete response within the timeout.
    #[error("timed out")]
    Timeout,
    /// The status is not 200. Redirects are not followed.
    #[error("status {0}")]
    Status(u16),
    /// The server rejects the client credentials of the request (RFC 6749 §5.2). [`HyperFetch`](crate::keys::HyperFetch)
    /// reports it for a POST with status 400, 401 or 403 whose body has the `error` `invalid_client` or
    /// `unauthorized_client`, or has no `error` while the response has a `Basic` challenge.
    #[error("status {0}: the credentials of the request are rejected")]
    ClientRejected(u16),
    /// The body is longer than the limit of the request.
    #[error("the body is too long")]
    TooLong,
    /// The URL is not valid, or must not be fetched.
    #[error("the URL is not acceptable")]
    Url,
    /// The document is not valid, for this reason.
    #[error("unusable document: {0}")]
    Document(&'static str),
}

impl FetchError {
    /// Records the error in the span of the exchange, without the text of a library or a server.
    fn record_in(&self, span: &Span) {
        match self {
            Self::Status(status) | Self::ClientRejected(status) => {
                span.record("http.response.status_code", *status);
                span.record("error.type", tracing::field::display(status));
            }
            error => span::failed(span, error.kind()),
        }
    }

    /// Returns the kind of error as a word for traces and metrics, such as `timeout`. It has no details.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Connection | Self::NotConnected(_) => "connection",
            Self::Timeout => "timeout",
            Self::Status(_) => "status",
            Self::ClientRejected(_) => "credentials_rejected",
            Self::TooLong => "too_long",
            Self::Url => "url",
            Self::Document(_) => "document",
        }
    }
}

/// Why a connection to the authorization server could not be made, or broke. It goes into the log, never into a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionFailure {
    cause: ConnectionCause,
    detail: Box<str>,
}

impl ConnectionFailure {
    /// The maximum length of the detail, in characters.
    const MAX_DETAIL: usize = 300;

    /// Creates a failure. `detail` is the message of the underlying library; the first 300 characters are kept, and control
    /// characters become spaces.
    ///
    /// ```
    /// use tower_pop::keys::{ConnectionCause, ConnectionFailure, FetchError};
    ///
    /// let failure = ConnectionFailure::new(ConnectionCause::Refused, "10.0.0.1:443");
    /// let error = FetchError::NotConnected(failure);
    /// assert_eq!(error.to_string(), "the connection was refused (10.0.0.1:443)");
    /// ```
    #[must_use]
    pub fn new(cause: ConnectionCause, detail: &str) -> Self {
        let printable = |char: char| if char.is_control() { ' ' } else { char };
        Self { cause, detail: detail.chars().take(Self::MAX_DETAIL).map(printable).collect::<String>().into() }
    }

    /// Returns the kind of failure.
    #[must_use]
    pub const fn cause(&self) -> ConnectionCause {
        self.cause
    }
}

impl fmt::Display for ConnectionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() { self.cause.fmt(f) } else { write!(f, "{} ({})", self.cause, self.detail) }
    }
}

/// The kinds of [`ConnectionFailure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionCause {
    /// The host name has no address.
    #[error("the host name cannot be resolved")]
    NameNotFound,
    /// No server listens at the port.
    #[error("the connection was refused")]
    Refused,
    /// There is no route to the host.
    #[error("the host cannot be reached")]
    Unreachable,
    /// The server's certificate was issued by an authority that is not trusted.
    #[error("the server's certificate is not from a trusted authority")]
    UntrustedAuthority,
    /// The server's certificate is for other host names.
    #[error("the server's certificate is for another host name")]
    HostName,
    /// The server's certificate has expired, or is not valid yet.
    #[error("the server's certificate has expired or is not valid yet")]
    CertificateTime,
    /// The server's certificate was rejected for another reason.
    #[error("the server's certificate was rejected")]
    Certificate,
    /// The server does not speak TLS at this port. It is usually a port for plain http.
    #[error("the server does not speak TLS at this port")]
    NotTls,
    /// The TLS handshake failed for another reason: for example, there is no common version, or the server requires a client
    /// certificate.
    #[error("the TLS handshake failed")]
    Tls,
    /// The connection was closed before the response was complete.
    #[error("the connection was closed")]
    Closed,
    /// Another reason.
    #[error("the connection failed")]
    Other,
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    struct Status(u16);

    impl HttpFetch for Status {
        fn fetch(&self, _: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>> {
            Box::pin(std::future::ready(Err(FetchError::Status(self.0))))
        }
    }

    fn status(client: &impl HttpFetch) -> Option<FetchError> {
        let request = FetchRequest {
            url: "https://as.example/jwks".to_owned(),
            accept: "application/json",
            authorization: None,
            form: None,
            max_len: 1,
            timeout: Duration::from_secs(1),
        };
        client.fetch(request).now_or_never()?.err()
    }

    #[test]
    fn an_arc_of_a_client_is_the_same_client() {
        let client = Arc::new(Status(418));
        let shared: Arc<dyn HttpFetch> = client.clone();
        assert_eq!(status(&client), Some(FetchError::Status(418)));
        assert_eq!(status(&shared), Some(FetchError::Status(418)));
    }
}
