//! The in-memory store: exact, bounded, and sharded by client key.
//!
//! 1. An entry is a 128-bit fingerprint of its key. Half of the fingerprint is keyed with a random secret.
//! 2. Entries that expire in the same span of seconds form a set, which is dropped as a whole: when the wall clock has
//!    passed its end *and* the remaining lifetime of its entries has passed on the monotonic clock.
//! 3. The end of the last dropped set is kept. Entries that expire before it are rejected, so that no proof is accepted again
//!    when the clock steps back.
//! 4. An insert takes one lock: that of the client's shard. Shards take free places from the store in small lots, so that
//!    they share no memory that every insert writes to. Metrics count lots too.

use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use pop_core::ReplayError;
use pop_core::replay::{FirstUse, ReplayEntry};

use super::pages::{ClientHash, Pages, PerClient, Used};
use super::secret::Secret;
use super::store::{ReplayAnswer, ReplayStore};
use crate::clock::{Clock, SystemClock};
use crate::meter::{Occupancy, StoreUse};
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, SHARDS};

/// The default capacity of a [`MemoryReplayStore`], in entries.
pub const DEFAULT_CAPACITY: usize = 4_000_000;
/// The default span of one set, in seconds.
const DEFAULT_SPAN: u64 = 23;
/// The number of shards that are cleaned up in each second with an insert: all of them within the span of a set.
const CLEAN_UP_A_SECOND: usize = 32;

/// The default [`ReplayStore`], in the memory of this process.
///
/// Memory grows with use: about 40 bytes for each entry if a client key has many at a time, and about 80 if it has one. Entries
/// are dropped up to a quarter of their lifetime late, so the store sustains `capacity ÷ (1.25 × lifetime)` requests per
/// second: with the defaults, 4,000,000 ÷ 114 s ≈ 35,000. A large store may reject entries as full while up to 1/64 of it is
/// free.
///
/// # Security
/// Other processes do not know the entries, and a restart loses them: a proof may then be accepted once for each process.
/// [`PopConfigBuilder`](crate::PopConfigBuilder) can reject proofs from before the start. Replicas need a store that they
/// share.
///
/// # Example
/// ```
/// use tower_pop::PopConfig;
/// use tower_pop::replay::MemoryReplayStore;
///
/// let store = MemoryReplayStore::with_capacity(1_000_000).per_key(10_000);
/// let cfg = PopConfig::builder("https://as.example", "https://api.example").replay_store(store).build()?;
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
pub struct MemoryReplayStore {
    shards: Box<[AlignedShard]>,
    /// The number of places that no shard has taken.
    free: AtomicUsize,
    /// The number of places that a shard takes at a time.
    lot: usize,
    capacity: usize,
    per_key: usize,
    span: u64,
    secret: Secret,
    clock: Arc<dyn Clock>,
    /// The second in which shards were last cleaned up.
    cleaned_up: AtomicUsize,
    /// The next shard that is cleaned up so.
    turn: AtomicUsize,
    occupancy: Occupancy,
}

/// A shard that shares no cache line with another one.
#[derive(Default)]
#[repr(align(128))]
struct AlignedShard(Mutex<Shard>);

