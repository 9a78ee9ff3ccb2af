//! Shuttle's types under the names of `crates/tower-pop/src/sync.rs`.

use std::future::Future;
use std::sync::{Arc, PoisonError};

use shuttle::future::{AbortHandle, JoinHandle};
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

shuttle::lazy_static! {
    /// The tasks of this run.
    static ref TASKS: Mutex<Vec<AbortHandle>> = Mutex::new(Vec::new());
}

/// Ends all tasks that run, as a runtime does that stops.
pub(crate) fn stop_runtime() {
    let tasks = std::mem::take(&mut *TASKS.lock().unwrap_or_else(PoisonError::into_inner));
    tasks.iter().for_each(AbortHandle::abort);
}

/// Waits until all tasks have ended.
pub(crate) async fn end_of_tasks() {
    while !TASKS.lock().unwrap_or_else(PoisonError::into_inner).iter().all(AbortHandle::is_finished) {
        shuttle::future::yield_now().await;
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
        let task = shuttle::future::spawn(task);
        TASKS.lock().unwrap_or_else(PoisonError::into_inner).push(task.abort_handle());
        task
    }
}
