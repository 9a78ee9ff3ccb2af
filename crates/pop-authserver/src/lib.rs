//! A development authorization server, and a testing kit that mints any token and any proof, valid or defective.
//!
//! **Never for production**: it approves every authorization request without asking a user, keeps its keys in memory,
//! and listens on loopback only.
//!
//! # Test a resource server without a socket
//!
//! ```
//! use pop_authserver::{Algorithm, DpopKey, TestAuthServer};
//!
//! let server = TestAuthServer::offline("https://as.example"); // tokens are for https://api.example
//! let key = DpopKey::generate(Algorithm::ES256)?;
//! let token = server.token().scope("notes:read").bound_to(&key).mint();
//! let proof = server.proof(&key).method("GET").url("https://api.example/notes").for_token(&token).mint();
//! let expired = server.token().bound_to(&key).expires_in(-3600).mint();
//! # assert_eq!((token.split('.').count(), proof.split('.').count()), (3, 3));
//! # assert_ne!(token, expired);
//! # Ok::<(), pop_authserver::KeyError>(())
//! ```
//!
//! `server.jwks_json()` has the keys for a resource server with static keys, and `server.clock()` the clock.
//! [`TokenMint`] and [`ProofMint`] list what can be set, removed and broken.
//!
//! # Test a client against a real server
//!
//! ```
//! use pop_authserver::{Algorithm, Client, DpopKey, TestAuthServer};
//! use pop_client::{ClientAuthentication, TokenClient};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let builder = TestAuthServer::defaults().client(Client::confidential("worker", "secret").scopes("notes:read"));
//! let server = TestAuthServer::start_with(builder).await; // on a free port of 127.0.0.1 until it is dropped
//! let authentication = ClientAuthentication::SecretBasic("secret".to_owned());
//! let key = DpopKey::generate(Algorithm::ES256)?;
//! let client = TokenClient::discover(server.issuer(), "worker", authentication, key).await?;
//! let token = client.client_credentials(Some("notes:read"), None).await?;
//! assert_eq!(token.scope.as_deref(), Some("notes:read"));
//! # Ok(()) }
//! ```
//!
//! # What the server does
//!
//! 1. It issues access tokens (RFC 9068) for client credentials, authorization codes with PKCE, and refresh tokens.
//!    Tokens are JWTs or opaque.
//! 2. It binds tokens to the key of a DPoP proof (RFC 9449) or to a client certificate (RFC 8705). It requires nonces
//!    on request ([`AuthServerBuilder::require_nonce`]).
//! 3. It binds tokens to a key that the client names in `req_cnf`, or to a symmetric key that it generates and encrypts
//!    for one resource server (RFC 9201, draft-ietf-oauth-pop-key-distribution-07; [`ResourceServer`]). A token request
//!    with a message signature gets a token that is bound to the key of the signature (draft-richer-oauth-httpsig).
//! 4. It authenticates clients by `client_secret_basic`, `client_secret_post`, `private_key_jwt` or
//!    `self_signed_tls_client_auth`.
//! 5. It accepts pushed authorization requests (RFC 9126), and serves introspection (RFC 7662, RFC 9701), revocation
//!    (RFC 7009), metadata (RFC 8414) and keys.
//! 6. It rotates its keys ([`AuthServer::rotate_keys`]) and simulates outages ([`AuthServer::set_outage`]).
//!
//! # The program
//!
//! `cargo run -p pop-authserver -- --help` lists its options. It prints `ready` and its issuer when it serves.
//!
//! # Features
//!
//! This crate has no optional features.

mod authentication;
mod builder;
mod client;
mod cnf;
mod endpoint;
mod error;
mod form;
mod grant;
#[cfg(doctest)]
mod guides;
mod jwk;
mod keys;
mod listeners;
mod mint;
mod oauth_error;
pub mod program;
mod random;
mod resource_server;
mod revocation;
mod serve;
mod server;
mod signature_keys;
mod single_use;
mod test_certificate;
mod test_server;
mod tls_endpoint;
mod tokens;

pub use builder::AuthServerBuilder;
pub use client::Client;
pub use error::{CertificateError, ResourceKeysError, StartError};
pub use listeners::Listeners;
pub use mint::{ProofMint, TokenMint, proof};
pub use pop_client::{Algorithm, DpopKey, KeyEncryptionKeys, KeyError, SharedKey};
pub use pop_core::jose::{ContentEncryption, Recipient};
pub use resource_server::ResourceServer;
pub use server::AuthServer;
pub use test_certificate::TestCertificate;
pub use test_server::TestAuthServer;
