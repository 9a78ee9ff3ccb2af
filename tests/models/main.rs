//! The replay store in memory and the fetches of keys, run by shuttle in many orders of their threads and tasks.
//!
//! The files of `tower-pop` are compiled here once more, with the locks, atomics and tasks of shuttle in [`sync`]: each use of
//! one may let another thread go on. It is a search at random, not a proof. Shuttle knows sequential consistency only. Nothing
//! here depends on more: the one atomic of the store is a counter that is changed in single steps.
//!
//! What is not run: `futures_util::future::Shared` and `arc_swap` inside (each of their calls is one step), and what stands
//! for the HTTP client.
//!
//! A failure prints a schedule: `shuttle::replay(|| .., "..")` repeats it.
#![allow(clippy::unwrap_used)]
#![allow(unexpected_cfgs, reason = "of features of tower-pop")]

#[allow(dead_code, unreachable_pub)]
#[path = "../../crates/tower-pop/src/clock.rs"]
mod clock;
mod keys;
#[allow(dead_code)]
#[path = "../../crates/tower-pop/src/meter/occupancy.rs"]
mod occupancy;
mod replay;
#[allow(dead_code)]
#[path = "../../crates/tower-pop/src/span.rs"]
mod span;
mod sync;

/// Stands for the metrics of the product.
mod meter {
    pub(crate) use crate::occupancy::{Occupancy, StoreUse};

    pub(crate) fn key_fetch(_: &str, _: bool, _: u64) {}
}

const NOW: u64 = 1_800_000_000;

/// Runs a model in many orders: at random, and with few changes of the thread at the least likely places (PCT), for as many
/// changes as a defect may need.
fn check(model: impl Fn() + Clone + Send + Sync + 'static) {
    shuttle::check_random(model.clone(), 2_000);
    for changes in 1..=3 {
        shuttle::check_pct(model.clone(), 1_000, changes);
    }
}
