//! The one thing that key cache and introspection need of HTTP.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;

/// Exchanges documents with the authorization server.
///
/// Implementations must authenticate the server by TLS, must not follow redirects and must not send cookies or
/// credentials other than those of the request.
pub trait HttpFetch: Send + Sync + 'static {
    /// Sends one request.
    fn fetch(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>>;
}

/// A request: a GET, or a POST where there is a form. `Debug` shows neither credentials nor the form.
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
    /// Longest response body in bytes that may be read.
    pub max_len: usize,
    /// Time-out of the whole exchange.
    pub timeout: Duration,
}

impl fmt::Debug for FetchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRequest").field("url", &self.url).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// A response with status 200. `Debug` shows no body.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct FetchResponse {
    /// The body.
    pub body: Bytes,
    /// The value of `Content-Type`.
    pub content_type: Option<String>,
    /// The value of `Cache-Control`.
    pub cache_control: Option<String>,
    /// The value of `Age`: how long a cache on the way has kept the response (RFC 9111 §5.1).
    pub age: Option<Duration>,
}

impl FetchResponse {
    /// A response of this body.
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

/// A URL for the log.
pub(crate) fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Sends a request and holds the client to its limits, whatever it makes of them.
pub(crate) async fn exchange(fetch: &dyn HttpFetch, request: FetchRequest) -> Result<FetchResponse, FetchError> {
    let FetchRequest { max_len, timeout, .. } = request;
    let response = tokio::time::timeout(timeout, fetch.fetch(request)).await.unwrap_or(Err(FetchError::Timeout))?;
    if response.body.len() > max_len { Err(FetchError::TooLong) } else { Ok(response) }
}

/// Why an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection, or it broke; why is not known.
    #[error("the connection failed")]
    Connection,
    /// No connection, or it broke, for this reason.
    #[error("{0}")]
    NotConnected(ConnectionFailure),
    /// No complete answer in time.
    #[error("timed out")]
    Timeout,
    /// A status other than 200, redirects included.
    #[error("status {0}")]
    Status(u16),
    /// The server rejects the credentials of the request (RFC 6749 §5.2): 401 or 400 with `error` `invalid_client` or
    /// `unauthorized_client`, or a challenge for the scheme that was used.
    #[error("status {0}: the credentials of the request are rejected")]
    ClientRefused(u16),
    /// The body is longer than allowed.
    #[error("the body is too long")]
    TooLong,
    /// The URL cannot be fetched.
    #[error("the URL is not acceptable")]
    Url,
    /// The document is not what it should be.
    #[error("unusable document: {0}")]
    Document(&'static str),
}

/// Why a connection to the authorization server could not be made, or broke: for the operator's log. Never part of a
/// response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionFailure {
    cause: ConnectionCause,
    detail: Box<str>,
}

impl ConnectionFailure {
    /// Longest detail that is kept, in characters.
    const LONGEST: usize = 300;

    /// A failure of this kind. The detail is what the libraries beneath say of it, of which 300 characters are kept.
    #[must_use]
    pub fn new(cause: ConnectionCause, detail: &str) -> Self {
        let printable = |char: char| if char.is_control() { ' ' } else { char };
        Self { cause, detail: detail.chars().take(Self::LONGEST).map(printable).collect::<String>().into() }
    }

    /// The kind of failure.
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
    /// Nothing listens at the port.
    #[error("the connection was refused")]
    Refused,
    /// There is no way to the host.
    #[error("the host cannot be reached")]
    Unreachable,
    /// The server's certificate comes from an authority that is not among the trust anchors.
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
    /// The server does not answer TLS at this port: a port for plain http, as a rule.
    #[error("the server does not speak TLS at this port")]
    NotTls,
    /// The TLS handshake failed: no common version, or the server wants a client certificate, for example.
    #[error("the TLS handshake failed")]
    Tls,
    /// The connection was closed before the response was complete.
    #[error("the connection was closed")]
    Closed,
    /// Something else.
    #[error("the connection failed")]
    Other,
}
