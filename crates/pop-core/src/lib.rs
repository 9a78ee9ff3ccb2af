//! The decision whether a request proves possession of the key its access token is bound to. Bytes in, decision out: no
//! clock, no socket, no lock, no async.
//!
//! The way of a request through this crate:
//!
//! 1. [`credentials`]: headers to one [`Presented`](credentials::Presented) token and its proof.
//! 2. [`jose`]: strict parsing of both JWS, before any signature is looked at.
//! 3. [`access_token`]: signature and claims of the token (RFC 9068).
//! 4. [`cnf`]: which key the token is bound to (RFC 7800).
//! 5. [`proof`]: the DPoP proof against the request (RFC 9449 §4.3), [`target`] for its `htu`.
//! 6. [`nonce`]: server-provided nonces (RFC 9449 §8, §9).
//! 7. [`judgement`]: the order of the checks; its result, [`Unreplayed`](judgement::Unreplayed), becomes
//!    [`VerifiedClaims`](claims::VerifiedClaims) only against a replay store's [`FirstUse`](replay::FirstUse).
//! 8. [`challenge`]: every [`Error`] to its status and `WWW-Authenticate` challenges.
//!
//! `tower-pop` supplies keys, clock and replay store and is what applications use.

pub mod access_token;
pub mod challenge;
pub mod claims;
pub mod cnf;
mod constant_time;
pub mod credentials;
mod error;
pub mod introspection;
pub mod jose;
pub mod judgement;
pub mod names;
pub mod nonce;
pub mod policy;
pub mod proof;
pub mod replay;
pub mod scope;
pub mod step_up;
pub mod target;
mod texts;
mod token_claims;

pub use error::{
    BindingError, CODES, ClaimError, CodeHelp, ConfirmationError, CredentialError, Error, Found, NonceError,
    ProofError, ReplayError, TokenError, Unavailable, help,
};
