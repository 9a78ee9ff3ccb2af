//! Proofs of possession, one module per kind.

pub mod dpop;
pub mod mtls;

pub use dpop::DpopProof;
