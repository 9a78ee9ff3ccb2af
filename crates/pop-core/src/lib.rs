//! The decision whether a request proves possession of the key that its access token is bound to. Bytes in, decision out: no
//! clock, no socket, no lock, no async.
//!
//! A request passes through this crate in this order:
//!
//! 1. [`credentials`]: the scheme and the access token.
//! 2. [`proof`]: the proofs of the scheme, strictly parsed with [`jose`] before any signature is verified.
//! 3. [`access_token`]: signature and claims of the token (RFC 9068), or its introspection response (RFC 7662).
//! 4. [`confirmation`]: the keys that the token is bound to (RFC 7800).
//! 5. [`binding`]: the proofs are verified against the [`request`] (RFC 9449 §4.3, with [`target`] for `htu`), every requirement
//!    of the confirmation is met, and the proofs are fresh ([`nonce`]).
//! 6. [`replay`]: the result, [`Unreplayed`](binding::Unreplayed), becomes [`VerifiedClaims`](binding::VerifiedClaims) only in
//!    exchange for the [`FirstUse`](replay::FirstUse) of a replay store.
//! 7. [`challenge`]: the status and the `WWW-Authenticate` challenges of every [`Error`].
//!
//! `tower-pop` supplies keys, clock and replay store. Applications use `tower-pop`.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod access_token;
pub mod binding;
pub mod certificate;
pub mod challenge;
pub mod confirmation;
mod constant_time;
pub mod content;
pub mod credentials;
mod error;
mod hash;
pub mod jose;
pub mod names;
pub mod nonce;
pub mod policy;
pub mod proof;
pub mod replay;
pub mod request;
pub mod scope;
pub mod step_up;
pub mod target;

pub use error::{
    BindingError, CODES, ClaimError, CodeHelp, ConfirmationError, ContentDigestError, ContentError, CredentialError,
    DpopError, Error, NonceError, ProofError, ReplayError, SignatureError, SignedRequestError, TokenError, Unavailable,
    help,
};
pub use jose::Found;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
