//! The in-memory store: exact, bounded, and sharded by client key.
//!
//! An entry is a 128-bit fingerprint of its key, half of it keyed with a random secret, in a set that holds everything
//! which expires in the same span of seconds. A set is dropped as a whole once the wall clock has passed its end *and*
//! its entries' remaining lifetime has passed on the monotonic clock. The end of the last dropped set is kept: whatever
//! would expire before it is refused, so that a clock which steps back revives nothing.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{FirstUse, ReplayAnswer, ReplayEntry, ReplayError, ReplayStore};
use crate::clock::{Clock, SystemClock};

/// Entries that a store holds unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 4_000_000;
/// Seconds that one set covers unless told otherwise.
const DEFAULT_SPAN: u64 = 16;
const SHARDS: usize = 128;

/// Remembers proofs in this process. Other processes and a restarted one know nothing of them.
///
/// Memory grows with use, about 40 bytes an entry. `capacity ÷ lifetime` requests per second can be sustained: with the
/// defaults, 4,000,000 ÷ 91 s ≈ 44,000.
pub struct MemoryReplayStore {
    shards: Box<[Mutex<Shard>]>,
    live: AtomicUsize,
    inserts: AtomicUsize,
    capacity: usize,
    per_key: usize,
    span: u64,
    secret: RandomState,
    clock: Arc<dyn Clock>,
}

impl MemoryReplayStore {
    /// A store for this many entries; one client key may have a tenth of them, at least one.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            live: AtomicUsize::new(0),
            inserts: AtomicUsize::new(0),
            capacity,
            per_key: (capacity / 10).max(1),
            span: DEFAULT_SPAN,
            secret: RandomState::new(),
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// Sets how many live entries one client key may have. Defaults to a tenth of the capacity.
    #[must_use]
    pub fn per_key(mut self, entries: usize) -> Self {
        self.per_key = entries.max(1);
        self
    }

    /// Sets how long proofs live, so that expired entries are dropped about eight at a time per lifetime. Only a matter
    /// of speed and memory. Defaults to what fits 91 s.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.span = (lifetime.as_secs() / 6).clamp(4, 600);
        self
    }

    /// Replaces the clock that decides how long entries are kept.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Entries held, expired ones included until they are dropped.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert_now(&self, entry: &ReplayEntry) -> Result<FirstUse, ReplayError> {
        let client = self.secret.hash_one(entry.client.as_bytes());
        let fingerprint = self.fingerprint(entry);
        let monotonic = self.clock.monotonic().as_secs();
        self.drop_expired_elsewhere(entry.now, monotonic);

        let mut shard = self.shard(client);
        self.drop_expired(&mut shard, entry.now, monotonic);
        let end = entry.expires_at / self.span;
        if entry.expires_at <= entry.now || shard.dropped.is_some_and(|dropped| end <= dropped) {
            return Err(ReplayError::Replayed); // older than what is remembered
        }
        if shard.sets.iter().any(|set| set.seen.contains(&fingerprint)) {
            return Err(ReplayError::Replayed);
        }
        if shard.clients.get(&client).is_some_and(|count| *count >= self.per_key) {
            return Err(ReplayError::KeyQuota { retry_after: shard.next_end(self.span, entry.now) });
        }
        self.reserve()?;
        shard.record(end, fingerprint, client, monotonic.saturating_add(entry.expires_at - entry.now));
        Ok(FirstUse::assertion())
    }

    fn fingerprint(&self, entry: &ReplayEntry) -> u128 {
        let key = entry.key.as_bytes();
        let keyed = self.secret.hash_one(key);
        let digest = key.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        u128::from(digest) << 64 | u128::from(keyed)
    }

    fn reserve(&self) -> Result<(), ReplayError> {
        self.live
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |live| (live < self.capacity).then_some(live + 1))
            .map(|_| ())
            .map_err(|_| ReplayError::Full)
    }

    fn drop_expired(&self, shard: &mut Shard, now: u64, monotonic: u64) {
        let dropped = shard.drop_expired(self.span, now, monotonic);
        if dropped > 0 {
            self.live.fetch_sub(dropped, Ordering::Relaxed);
        }
    }

    /// Looks after shards that see no traffic: one of them every 64 inserts, all of them when the store is full.
    fn drop_expired_elsewhere(&self, now: u64, monotonic: u64) {
        let inserts = self.inserts.fetch_add(1, Ordering::Relaxed);
        let due = if self.len() >= self.capacity {
            0..SHARDS
        } else if inserts.is_multiple_of(64) {
            let one = inserts / 64 % SHARDS;
            one..one + 1
        } else {
            return;
        };
        for shard in self.shards.get(due).unwrap_or_default() {
            if let Ok(mut shard) = shard.try_lock() {
                self.drop_expired(&mut shard, now, monotonic);
            }
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::indexing_slicing)]
    fn shard(&self, client: u64) -> MutexGuard<'_, Shard> {
        let at = (client >> 32) as usize % SHARDS;
        // A shard is consistent between any two statements that can panic: none can.
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 4,000,000 entries.
impl Default for MemoryReplayStore {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}

