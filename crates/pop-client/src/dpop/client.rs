//! The client: the token, its key and the newest nonces.

use std::fmt;

use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use pop_core::jose::SigningKey as DpopKey;
use pop_core::target::Origin;
use reqwest::{Request, Response, Url};

use crate::clock::{ServerClock, unix_now};
use crate::error::ClientError;
use crate::header::{DPOP, sensitive};
use crate::nonce::{MalformedNonce, NonceMemory, Role};
use crate::options::ClientOptions;
use crate::proof::Proof;
use crate::redaction::redacted;
use crate::transport::Transport;
use crate::url::{checked_url, origin_of};

/// An HTTP client that presents a DPoP-bound access token, always under the scheme `DPoP`. Cheap to clone. `Debug`
/// shows only the thumbprint of the key.
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
pub struct DpopClient {
    pub(super) transport: Transport,
    key: DpopKey,
    token: String,
    pub(super) nonces: NonceMemory,
    pub(super) server_clock: Option<ServerClock>,
}

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

    pub(crate) const fn with_transport(transport: Transport, key: DpopKey, token: String, nonces: NonceMemory) -> Self {
        Self { transport, key, token, nonces, server_clock: None }
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
    pub fn follow_server_clock(mut self) -> Self {
        self.server_clock = Some(ServerClock::default());
        self
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
        let url = self.checked_url(url.as_ref())?;
        let origin = origin_of(&url)?;
        self.fetch_nonce(&url, &origin).await?;
        Ok(self.nonces.newest(Role::ResourceServer, &origin).is_some())
    }

    pub(super) fn checked_url(&self, url: &str) -> Result<Url, ClientError> {
        Ok(checked_url(url, self.transport.options.allow_http)?)
    }

    pub(super) async fn fetch_nonce(&self, url: &Url, origin: &Origin) -> Result<(), ClientError> {
        let mut request = Request::new(Method::HEAD, url.clone());
        *request.timeout_mut() = Some(self.transport.options.head_timeout());
        self.sign(&mut request, origin)?;
        let response = self.transport.send(request, None).await?;
        if let Ok(false) = self.learn_nonce(origin, &response)
            && response.status() != StatusCode::UNAUTHORIZED
        {
            self.nonces.mark_current(Role::ResourceServer, origin);
        }
        if let Some(clock) = &self.server_clock {
            clock.update(origin, response.headers());
        }
        Ok(())
    }

    /// Stores the nonce of a response. The caller gets the response even if the nonce is malformed.
    pub(super) fn learn_nonce(&self, origin: &Origin, response: &Response) -> Result<bool, MalformedNonce> {
        let learned = self.nonces.learn(Role::ResourceServer, origin, response.headers());
        if learned.is_err() {
            tracing::warn!(url = redacted(response.url()), "ignored a malformed DPoP-Nonce");
        }
        learned
    }

    /// Adds the token and a new proof.
    pub(super) fn sign(&self, request: &mut Request, origin: &Origin) -> Result<(), ClientError> {
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

impl fmt::Debug for DpopClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopClient").field("key", &self.key).finish_non_exhaustive()
    }
}
