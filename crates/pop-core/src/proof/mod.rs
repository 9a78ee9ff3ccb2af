//! Proofs of possession, one module per kind.

pub mod dpop;

pub use dpop::DpopProof;
