//! A tower layer for OAuth 2.0 resource servers. It accepts an access token only together with proof of possession of the key
//! that the token is bound to: a stolen token is useless without that key.
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
//! The layer works around every `tower::Service<http::Request<B>>` whose response body is `Default`: axum, tonic, hyper.
//!
//! # What is verified
//! - JWT access tokens (RFC 9068), and opaque ones by introspection (RFC 7662, RFC 9701): [`IssuerConfig`], [`Introspection`].
//! - DPoP proofs (RFC 9449), with replay and nonces: [`replay`], [`NoncePolicy`].
//! - Client certificates (RFC 8705), of the connection or from a trusted proxy (RFC 9440): [`ClientCertificates`], [`tls`].
//! - HTTP message signatures (RFC 9421) and signed HTTP requests, by public or symmetric keys, and the content that they cover
//!   (RFC 9530): see below.
//! - Every confirmation method (RFC 7800) that a token names must hold. A token with a method that is not verified here is
//!   rejected.
//!
//! # Kinds of proof
//! The token names its key in `cnf` (RFC 7800), and with it the kind of proof. [`PopConfigBuilder::proofs`] says which kinds are
//! accepted; DPoP alone is the default.
//!
//! | kind | scheme | `cnf` | covers |
//! |---|---|---|---|
//! | [`Dpop`](ProofKind::Dpop) | `DPoP` | `jkt` | method, URI without query, token (RFC 9449 §11.7) |
//! | [`MutualTls`](ProofKind::MutualTls) | `Bearer` | `x5t#S256` | the TLS connection |
//! | [`HttpSig`](ProofKind::HttpSig) | `HTTPSig` | `jwk` | method, URI, token, content, and the fields that it lists |
//! | [`SignedRequest`](ProofKind::SignedRequest) | `PoP` | `jwk`, `kid`, `jwe` | the same |
//! | [`Hmac`](ProofKind::Hmac) | `PoP` | `jwe` | the same. **The resource can forge it** |
//!
//! [`require_message_signature`](PopConfigBuilder::require_message_signature) demands a signature in addition to DPoP or a
//! certificate. Proofs that cover content need [`PopLayer::verify_content`]: without it they are rejected.
//!
//! # Where to start
//! | you want to | see |
//! |---|---|
//! | configure a resource | [`PopConfig::builder`], [`PopConfigBuilder`], [`Preset`] |
//! | accept requests without proof on some routes | [`Mode`], [`PopConfig::with_mode`] |
//! | use the token in a handler | [`VerifiedToken`], [`Claims`], [`AccessToken`] |
//! | require scopes, claims, or a recent login | [`RequireScope`], [`RequireClaim`], [`RequireAcr`], [`RequireMaxAge`] |
//! | act only on signed content | [`PopLayer::verify_content`], [`PopConfigBuilder::signed_content`], [`VerifiedBody`] |
//! | know what a proof covers, remove the rest | [`ProofOfPossession::covered`], [`PopConfigBuilder::strip_uncovered_fields`] |
//! | sign responses | [`SignResponses`] |
//! | accept symmetric keys, and rotate their encryption keys | [`KeyEncryptionKeys`], [`PopConfig::set_key_encryption_keys`] |
//! | run behind a proxy | [`PopConfigBuilder::public_origin`], [`PopConfigBuilder::trusted_proxies`], [`ProxyTrust`] |
//! | render rejections, match errors | [`PopLayer::on_rejection`], [`Rejection`], [`Error`], [`errors`] |
//! | publish RFC 9728 metadata | [`PopConfig::metadata_service`] |
//! | call from browsers | [`cors`] |
//! | test with a fixed time and keys | [`clock::ManualClock`], [`IssuerConfig::static_jwks`], [`PopConfig::verify`] |
//!
//! # Modes
//! | mode | no credentials | valid unbound Bearer | bound token, proof or binding fails | bad token |
//! |---|---|---|---|---|
//! | [`Required`](Mode::Required) (default) | 401 | 401 | 401 | 401 |
//! | [`Optional`](Mode::Optional) | anonymous | 401 | 401 | 401 |
//! | [`AllowBearer`](Mode::AllowBearer) | 401 | accepted | 401 | 401 |
//! | [`ReportOnly`](Mode::ReportOnly) | 401 | accepted | accepted as unproven, logged | 401 |
//!
//! # Why 401?
//! Every rejection is one `tracing` event of level `DEBUG`: `RUST_LOG=tower_pop=debug` with `tracing-subscriber`'s `EnvFilter`. It
//! has the stable code, the claim, what was found, what was expected and what to change; never a value of a token or proof.
//! [`errors::CODES`] lists all codes. In development, [`explain_rejections`](PopConfigBuilder::explain_rejections) puts the same
//! into the response. Failures of the authorization server or of the replay store are warnings. With feature `metrics`,
//! `pop_requests_total` counts each request once by `outcome` (`admitted`, `rejected`, `unproven`, `abandoned`) and `code`, and
//! `pop_proof_age_seconds` is a histogram of the time since `iat`.
//!
//! # Features
//! Features only add: turning one on does not change what another does.
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `aws-lc-rs` | yes | signature verification by `aws-lc-rs`, and encrypted symmetric keys |
//! | `axum` | yes | extractors, problem documents, the metadata route |
//! | `http-client` | yes | discovery, keys and introspection over HTTPS |
//! | `rust-crypto` | | signature verification in pure Rust |
//! | `rustls` | | TLS that requests client certificates |
//! | `redis` | | `RedisReplayStore`: a replay store that replicas share |
//! | `metrics` | | counters and a histogram through the `metrics` facade |
//! | `serde` | | options by name in configuration files |
//!
//! At least one of `aws-lc-rs` and `rust-crypto` must be on. With both, `aws-lc-rs` verifies unless the configuration chooses
//! otherwise.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod certificate;
pub mod clock;
mod config;
mod content;
pub mod cors;
mod drain;
mod error;
mod explain;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod guard;
mod issuer;
mod key_ring;
mod key_set;
pub mod keys;
mod layer;
mod log_limit;
mod metadata;
mod meter;
mod nonce_policy;
mod origin;
mod peer;
mod proof_key_cache;
mod readiness;
mod rejection;
pub mod replay;
mod request_context;
mod require;
#[cfg(feature = "http-client")]
mod response_signature;
mod service;
mod span;
mod sync;
mod telemetry;
#[cfg(feature = "rustls")]
pub mod tls;
mod token;
mod token_source;
mod verifier;

