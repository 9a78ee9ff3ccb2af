//! A tower layer that accepts OAuth 2.0 access tokens only together with proof of possession: a stolen token is useless
//! without the key it names.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::get};
//! use tower_pop::{PopConfig, PopLayer, VerifiedToken};
//!
//! async fn list_notes(token: VerifiedToken) -> String {
//!     format!("hello {}", token.subject().unwrap_or("?"))
//! }
//!
//! let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
//! let app: Router = Router::new().route("/notes", get(list_notes)).layer(PopLayer::new(cfg));
//! # }
//! # Ok::<(), tower_pop::ConfigError>(())
//! ```
//!
//! What it verifies: JWT access tokens (RFC 9068) and opaque ones by introspection (RFC 7662, RFC 9701); DPoP proofs
//! (RFC 9449) with replay and nonces; client certificates (RFC 8705) from the connection or from a trusted proxy
//! (RFC 9440). Every confirmation method (RFC 7800) that a token names must hold; those that are not verified here are
//! recognised and refused.
//!
//! What it does not protect: bodies and header fields of a request. A DPoP proof covers method, URI without query, and
//! the access token (RFC 9449 §11.7).
//!
//! # "Why 401?"
//! Every rejection is one event of `tracing`, at level `DEBUG`: `RUST_LOG=tower_pop=debug` with `tracing-subscriber`'s
//! `EnvFilter`. It names the stable code, the claim, what was found, what was expected and what to change; never a value of a
//! token or proof. [`errors::CODES`] lists all codes. In development,
//! [`explain_rejections`](PopConfigBuilder::explain_rejections) puts the same into the response. Failures of the authorization
//! server or of the replay store are warnings. With feature `metrics`, `pop_requests_total` counts each request once by
//! `outcome` (`admitted`, `rejected`, `unproven`, `abandoned`) and `code`, and `pop_proof_age_seconds` is a histogram of the
//! time since `iat`.
//!
//! # Features
//! `axum` (default): extractors, problem+json, metadata route. `http-client` (default): keys over HTTPS. `aws-lc-rs`
//! (default) and `rust-crypto`: signature verification, at least one. `rustls`: TLS that asks for client certificates. `metrics`: counters through the
//! `metrics` facade. `serde`: settings by name, for configuration files.

mod certificate;
pub mod clock;
mod config;
pub mod cors;
mod drain;
mod error;
mod explain;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod guard;
mod issuer;
pub mod keys;
mod layer;
mod log_limit;
mod metadata;
mod nonce_policy;
mod origin;
mod peer;
mod proof_key_cache;
mod rejection;
pub mod replay;
mod request_context;
mod require;
mod service;
mod telemetry;
#[cfg(feature = "rustls")]
pub mod tls;
mod token;
mod token_source;
mod verifier;

pub use certificate::{CertificateHeader, ClientCertificates, ProxyTrust};
pub use config::{Dangerous, PopConfig, PopConfigBuilder};
pub use error::{ConfigError, HttpClientError};
pub use explain::Explanation;
#[cfg(feature = "axum")]
pub use extract::{Claims, ClaimsRejection, VerifiedTokenRejection};
pub use future::ResponseFuture;
pub use guard::Guarded;
pub use issuer::IssuerConfig;
pub use layer::PopLayer;
pub use metadata::MetadataService;
pub use nonce_policy::{NoncePolicy, NonceRequest};
pub use origin::OriginalTarget;
pub use peer::{PeerAddress, PeerCertificate, UnixSocketPeer};
pub use rejection::{DefaultRejection, OnRejection, Rejection, RejectionHandler};
pub use require::{Require, RequireAcr, RequireClaim, RequireError, RequireMaxAge, RequireScope};
pub use service::PopService;
pub use token::VerifiedToken;
pub use token_source::Introspection;
pub use verifier::{Admitted, ResponseFields, Verdict, Verification, VerificationFuture};

pub use pop_core::Error;
pub use pop_core::access_token::AccessToken;
pub use pop_core::certificate::CertificateFormat;
pub use pop_core::confirmation::{Confirmation, Requirement};
pub use pop_core::jose::crypto::CryptoBackend;
pub use pop_core::jose::{Algorithm, CertThumbprint, JwkThumbprint};
#[cfg(feature = "http-client")]
pub use pop_core::jose::{KeyError, SigningKey};
pub use pop_core::names::UnknownName;
pub use pop_core::policy::{IatPolicy, Mode, Preset, ReplayQuota};
pub use pop_core::proof::{ProofKind, ProofOfPossession};
pub use pop_core::scope::Scopes;

/// The parts of an [`Error`], for code that matches them, and a description of every code. The error of a replay store is
/// [`replay::ReplayError`].
pub mod errors {
    pub use pop_core::jose::{Found, HeaderError, JwkError, JwksError, Malformed};
    pub use pop_core::scope::ScopeError;
    pub use pop_core::step_up::StepUpError;
    pub use pop_core::{
        BindingError, CODES, ClaimError, CodeHelp, ConfirmationError, CredentialError, DpopError, NonceError,
        ProofError, TokenError, Unavailable, help,
    };
}
