//! Shuttle's types under the names of `crates/tower-pop/src/sync.rs`.

use std::future::Future;
use std::sync::{Arc, PoisonError};

use shuttle::future::JoinHandle;
pub(crate) use shuttle::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

/// Few, so that threads meet in them.
pub(crate) const SHARDS: usize = 2;

/// An `arc_swap::ArcSwapOption`, as far as it is used: each call is one step.
pub(crate) struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

impl<T> ArcSwapOption<T> {
    pub(crate) fn empty() -> Self {
        Self(Mutex::new(None))
    }

    pub(crate) fn load(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn load_full(&self) -> Option<Arc<T>> {
        self.load()
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

/// A `tokio::runtime::Handle`, as far as it is used.
pub(crate) struct Handle;

impl Handle {
    pub(crate) fn try_current() -> Result<Self, ()> {
        Ok(Self)
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        shuttle::future::spawn(task)
    }
}
