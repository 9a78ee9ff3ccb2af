//! The layer.

use std::fmt;
#[cfg(feature = "tower")]
use std::sync::Arc;

#[cfg(feature = "tower")]
use tower_layer::Layer;

use super::destination::Destination;
#[cfg(feature = "tower")]
use super::service::ProofService;
use super::settings::Settings;
use crate::bound_token::BoundToken;
use crate::clock::ServerClock;
use crate::error::UrlError;
use crate::nonce::NonceMemory;
use crate::signer::Signer;

/// Adds the access token and a new proof to each request of another HTTP client: as a tower layer for every
/// `tower::Service<http::Request<B>>` (feature `tower`), or as a middleware of `reqwest-middleware` (feature of that name).
/// Cheap to clone. `Debug` shows only the origin and the thumbprint of the key.
///
/// The proof is the one that the [`BoundToken`] needs, as [`BoundClient`](crate::BoundClient) makes it. The layer stores
/// the nonces of the server. When the server asks for one (RFC 9449 §9), the request is sent again, once, with the same
/// body. Every other response is returned as it is. Redirects are not followed.
///
/// ```
/// # async fn call() -> Result<(), Box<dyn std::error::Error>> {
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use pop_client::{Algorithm, BoundToken, DpopKey, ProofLayer, ProofMethod};
/// use tower::{Layer, Service, ServiceExt};
///
/// let key = DpopKey::generate(Algorithm::ES256)?; // the key that the token is bound to
/// let token = BoundToken::new("the-token", ProofMethod::Dpop(key)); // or TokenClient::bound_token
/// let layer = ProofLayer::new(token, "http://127.0.0.1:8080")?;
/// let mut client = layer.layer(Client::builder(TokioExecutor::new()).build_http());
///
/// let request = http::Request::post("http://127.0.0.1:8080/notes").body(Full::new(Bytes::from("buy milk")))?;
/// let response = client.ready().await?.call(request).await?;
/// # drop(response);
/// # Ok(()) }
/// ```
///
/// A `tonic` channel has its own body type, so the body is converted below the layer:
///
/// ```no_run
/// # fn client(token: pop_client::BoundToken, channel: tonic::transport::Channel) -> Result<(), pop_client::UrlError> {
/// use pop_client::{ProofLayer, RepeatableBody};
/// use tonic::body::Body;
///
/// let channel = tower::ServiceBuilder::new()
///     .layer(ProofLayer::new(token, "https://api.example")?)
///     .map_request(|request: http::Request<RepeatableBody<Body>>| request.map(Body::new))
///     .service(channel);
/// let client = tonic::client::Grpc::new(channel); // or a generated client
/// # let _ = client;
/// # Ok(()) }
/// ```
///
/// # Bodies
/// The first 64 KiB of a body are kept while it is sent ([`max_kept_len`](Self::max_kept_len)), so small bodies can be
/// sent again, unary and streaming gRPC calls included. A body of which more was sent, usually a long stream, is not sent
/// again: the caller gets the response that asks for a nonce. The nonce is stored, so the next request has it.
///
/// DPoP proofs do not cover content. Other proofs do, and the layer does not read bodies ahead: with them, a request that
/// has content needs a `Content-Digest` field for message signatures, and fails with
/// [`ClientError::StreamNotCovered`](crate::ClientError::StreamNotCovered) otherwise. The bytes of a `reqwest` body are
/// covered.
///
/// # Security
/// The token is for one origin. A request whose URI names another one is not sent, with
/// [`ClientError::Url`](crate::ClientError::Url). A URI without scheme and host, as
/// `tonic` clients make it, goes where the inner service sends it, and its proof names the origin of the layer. So check
/// that the channel below has TLS. Layers that log header fields below this one see the token and the proof: their values
/// are marked as sensitive.
#[derive(Clone)]
pub struct ProofLayer {
    pub(super) settings: Settings,
}

impl ProofLayer {
    /// Creates a layer that presents this token to this origin, such as `https://api.example`.
    ///
    /// # Errors
    /// [`UrlError`] if the string is not an origin, or plain http beyond loopback (RFC 9449 §2).
    pub fn new(token: BoundToken, origin: impl AsRef<str>) -> Result<Self, UrlError> {
        let destination = Destination::parse(origin.as_ref())?;
        let signer = Signer::new(token, NonceMemory::default());
        Ok(Self { settings: Settings { signer, destination, max_kept_len: 64 * 1024 } })
    }

    /// Replaces the token, for example by a refreshed one. The nonces stay. Services that the layer made before keep the
    /// earlier token.
    #[must_use]
    pub fn with_token(mut self, token: BoundToken) -> Self {
        self.settings.signer.token = token;
        self
    }

    /// Adds an HTTP message signature to each DPoP proof. See
    /// [`BoundClient::with_message_signature`](crate::BoundClient::with_message_signature). Off by default.
    #[must_use]
    pub const fn with_message_signature(mut self) -> Self {
        self.settings.signer.adds_signature = true;
        self
    }

    /// Sets the time of proofs by the clock of the server, for machines whose clock is wrong. A request whose proof is
    /// rejected is then sent a second time, if the clock of the server differs. Off by default.
    #[must_use]
    pub fn follow_server_clock(mut self) -> Self {
        self.settings.signer.server_clock = Some(ServerClock::default());
        self
    }

    /// Sets how much of a body is kept to send it again, in bytes. With 0 only requests of whose body nothing was sent are
    /// sent again. Defaults to 64 KiB.
    #[must_use]
    pub const fn max_kept_len(mut self, bytes: usize) -> Self {
        self.settings.max_kept_len = bytes;
        self
    }
}

#[cfg(feature = "tower")]
impl<S> Layer<S> for ProofLayer {
    type Service = ProofService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ProofService::new(inner, Arc::new(self.settings.clone()))
    }
}

impl fmt::Debug for ProofLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofLayer")
            .field("origin", &self.settings.destination)
            .field("proof", self.settings.signer.token.proof())
            .finish_non_exhaustive()
    }
}
