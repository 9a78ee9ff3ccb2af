//! The keys of an issuer: configured, or fetched over HTTPS and cached.
//!
//! - [`JwksCaching`] sets how long fetched keys are used, and how often tokens may cause a fetch.
//! - [`HttpFetch`] is the HTTP client for metadata, keys and introspection. The default is
//!   [`HyperFetch`], with feature `http-client`.
//!
//! Keys come from the `jwks_uri` in the issuer's metadata (RFC 8414), from
//! [`IssuerConfig::jwks_uri`](crate::IssuerConfig::jwks_uri), or from
//! [`IssuerConfig::static_jwks`](crate::IssuerConfig::static_jwks).

mod allowance;
mod caching;
mod discovery;
mod fetch;
#[cfg(feature = "http-client")]
mod hyper_fetch;
mod issuer_keys;
mod remote;
mod skipped_keys;
mod snapshot;

pub use self::caching::JwksCaching;
pub(crate) use self::discovery::{KeyLocation, is_acceptable};
pub use self::fetch::{ConnectionCause, ConnectionFailure, FetchError, FetchRequest, FetchResponse, HttpFetch};
pub(crate) use self::fetch::{exchange, without_query};
#[cfg(feature = "http-client")]
pub use self::hyper_fetch::HyperFetch;
pub(crate) use self::issuer_keys::IssuerKeys;
pub(crate) use self::remote::{KeyLookup, KeyPolicy, Refresh, RemoteKeys};
pub(crate) use self::skipped_keys::report_skipped;
