//! Proofs of possession, one module per kind.

pub mod dpop;
mod key;
pub mod mtls;
mod xfcc;

pub use dpop::DpopProof;
pub use key::ProofKey;
