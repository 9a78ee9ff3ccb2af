//! A development authorization server, and a testing kit that mints any token and any proof, good or defective.
//!
//! **Never for production**: it approves every user without asking, keeps its keys in memory and binds to loopback only.
//!
//! ```
//! use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
//!
//! // No socket: only keys and minting.
//! let server = TestAuthServer::offline("https://as.example");
//! let key = DpopKey::generate(Algorithm::ES256)?;
//! let token = server.token().scope("notes:read").bound_to(&key).mint(); // for https://api.example
//! let proof = server.proof(&key).method("GET").url("https://api.example/notes").for_token(&token).mint();
//! let expired = server.token().bound_to(&key).expires_in(-3600).mint();
//! # assert_eq!((token.split('.').count(), proof.split('.').count()), (3, 3));
//! # assert_ne!(token, expired);
//! # Ok::<(), pop_authserver::KeyError>(())
//! ```
//!
//! [`TestAuthServer::start`] gives the same with a real server on a free port of 127.0.0.1.

mod authentication;
mod client;
mod connections;
mod endpoint;
mod error;
mod grant;
#[cfg(doctest)]
mod guides;
mod keys;
mod mint;
mod proof_check;
mod server;
mod testing;
mod tokens;

pub use client::Client;
pub use connections::Listeners;
pub use error::StartError;
pub use mint::{ProofMint, TokenMint, proof};
pub use pop_client::{Algorithm, DpopKey, KeyError};
pub use server::{AuthServer, AuthServerBuilder};
pub use testing::{TestAuthServer, TestCertificate};
