//! The client's half of proof of possession (RFC 9449):
//!
//! 1. [`DpopKey`]: generate or load a key; export its public JWK.
//! 2. [`TokenClient`]: get a token that is bound to it.
//! 3. [`DpopClient`]: call an API with both; nonces, retries and redirects are taken care of.
//!
//! ```no_run
//! # async fn call() -> Result<(), Box<dyn std::error::Error>> {
//! use pop_client::{Algorithm, ClientAuthentication, DpopKey, TokenClient};
//!
//! let key = DpopKey::generate(Algorithm::ES256)?;
//! let server = TokenClient::discover("https://as.example", "my-client", ClientAuthentication::None, key).await?;
//! let token = server.client_credentials(Some("notes:read"), Some("https://api.example")).await?;
//! let notes = server.http_client(&token).get("https://api.example/notes").send().await?;
//! # Ok(()) }
//! ```
//!
//! With a client certificate instead of a key (RFC 8705): [`MtlsTokenClient`] and [`MtlsClient`]. With both:
//! [`TokenClient::discover_mtls`].
//!
//! What it rejects: plain http beyond loopback, tokens of another type than DPoP, metadata of another issuer or resource,
//! JSON with duplicate members, endless nonce challenges. A redirect to another origin is a response: the token stays.
//!
//! What it limits, all of it by [`ClientOptions`]: the time to connect, for each metadata document and token request, and
//! for the head of a resource's response; the size of metadata and of responses of the authorization server. The body of
//! a resource's response is the caller's, and has no limit unless one is set. Plain http never goes through a proxy.
//!
//! URLs are read as browsers read them: `?filter[name]=x`, spaces, `é` and `https://bücher.example` are no errors. The
//! proof names the path as it is sent, in RFC 3986's own characters.

mod builder;
mod challenge;
mod discovery;
mod error;
mod grant;
mod http;
mod json;
mod metadata;
mod mtls;
mod nonce;
mod options;
mod proof;
mod server_clock;
mod token;
mod token_endpoint;
mod transport;
mod upload;
mod url;

pub use crate::http::{DpopClient, RequestBuilder};
pub use builder::TokenClientBuilder;
pub use challenge::{Challenge, Lacking};
pub use discovery::Endpoints;
pub use error::{ClientError, DiscoveryError, HttpError, HttpFailure, UrlError};
pub use grant::AuthorizationRequest;
pub use metadata::ResourceMetadata;
pub use mtls::{ClientCertificate, MtlsClient, MtlsTokenClient};
pub use nonce::{MalformedNonce, NonceMemory, Role};
pub use options::{ClientOptions, DangerousClientOptions};
pub use pop_core::jose::{Algorithm, KeyError, SigningKey as DpopKey};
pub use proof::Proof;
pub use token::TokenClient;
pub use token_endpoint::{ClientAuthentication, TokenResponse};
