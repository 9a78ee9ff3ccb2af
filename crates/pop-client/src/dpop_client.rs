//! Calls of protected resources with DPoP (RFC 9449 §7).

use std::fmt;

use http::Method;
use pop_core::jose::SigningKey as DpopKey;

use crate::bound_client::{BoundClient, RequestBuilder};
use crate::bound_token::{BoundToken, ProofMethod};
use crate::error::ClientError;
use crate::nonce::NonceMemory;
use crate::options::ClientOptions;
use crate::transport::Transport;

/// An HTTP client that presents a DPoP-bound access token, always under the scheme `DPoP`. Cheap to clone. `Debug`
/// shows only the thumbprint of the key. [`BoundClient`] presents tokens with any proof.
///
/// ```no_run
/// # async fn call() -> Result<(), Box<dyn std::error::Error>> {
/// use pop_client::{Algorithm, DpopClient, DpopKey};
///
/// let key = DpopKey::generate(Algorithm::ES256)?; // the key that the token is bound to
/// let client = DpopClient::new(key, "the-token")?;
/// let created = client.post("https://api.example/notes").body("buy milk").send().await?;
/// assert_eq!(created.status(), 201);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DpopClient(BoundClient);

impl DpopClient {
    /// Builds a client for this token and the key that it is bound to, with the default [`ClientOptions`].
    ///
    /// # Errors
    /// [`ClientError::Http`] when TLS cannot be set up.
    pub fn new(key: DpopKey, access_token: impl Into<String>) -> Result<Self, ClientError> {
        Self::with_options(key, access_token, &ClientOptions::default())
    }

    /// As [`new`](Self::new), with these options.
    ///
    /// # Errors
    /// [`ClientError::Options`], or [`ClientError::Http`] when TLS cannot be set up.
    pub fn with_options(
        key: DpopKey,
        access_token: impl Into<String>,
        options: &ClientOptions,
    ) -> Result<Self, ClientError> {
        Ok(Self::with_transport(Transport::new(options)?, key, access_token.into(), NonceMemory::default()))
    }

    pub(crate) fn with_transport(transport: Transport, key: DpopKey, token: String, nonces: NonceMemory) -> Self {
        Self(BoundClient::with_transport(transport, BoundToken::new(token, ProofMethod::Dpop(key)), nonces))
    }

    /// Adds an HTTP message signature to each proof, by the same key (RFC 9421, tag `fapi-2-request`). It covers what a
    /// DPoP proof does not: the query, the content and the header fields that [`RequestBuilder::cover`] names. Content
    /// cannot be a stream then. Off by default.
    ///
    /// ```no_run
    /// # async fn call(key: pop_client::DpopKey) -> Result<(), pop_client::ClientError> {
    /// let client = pop_client::DpopClient::new(key, "the-token")?.with_message_signature();
    /// client.post("https://api.example/payments").body(r#"{"amount":"12.50"}"#).send().await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_message_signature(self) -> Self {
        Self(self.0.with_message_signature())
    }

    /// Sets `iat` of proofs by the clock of each server, which its `Date` fields show, for machines whose clock is
    /// wrong. A request whose proof is rejected is then sent a second time, if the clock of the server differs. Off by
    /// default.
    ///
    /// ```no_run
    /// # fn client(key: pop_client::DpopKey) -> Result<pop_client::DpopClient, pop_client::ClientError> {
    /// Ok(pop_client::DpopClient::new(key, "the-token")?.follow_server_clock())
    /// # }
    /// ```
    #[must_use]
    pub fn follow_server_clock(self) -> Self {
        Self(self.0.follow_server_clock())
    }

    /// Fetches a nonce from the server at this URL, with a HEAD request. Returns whether the server sent one, now or
    /// earlier.
    ///
    /// Call it before the first stream or large body. Otherwise the server may end the connection because the nonce is
    /// missing.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`] or [`ClientError::Key`].
    pub async fn warm_up(&self, url: impl AsRef<str>) -> Result<bool, ClientError> {
        self.0.warm_up(url).await
    }

    /// Starts a GET request.
    pub fn get(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.0.get(url)
    }

    /// Starts a POST request.
    pub fn post(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.0.post(url)
    }

    /// Starts a request with any method. [`send`](RequestBuilder::send) returns an error for an unusable URL.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        self.0.request(method, url)
    }
}

impl fmt::Debug for DpopClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DpopClient").field(&self.0).finish()
    }
}