pub use certificate::{CertificateHeader, ClientCertificates, ProxyTrust};
pub use config::{Dangerous, PopConfig, PopConfigBuilder};
pub use content::{ContentFailed, HeadOnly, ReadContent, StreamContent, VerifiedBody, VerifyContent};
pub use error::{ConfigError, HttpClientError};
pub use explain::Explanation;
#[cfg(feature = "axum")]
pub use extract::{Claims, ClaimsRejection, VerifiedTokenRejection};
pub use future::ResponseFuture;
pub use guard::Guarded;
pub use issuer::IssuerConfig;
pub use key_set::KeySetService;
pub use layer::PopLayer;
pub use metadata::MetadataService;
pub use nonce_policy::{NoncePolicy, NonceRequest, nonce_keys_from_text};
pub use origin::OriginalTarget;
pub use peer::{PeerAddress, PeerCertificate, UnixSocketPeer};
pub use readiness::{Missing, Readiness};
pub use rejection::{DefaultRejection, OnRejection, Rejection, RejectionHandler};
pub use require::{Require, RequireAcr, RequireClaim, RequireError, RequireMaxAge, RequireScope};
#[cfg(feature = "http-client")]
pub use response_signature::{SignResponses, SignResponsesService};
pub use service::PopService;
pub use token::VerifiedToken;
pub use token_source::Introspection;
pub use verifier::{
    Admitted, ContentCheck, Decision, DecisionFuture, ResponseFields, Verdict, Verification, VerificationFuture,
};

pub use pop_core::Error;
pub use pop_core::access_token::AccessToken;
pub use pop_core::certificate::CertificateFormat;
pub use pop_core::confirmation::{Confirmation, Requirement};
pub use pop_core::jose::crypto::CryptoBackend;
pub use pop_core::jose::{Algorithm, CertThumbprint, JwkThumbprint};
pub use pop_core::jose::{KeyEncryptionKeys, KeyEncryptionKeysError};
#[cfg(feature = "http-client")]
pub use pop_core::jose::{KeyError, SigningKey};
pub use pop_core::names::UnknownName;
pub use pop_core::policy::{EnvelopeClaims, IatPolicy, IssuerProfile, Mode, Preset, ReplayQuota, SignedContent};
pub use pop_core::proof::{ClientKey, ClientKeys, ClientKeysError, ProofKind, ProofOfPossession, StaticClientKeys};
pub use pop_core::scope::Scopes;

/// The parts of an [`Error`], for code that matches them, and a description of every code. The error of a replay store is
/// [`replay::ReplayError`].
pub mod errors {
    pub use pop_core::jose::{Found, HeaderError, JwkError, JwksError, Malformed};
    pub use pop_core::scope::ScopeError;
    pub use pop_core::step_up::StepUpError;
    pub use pop_core::{
        BindingError, CODES, ClaimError, CodeHelp, ConfirmationError, ContentDigestError, ContentError,
        CredentialError, DpopError, NonceError, ProofError, SignatureError, SignedRequestError, TokenError,
        Unavailable, help,
    };
}

/// Compiles the example of the README.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;
