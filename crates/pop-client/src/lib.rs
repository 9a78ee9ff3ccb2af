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
//! What it refuses: plain http beyond loopback, tokens of another type than DPoP, redirects to another origin, metadata of
//! another issuer or resource, malformed nonces, endless nonce challenges.

mod challenge;
mod error;
mod grant;
mod http;
mod metadata;
mod mtls;
mod nonce;
mod proof;
mod server_clock;
mod token;
mod token_endpoint;

pub use crate::http::{DpopClient, RequestBuilder};
pub use challenge::{Challenge, Lacking};
pub use error::ClientError;
pub use grant::AuthorizationRequest;
pub use metadata::ResourceMetadata;
pub use mtls::{ClientCertificate, MtlsClient, MtlsTokenClient};
pub use nonce::{MalformedNonce, NonceMemory, Role};
pub use pop_core::jose::{Algorithm, KeyError, SigningKey as DpopKey};
pub use proof::Proof;
pub use token::TokenClient;
pub use token_endpoint::{ClientAuthentication, TokenResponse};