impl MemoryReplayStore {
    /// Creates a store for this many entries. One client key may have a tenth of them, at least one.
    ///
    /// # Panics
    /// If the operating system provides no random bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| AlignedShard::default()).collect(),
            free: AtomicUsize::new(capacity),
            lot: (capacity / (SHARDS * 64)).clamp(1, 64),
            capacity,
            per_key: (capacity / 10).max(1),
            span: DEFAULT_SPAN,
            secret: Secret::random(),
            clock: Arc::new(SystemClock::default()),
            cleaned_up: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            occupancy: Occupancy::of(StoreUse::Store),
        }
    }

    /// Sets the maximum number of live entries of one client key, at least 1. Defaults to a tenth of the capacity.
    #[must_use]
    pub fn per_key(mut self, entries: usize) -> Self {
        self.per_key = entries.max(1);
        self
    }

    /// Sets the lifetime of proofs. Defaults to 91 s. Expired entries are dropped about four times in a lifetime, so this
    /// affects speed and memory, and when the store is full. It does not affect which proofs are replays.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.span = (lifetime.as_secs() / 4).clamp(4, 600);
        self
    }

    /// Replaces the clock that decides how long entries are kept. Defaults to [`SystemClock`].
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Returns the number of entries, with expired ones that are not dropped yet. Locks every shard in turn.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().used.len()).sum()
    }

    /// Returns whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts this store apart from those that stand alone.
    #[cfg(feature = "redis")]
    pub(super) fn beside_redis(mut self) -> Self {
        self.occupancy = Occupancy::of(StoreUse::BesideRedis);
        self
    }

    /// Returns what an insert would answer, without recording anything.
    #[cfg(feature = "redis")]
    pub(super) fn check(&self, entry: &ReplayEntry) -> Result<(), ReplayError> {
        self.examine::<false>(entry)
    }

    fn insert_now(&self, entry: &ReplayEntry) -> Result<FirstUse, ReplayError> {
        self.examine::<true>(entry).map(|()| FirstUse::assertion())
    }

    /// Checks an entry, and records it if `RECORD` is set.
    fn examine<const RECORD: bool>(&self, entry: &ReplayEntry) -> Result<(), ReplayError> {
        let key = entry.key.as_bytes();
        let keyed = self.secret.of(key);
        let digest = key.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let hash = self.secret.of(entry.client.as_bytes());
        let client = ClientHash::of(hash);

        let mut guard = self.shard_of(hash).lock();
        let shard = &mut *guard;
        if shard.now != entry.now {
            shard.now = entry.now;
            shard.monotonic = self.clock.monotonic().as_secs();
            self.clean_up(entry.now, shard.monotonic);
        }
        let monotonic = shard.monotonic;
        self.drop_expired(shard, entry.now, monotonic);
        let end = entry.expires_at / self.span;
        if entry.expires_at <= entry.now || shard.dropped.is_some_and(|dropped| end <= dropped) {
            return Err(ReplayError::Replayed); // may be one of the dropped entries
        }
        if shard.used.contains(keyed, digest) {
            return Err(ReplayError::Replayed);
        }
        if !RECORD {
            let count = shard.clients.get(&client).copied().unwrap_or_default();
            return if count < self.per_key { Ok(()) } else { Err(shard.over_quota(self.span, entry.now)) };
        }
        if shard.places == 0 {
            shard.places = self.take_places(entry.now, monotonic)?;
            self.occupancy.taken(shard.places, self.capacity);
        }
        let count = shard.clients.entry(client).or_default();
        if *count >= self.per_key {
            return Err(shard.over_quota(self.span, entry.now));
        }
        *count += 1;
        shard.places -= 1;
        let set = shard.set_ending(end, monotonic.saturating_add(entry.expires_at - entry.now));
        shard.used.add(Used::new(keyed, digest, client, set));
        shard.next_drop = shard.next_drop.min(end_second(end, self.span));
        Ok(())
    }

    /// Takes free places for a shard, at least one. If there is none, all other shards drop expired entries first.
    fn take_places(&self, now: u64, monotonic: u64) -> Result<usize, ReplayError> {
        let take = || {
            let without_lot = |free: usize| free.checked_sub(free.min(self.lot)).filter(|_| free > 0);
            let before = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, without_lot);
            before.map(|free| free.min(self.lot))
        };
        take().or_else(|_| {
            self.shards.iter().for_each(|shard| self.drop_expired_in(shard, now, monotonic));
            take().map_err(|_| ReplayError::Full)
        })
    }

    fn drop_expired(&self, shard: &mut Shard, now: u64, monotonic: u64) {
        if now < shard.next_drop {
            return;
        }
        let dropped = shard.drop_expired(self.span, now, monotonic);
        if dropped > 0 {
            self.free.fetch_add(dropped, Ordering::Relaxed);
            self.occupancy.freed(dropped);
        }
    }

    /// Drops expired entries of some shards, in turn and once a second in the whole store, because a shard without inserts does
    /// not drop its own.
    #[allow(clippy::cast_possible_truncation)]
    fn clean_up(&self, now: u64, monotonic: u64) {
        let second = now as usize;
        if self.cleaned_up.load(Ordering::Relaxed) != second
            && self.cleaned_up.swap(second, Ordering::Relaxed) != second
        {
            let some = CLEAN_UP_A_SECOND.min(SHARDS);
            let first = self.turn.fetch_add(some, Ordering::Relaxed);
            for turn in 0..some {
                if let Some(shard) = self.shards.get(first.wrapping_add(turn) % SHARDS) {
                    self.drop_expired_in(shard, now, monotonic);
                }
            }
        }
    }

    /// Skips a shard that is in use: its insert drops expired entries itself.
    fn drop_expired_in(&self, shard: &AlignedShard, now: u64, monotonic: u64) {
        if let Ok(mut shard) = shard.0.try_lock() {
            self.drop_expired(&mut shard, now, monotonic);
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::indexing_slicing)]
    fn shard_of(&self, hash: u64) -> &AlignedShard {
        &self.shards[(hash >> 55) as usize % SHARDS]
    }
}

