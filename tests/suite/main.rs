//! Black-box tests through the public API. Doc comments and rows of data name the requirements that they prove.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod access_token;
mod config;
mod cors;
mod docs;
mod dpop;
mod errors;
mod explain;
mod introspection;
mod issuer_profiles;
mod jose;
mod keys;
mod log;
mod metadata;
#[cfg(feature = "ml-dsa")]
mod ml_dsa;
mod modes;
mod modules;
mod mtls;
mod nonce;
mod properties;
mod rejected_bodies;
mod rejection_handler;
mod replay;
mod rfc_examples;
mod scope;
mod service;
mod signed;
mod step_up;
mod support;
mod target;
mod vectors;
