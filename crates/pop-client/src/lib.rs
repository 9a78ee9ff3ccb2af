//! The client side of proof of possession for OAuth: it gets tokens that are bound to a key or a certificate, and calls
//! APIs with them.
//!
//! | you have | use |
//! |---|---|
//! | a key, and tokens that are bound to it by DPoP (RFC 9449) | [`TokenClient`], [`DpopClient`] |
//! | a client certificate, and tokens that are bound to it (RFC 8705) | [`MtlsTokenClient`], [`MtlsClient`] |
//! | both | [`TokenClient::discover_mtls`] |
//! | tokens that are bound in another way | [`TokenBinding`], [`BoundClient`] |
//! | a `hyper-util` client, a `tonic` channel, another tower service, or `reqwest-middleware` | [`ProofLayer`] |
//! | another HTTP client | [`RequestSigner`], or its parts: [`Proof`], [`RequestSignature`], [`Envelope`], [`NonceMemory`], [`Challenge`] |
//!
//! ```no_run
//! # async fn call() -> Result<(), Box<dyn std::error::Error>> {
//! use pop_client::{Algorithm, ClientAuthentication, DpopKey, TokenClient};
//!
//! // 1. Generate a key, or load one with `DpopKey::from_pkcs8_der`.
//! let key = DpopKey::generate(Algorithm::ES256)?;
//! // 2. Get a token that is bound to it.
//! let server = TokenClient::discover("https://as.example", "my-client", ClientAuthentication::None, key).await?;
//! let token = server.client_credentials(Some("notes:read"), Some("https://api.example")).await?;
//! // 3. Call an API with both. Every request gets a new proof.
//! let notes = server.http_client(&token).get("https://api.example/notes").send().await?;
//! println!("{}", notes.text().await?);
//! # Ok(()) }
//! ```
//!
//! # What it does
//!
//! 1. Signs a new proof for each request and each repetition (RFC 9449 §4.2): a DPoP proof, an HTTP message signature
//!    (RFC 9421) or a signed HTTP request, as the token needs it.
//! 2. Keeps the newest nonce of each server, and repeats a request once when the server asks for a nonce (RFC 9449 §8,
//!    §9).
//! 3. Follows redirects within the origin, with a new proof. A redirect to another origin is returned as the response,
//!    so the token is not sent there.
//! 4. Reads URLs as browsers read them: `?filter[name]=x`, spaces, `é` and `https://bücher.example` are allowed. The
//!    proof names the path that is sent, in the characters of RFC 3986.
//!
//! # What it rejects
//!
//! - plain http beyond loopback (RFC 9449 §2), unless [`DangerousClientOptions::allow_http`] is set. Plain http never
//!   goes through a proxy;
//! - tokens of another type than the requested one (RFC 9449 §5);
//! - metadata that names another issuer or resource than the requested one (RFC 8414 §3.3, RFC 9728 §3.3);
//! - authorization responses with another `state` or `iss` (RFC 9207);
//! - JSON with duplicate members;
//! - nonce challenges without a usable nonce, and a second nonce challenge for the same request.
//!
//! # What it limits
//!
//! [`ClientOptions`] limits the time to connect, for each metadata document, for each token request and for the
//! response head of a resource. It limits the size of metadata and of responses of the authorization server. The caller
//! reads the body of a resource's response, which has no limit unless [`ClientOptions::total_timeout`] is set.
//!
//! # Errors and logs
//!
//! [`ClientError`] has a variant for each cause. No error and no log event contains a token, a proof, a secret or the
//! query of a URL. Failures are logged with `tracing`, with the URL and the cause.
//!
//! # Features
//!
//! Both are off by default. They add [`ProofLayer`], which signs the requests of other HTTP clients:
//! - `tower`: as a tower layer for every `tower::Service<http::Request<B>>`, such as `hyper-util` clients and `tonic`
//!   channels.
//! - `reqwest-middleware`: as a middleware for the crate of this name.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod authorization_request;
mod authorization_server;
mod bound_client;
mod bound_token;
mod builder;
mod challenge;
mod client_authentication;
mod client_certificate;
mod clock;
mod discovery;
mod dpop_client;
mod endpoints;
mod error;
mod error_response;
mod grant;
mod header;
mod json;
#[cfg(any(feature = "tower", feature = "reqwest-middleware"))]
mod layer;
mod message_signature;
mod mtls_client;
mod mtls_token_client;
mod nonce;
mod nonce_challenge;
mod options;
mod proof;
mod random;
mod redaction;
mod request_signer;
mod resource_metadata;
mod response_key;
mod response_signature;
mod signature_key;
mod signed_request;
mod signer;
mod token_client;
mod token_endpoint;
mod token_request_key;
mod transport;
mod upload;
mod url;

pub use authorization_request::AuthorizationRequest;
pub use bound_client::{BoundClient, RequestBuilder};
pub use bound_token::{BoundToken, ProofMethod, TokenBinding};
pub use builder::TokenClientBuilder;
pub use challenge::{Challenge, Lacking};
pub use client_authentication::ClientAuthentication;
pub use client_certificate::ClientCertificate;
pub use dpop_client::DpopClient;
pub use endpoints::Endpoints;
pub use error::{
    ClientError, DiscoveryError, EnvelopeError, HttpError, HttpFailure, OptionsError, ResponseSignatureError, UrlError,
    UrlSyntaxError,
};
#[cfg(any(feature = "tower", feature = "reqwest-middleware"))]
pub use layer::ProofLayer;
#[cfg(feature = "tower")]
pub use layer::{ProofFuture, ProofService, ProofServiceError, RepeatableBody};
pub use message_signature::RequestSignature;
pub use mtls_client::MtlsClient;
pub use mtls_token_client::MtlsTokenClient;
pub use nonce::{MalformedNonce, NonceMemory, Role};
pub use options::{ClientOptions, DangerousClientOptions};
pub use pop_core;
pub use pop_core::jose::{Algorithm, KeyEncryptionKeys, KeyError, SharedKey, SigningKey as DpopKey};
pub use proof::Proof;
pub use request_signer::{RequestSigner, SignableRequest, request_url};
pub use reqwest;
pub use resource_metadata::ResourceMetadata;
pub use response_signature::ResponseVerifier;
pub use signature_key::SignatureKey;
pub use signed_request::Envelope;
pub use token_client::TokenClient;
pub use token_endpoint::TokenResponse;
pub use token_request_key::TokenRequestKey;
