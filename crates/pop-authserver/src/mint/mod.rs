//! Minting tokens and proofs, valid or defective. A builder changes exactly what it is told, even if the result is
//! invalid.

mod jws;
mod proof;
mod token;

pub use self::proof::{ProofMint, proof};
pub use self::token::TokenMint;
