//! The client: the token, its key and the newest nonces.

use std::fmt;

use http::{Method, StatusCode};
use pop_core::target::Origin;
use reqwest::{Request, Url};

use crate::bound_token::BoundToken;
use crate::clock::ServerClock;
use crate::error::ClientError;
use crate::nonce::{NonceMemory, Role};
use crate::options::ClientOptions;
use crate::signer::{Covered, Signer, Unsigned};
use crate::transport::Transport;
use crate::url::{checked_url, origin_of};

/// An HTTP client that signs requests with whatever its access token needs. Cheap to clone. `Debug` shows only the
/// thumbprint of the key.
///
/// | the token's proof | scheme | each request has | which covers |
/// |---|---|---|---|
/// | [`Dpop`](crate::ProofMethod::Dpop) | `DPoP` | a DPoP proof | the method, the URL without its query, the token |
/// | `Dpop`, [`with_message_signature`](Self::with_message_signature) | `DPoP` | a signature, too | as `HttpSig`, and the proof |
/// | [`HttpSig`](crate::ProofMethod::HttpSig) | `HTTPSig` | an HTTP message signature | the method, the URL, the token, the content |
/// | [`Pop`](crate::ProofMethod::Pop), [`PopThumbprint`](crate::ProofMethod::PopThumbprint) | `PoP` | an [`Envelope`](crate::Envelope) | as `HttpSig` |
/// | [`SharedKey`](crate::ProofMethod::SharedKey) | `PoP` | an HTTP message signature by HMAC | as `HttpSig` |
///
/// [`RequestBuilder::cover`](crate::RequestBuilder::cover) adds header fields to what is covered.
///
/// ```no_run
/// # async fn call() -> Result<(), Box<dyn std::error::Error>> {
/// use pop_client::{Algorithm, DpopKey, TokenBinding, TokenClient};
///
/// let server = TokenClient::builder("https://as.example", "my-client")
///     .binding(TokenBinding::HttpSig)
///     .build(DpopKey::generate(Algorithm::Ed25519)?)
///     .await?;
/// let token = server.client_credentials(Some("notes:write"), Some("https://api.example")).await?;
/// let created = server.bound_client(&token)?.post("https://api.example/notes").body("buy milk").send().await?;
/// assert_eq!(created.status(), 201);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct BoundClient {
    pub(super) transport: Transport,
    pub(super) signer: Signer,
}

impl BoundClient {
    /// Builds a client for this token, with the default [`ClientOptions`].
    ///
    /// # Errors
    /// [`ClientError::Http`] when TLS cannot be set up.
    pub fn new(token: BoundToken) -> Result<Self, ClientError> {
        Self::with_options(token, &ClientOptions::default())
    }

    /// As [`new`](Self::new), with these options.
    ///
    /// # Errors
    /// [`ClientError::Options`], or [`ClientError::Http`] when TLS cannot be set up.
    pub fn with_options(token: BoundToken, options: &ClientOptions) -> Result<Self, ClientError> {
        Ok(Self::with_transport(Transport::new(options)?, token, NonceMemory::default()))
    }

    pub(crate) const fn with_transport(transport: Transport, token: BoundToken, nonces: NonceMemory) -> Self {
        Self { transport, signer: Signer::new(token, nonces) }
    }

    /// Adds an HTTP message signature to each DPoP proof, by the same key (tag `fapi-2-request`). It covers the whole
    /// URL, the content and the proof. Has no effect on other tokens: their proofs cover the request anyway. Off by
    /// default.
    #[must_use]
    pub const fn with_message_signature(mut self) -> Self {
        self.signer.adds_signature = true;
        self
    }

    /// Sets the time of proofs by the clock of each server, which its `Date` fields show, for machines whose clock is
    /// wrong. A request whose proof is rejected is then sent a second time, if the clock of the server differs. Off by
    /// default.
    #[must_use]
    pub fn follow_server_clock(mut self) -> Self {
        self.signer.server_clock = Some(ServerClock::default());
        self
    }

    /// Fetches a nonce from the server at this URL, with a HEAD request. Returns whether the server sent one, now or
    /// earlier. DPoP proofs and envelopes have nonces of the server.
    ///
    /// Call it before the first stream or large body. Otherwise the server may end the connection because the nonce is
    /// missing.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Key`], [`ClientError::Signature`] or
    /// [`ClientError::Envelope`].
    pub async fn warm_up(&self, url: impl AsRef<str>) -> Result<bool, ClientError> {
        let url = self.checked_url(url.as_ref())?;
        let origin = origin_of(&url)?;
        self.fetch_nonce(&url, &origin).await?;
        Ok(self.signer.nonces.newest(Role::ResourceServer, &origin).is_some())
    }

    pub(super) fn checked_url(&self, url: &str) -> Result<Url, ClientError> {
        Ok(checked_url(url, self.transport.options.allow_http)?)
    }

    /// Adds the token and a new proof.
    pub(super) fn sign(&self, request: &mut Request, origin: &Origin, covered: Covered<'_>) -> Result<(), ClientError> {
        let (method, url) = (request.method().clone(), request.url().clone());
        let mut unsigned = Unsigned { method: method.as_str(), url: &url, headers: request.headers_mut() };
        self.signer.sign(&mut unsigned, origin, covered)
    }

    pub(super) async fn fetch_nonce(&self, url: &Url, origin: &Origin) -> Result<(), ClientError> {
        let mut request = Request::new(Method::HEAD, url.clone());
        *request.timeout_mut() = Some(self.transport.options.head_timeout());
        self.sign(&mut request, origin, Covered::NOTHING)?;
        let response = self.transport.send(request, None).await?;
        if let Ok(false) = self.signer.learn_nonce(origin, url, response.headers())
            && response.status() != StatusCode::UNAUTHORIZED
        {
            self.signer.nonces.mark_current(Role::ResourceServer, origin);
        }
        if let Some(clock) = &self.signer.server_clock {
            clock.update(origin, response.headers());
        }
        Ok(())
    }
}

impl fmt::Debug for BoundClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundClient").field("proof", self.signer.token.proof()).finish_non_exhaustive()
    }
}
