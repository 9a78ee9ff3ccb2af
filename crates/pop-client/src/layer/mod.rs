//! Proofs for the requests of other HTTP clients: as a tower layer, and as a middleware of `reqwest-middleware`.
//!
//! 1. The request must be for the origin of the layer. Otherwise nothing is sent.
//! 2. The request is signed with the newest nonce of the server.
//! 3. The nonce of every response is stored.
//! 4. If the response asks for a nonce (RFC 9449 §9), the request is sent a second time with the nonce, with the same
//!    body. Every other response is the caller's.

mod body;
mod destination;
#[cfg(feature = "tower")]
mod error;
#[cfg(feature = "tower")]
mod future;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
mod proof_layer;
#[cfg(feature = "tower")]
mod request_uri;
#[cfg(feature = "tower")]
mod service;
mod settings;

#[cfg(feature = "tower")]
pub use self::body::RepeatableBody;
#[cfg(feature = "tower")]
pub use self::error::ProofServiceError;
#[cfg(feature = "tower")]
pub use self::future::ProofFuture;
pub use self::proof_layer::ProofLayer;
#[cfg(feature = "tower")]
pub use self::service::ProofService;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