impl ReplayStore for MemoryReplayStore {
    fn insert(&self, entry: ReplayEntry) -> ReplayAnswer {
        ReplayAnswer::Now(self.insert_now(&entry))
    }
}

impl fmt::Debug for MemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryReplayStore({} of {})", self.len(), self.capacity)
    }
}

/// Client keys of one region of the hash space. All proofs of a client are in one shard, so that its quota is exact.
#[derive(Default)]
struct Shard {
    sets: Vec<ExpirySet>,
    clients: HashMap<u64, usize, Spread>,
    dropped: Option<u64>,
}

/// Everything that expires between `end * span` and `(end + 1) * span`.
struct ExpirySet {
    end: u64,
    keep_until: u64,
    seen: HashSet<u128, Spread>,
    clients: HashMap<u64, usize, Spread>,
}

impl Shard {
    fn record(&mut self, end: u64, fingerprint: u128, client: u64, keep_until: u64) {
        *self.clients.entry(client).or_default() += 1;
        let at = self.sets.iter().position(|set| set.end == end).unwrap_or_else(|| {
            let (seen, clients) = Default::default();
            self.sets.push(ExpirySet { end, keep_until, seen, clients });
            self.sets.len() - 1
        });
        if let Some(set) = self.sets.get_mut(at) {
            set.keep_until = set.keep_until.max(keep_until);
            set.seen.insert(fingerprint);
            *set.clients.entry(client).or_default() += 1;
        }
    }

    fn drop_expired(&mut self, span: u64, now: u64, monotonic: u64) -> usize {
        let mut dropped = 0;
        let (clients, horizon) = (&mut self.clients, &mut self.dropped);
        self.sets.retain(|set| {
            let over = now >= (set.end + 1).saturating_mul(span) && monotonic >= set.keep_until;
            if over {
                dropped += set.seen.len();
                *horizon = (*horizon).max(Some(set.end));
                for (client, count) in &set.clients {
                    if let Some(total) = clients.get_mut(client) {
                        *total = total.saturating_sub(*count);
                        if *total == 0 {
                            clients.remove(client);
                        }
                    }
                }
            }
            !over
        });
        dropped
    }

    fn next_end(&self, span: u64, now: u64) -> u32 {
        let end = self.sets.iter().map(|set| (set.end + 1).saturating_mul(span)).min().unwrap_or(now);
        u32::try_from(end.saturating_sub(now)).unwrap_or(u32::MAX).max(1)
    }
}

/// Fingerprints are random already: their keyed half serves as the hash.
type Spread = BuildHasherDefault<KeyedHalf>;

#[derive(Default)]
struct KeyedHalf(u64);

impl Hasher for KeyedHalf {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "only u64 and u128 are hashed");
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    #[allow(clippy::cast_possible_truncation)]
    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}
