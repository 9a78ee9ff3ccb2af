//! A tower layer for clients: every request that passes has the token and a new proof.
//!
//! 1. The request must be for the origin of the layer. Otherwise nothing is sent.
//! 2. The request is signed with the newest nonce of the server.
//! 3. The nonce of every response is stored.
//! 4. If the response asks for a nonce (RFC 9449 §9), the request is sent a second time with the nonce, with the same
//!    body. Every other response is the caller's.

mod body;
mod error;
mod future;
mod proof_layer;
mod service;

pub use self::body::RepeatableBody;
pub use self::error::ProofServiceError;
pub use self::future::ProofFuture;
pub use self::proof_layer::ProofLayer;
pub use self::service::ProofService;
