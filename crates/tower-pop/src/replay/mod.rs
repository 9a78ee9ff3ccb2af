//! Stores of used proofs, so that each proof is accepted once (RFC 9449 §11.1).
//!
//! - [`MemoryReplayStore`] is the default. It serves one process.
#![cfg_attr(feature = "redis", doc = "- [`RedisReplayStore`] is for replicas that share one Redis or Valkey.")]
#![cfg_attr(
    not(feature = "redis"),
    doc = "- With the feature `redis`, there is a store for replicas that share one Redis or Valkey."
)]
//! - [`ReplayStore`] is the trait for other stores, for example one that several replicas share. Check it with
//!   [`conformance`].
//!
//! # Security
//! A store that forgets an entry too early accepts a stolen proof a second time. A store that rejects too much costs
//! availability only. When in doubt, a store must reject: also when it is full.

pub mod conformance;
mod memory;
mod pages;
#[cfg(feature = "redis")]
mod redis;
mod secret;
mod store;

pub use self::memory::{DEFAULT_CAPACITY, MemoryReplayStore};
#[cfg(feature = "redis")]
pub use self::redis::{
    DangerousRedisOptions, RedisReplayStore, RedisReplayStoreBuilder, RedisSetupError, RedisUnavailable,
};
pub use self::store::{ReplayAnswer, ReplayStore, StoreReadiness};
pub use pop_core::ReplayError;
pub use pop_core::replay::{FirstUse, QuotaOwner, ReplayEntry, ReplayKey, ReplayTimes};