impl AlignedShard {
    fn lock(&self) -> MutexGuard<'_, Shard> {
        // No statement under the lock can panic except a recorder of metrics, which is called when the shard is consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store for [`DEFAULT_CAPACITY`] entries.
impl Default for MemoryReplayStore {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}

impl Drop for MemoryReplayStore {
    fn drop(&mut self) {
        let free = self.free.load(Ordering::Relaxed);
        self.occupancy.dropped(self.capacity - free, self.capacity);
    }
}

impl ReplayStore for MemoryReplayStore {
    fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
        ReplayAnswer::Now(self.insert_now(&entry))
    }
}

impl fmt::Debug for MemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryReplayStore({} entries)", self.capacity)
    }
}

/// The entries of clients in one region of the hash space. All proofs of a client are in one shard, so its quota is exact.
#[derive(Default)]
struct Shard {
    used: Pages,
    clients: PerClient,
    /// Each entry refers to its set by the index here.
    sets: Vec<Option<ExpirySet>>,
    /// The end of the last set that was dropped.
    dropped: Option<u64>,
    /// The wall-clock second before which no set ends.
    next_drop: u64,
    /// The second of the wall clock at the last insert, and of the monotonic clock, which is read once for each of them.
    now: u64,
    monotonic: u64,
    /// The number of free places that this shard has taken from the store.
    places: usize,
}

/// The entries that expire between `end * span` and `(end + 1) * span`.
#[derive(Clone, Copy)]
struct ExpirySet {
    end: u64,
    /// The second of the monotonic clock until which the set is kept.
    keep_until: u64,
}

impl Shard {
    /// Returns the index of the set with this end, and adds it if it is new. If all 256 indices are taken, the set that ends
    /// last takes the entry, and ends later.
    fn set_ending(&mut self, end: u64, keep_until: u64) -> u8 {
        let has_this_end = |set: &Option<ExpirySet>| set.is_some_and(|set| set.end == end);
        let at = self.sets.iter().position(has_this_end).or_else(|| self.sets.iter().position(Option::is_none));
        let at = at.unwrap_or_else(|| {
            if self.sets.len() <= usize::from(u8::MAX) {
                self.sets.push(None);
                return self.sets.len() - 1;
            }
            let last = self.sets.iter().enumerate().max_by_key(|(_, set)| set.map(|set| set.end));
            last.map_or(0, |(at, _)| at)
        });
        if let Some(set) = self.sets.get_mut(at) {
            let set = set.get_or_insert(ExpirySet { end, keep_until });
            set.end = set.end.max(end);
            set.keep_until = set.keep_until.max(keep_until);
        }
        u8::try_from(at).unwrap_or(u8::MAX)
    }

    /// Drops all sets that have ended. Returns the number of their entries.
    fn drop_expired(&mut self, span: u64, now: u64, monotonic: u64) -> usize {
        let mut ended = [false; 256];
        for (slot, ended) in self.sets.iter_mut().zip(&mut ended) {
            if let Some(set) = *slot
                && now >= end_second(set.end, span)
                && monotonic >= set.keep_until
            {
                *ended = true;
                *slot = None;
                self.dropped = self.dropped.max(Some(set.end));
            }
        }
        let before = self.used.len();
        if ended.contains(&true) {
            let clients = &mut self.clients;
            self.used.retain(
                |used| ended.get(usize::from(used.set())) == Some(&false),
                |used| {
                    if let Entry::Occupied(mut count) = clients.entry(used.client()) {
                        *count.get_mut() -= 1;
                        if *count.get() == 0 {
                            count.remove();
                        }
                    }
                },
            );
        }
        self.next_drop = self.first_end(span).unwrap_or(u64::MAX);
        before - self.used.len()
    }

    fn first_end(&self, span: u64) -> Option<u64> {
        self.sets.iter().flatten().map(|set| end_second(set.end, span)).min()
    }

    fn over_quota(&self, span: u64, now: u64) -> ReplayError {
        let end = self.first_end(span).unwrap_or(now);
        ReplayError::KeyQuota { retry_after: u32::try_from(end.saturating_sub(now)).unwrap_or(u32::MAX).max(1) }
    }
}

/// Returns the first second after a set.
const fn end_second(end: u64, span: u64) -> u64 {
    (end + 1).saturating_mul(span)
}
