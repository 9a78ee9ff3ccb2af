//! What threads and tasks share and wait for, in the replay store in memory and in the fetches of keys. The tests in
//! `tests/models` compile those files with a `sync` of their own, which runs them in many orders.

pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) use arc_swap::ArcSwapOption;
pub(crate) use tokio::runtime::Handle;

/// The number of parts of the replay store in memory. Each has its own lock.
pub(crate) const SHARDS: usize = 512;
