//! The replay store in memory.

#[allow(dead_code, unreachable_pub)]
#[path = "../../../crates/tower-pop/src/replay/memory.rs"]
mod memory;
mod models;
#[path = "../../../crates/tower-pop/src/replay/pages.rs"]
mod pages;

/// A keyed hash without randomness, so that a model decides which keys meet in a shard: by the last byte.
mod secret {
    pub(super) struct Secret;

    impl Secret {
        pub(super) fn random() -> Self {
            Self
        }

        #[allow(clippy::unused_self)]
        pub(super) fn of(&self, digest: &[u8; 32]) -> u64 {
            digest.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes).rotate_right(9))
        }
    }
}

mod store {
    pub(super) use tower_pop::replay::{ReplayAnswer, ReplayStore};
}
