//! The one thing the key cache needs of HTTP.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

/// Fetches documents of the authorization server.
///
/// Implementations must authenticate the server by TLS, must not follow redirects and must not send cookies or
/// credentials.
pub trait HttpFetch: Send + Sync + 'static {
    /// Gets one document.
    fn get(&self, request: FetchRequest) -> Pin<Box<dyn Future<Output = Result<FetchResponse, FetchError>> + Send>>;
}

/// A GET request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchRequest {
    /// An absolute https URL, or http on loopback.
    pub url: String,
    /// Longest body in bytes that may be read.
    pub max_len: usize,
    /// Time-out of the whole exchange.
    pub timeout: Duration,
}

/// A response with status 200.
#[derive(Debug, Clone)]
pub struct FetchResponse {
    /// The body.
    pub body: Bytes,
    /// The value of `Cache-Control`.
    pub cache_control: Option<String>,
}

/// Why a document could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection, or it broke.
    #[error("the connection failed")]
    Connection,
    /// No complete answer in time.
    #[error("timed out")]
    Timeout,
    /// A status other than 200, redirects included.
    #[error("status {0}")]
    Status(u16),
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
