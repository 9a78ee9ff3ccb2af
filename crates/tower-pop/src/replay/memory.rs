//! The in-memory store: exact, bounded, and sharded by client key.
//!
//! An entry is a 128-bit fingerprint of its key, half of it keyed with a random secret, in a set that holds everything
//! which expires in the same span of seconds. A set is dropped as a whole once the wall clock has passed its end *and*
//! its entries' remaining lifetime has passed on the monotonic clock. The end of the last dropped set is kept: whatever
//! would expire before it is refused, so that a clock which steps back revives nothing.
//!
//! An insert takes one lock, that of the client's shard. Room is taken from the whole store in small lots, so that shards
//! share nothing that each insert writes to.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::secret::Secret;
use super::{FirstUse, ReplayAnswer, ReplayEntry, ReplayError, ReplayStore};
use crate::clock::{Clock, SystemClock};

/// Entries that a store holds unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 4_000_000;
/// Seconds that one set covers unless told otherwise.
const DEFAULT_SPAN: u64 = 23;
const SHARDS: usize = 128;
/// Inserts into a shard after which it looks after another one.
const ROUND: u32 = 64;

/// Remembers proofs in this process. Other processes and a restarted one know nothing of them.
///
/// Memory grows with use, about 40 bytes an entry. `capacity ÷ lifetime` requests per second can be sustained: with the
/// defaults, 4,000,000 ÷ 91 s ≈ 44,000. A large store may call itself full when up to a sixty-fourth of it is free.
pub struct MemoryReplayStore {
    shards: Box<[OwnLine]>,
    /// Room that no shard has taken.
    free: AtomicUsize,
    /// How much a shard takes at a time.
    lot: usize,
    capacity: usize,
    per_key: usize,
    span: u64,
    secret: Secret,
    clock: Arc<dyn Clock>,
}

/// A shard on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct OwnLine(Mutex<Shard>);

impl MemoryReplayStore {
    /// A store for this many entries; one client key may have a tenth of them, at least one.
    ///
    /// # Panics
    /// When the operating system gives no random bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| OwnLine::default()).collect(),
            free: AtomicUsize::new(capacity),
            lot: (capacity / (SHARDS * 64)).clamp(1, 64),
            capacity,
            per_key: (capacity / 10).max(1),
            span: DEFAULT_SPAN,
            secret: Secret::random(),
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// Sets how many live entries one client key may have. Defaults to a tenth of the capacity.
    #[must_use]
    pub fn per_key(mut self, entries: usize) -> Self {
        self.per_key = entries.max(1);
        self
    }

    /// Sets how long proofs live, so that expired entries are dropped about four times in a lifetime. Only a matter of
    /// speed and memory. Defaults to what fits 91 s.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.span = (lifetime.as_secs() / 4).clamp(4, 600);
        self
    }

    /// Replaces the clock that decides how long entries are kept.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Entries held, expired ones included until they are dropped. Looks into every shard.
    #[must_use]
    pub fn len(&self) -> usize {
        let held = |line: &OwnLine| line.lock().sets.iter().map(|set| set.seen.len()).sum::<usize>();
        self.shards.iter().map(held).sum()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert_now(&self, entry: &ReplayEntry) -> Result<FirstUse, ReplayError> {
        let client = self.secret.of(entry.client.as_bytes());
        let fingerprint = self.fingerprint(entry);
        let monotonic = self.clock.monotonic().as_secs();

        let own = self.shard_of(client);
        let mut shard = own.lock();
        self.drop_expired(&mut shard, entry.now, monotonic);
        shard.inserts = shard.inserts.wrapping_add(1);
        if shard.inserts.is_multiple_of(ROUND) {
            self.look_after_another(shard.inserts / ROUND, entry.now, monotonic);
        }
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
        if shard.room == 0 {
            shard.room = self.take_room(entry.now, monotonic)?;
        }
        shard.room -= 1;
        shard.record(end, fingerprint, client, monotonic.saturating_add(entry.expires_at - entry.now));
        shard.next_drop = shard.next_drop.min((end + 1).saturating_mul(self.span));
        Ok(FirstUse::assertion())
    }

    fn fingerprint(&self, entry: &ReplayEntry) -> u128 {
        let key = entry.key.as_bytes();
        let digest = key.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        u128::from(digest) << 64 | u128::from(self.secret.of(key))
    }

    /// Some room for a shard, at least for one entry. Where there is none, all other shards drop what has expired first.
    fn take_room(&self, now: u64, monotonic: u64) -> Result<usize, ReplayError> {
        let take = || {
            let some = |free: usize| free.checked_sub(free.min(self.lot)).filter(|_| free > 0);
            let before = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, some);
            before.map(|free| free.min(self.lot))
        };
        take().or_else(|_| {
            self.shards.iter().for_each(|line| self.drop_expired_in(line, now, monotonic));
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
        }
    }

    /// Shards that see no traffic are looked after by those that do.
    #[allow(clippy::cast_possible_truncation)]
    fn look_after_another(&self, round: u32, now: u64, monotonic: u64) {
        if let Some(line) = self.shards.get(round as usize % SHARDS) {
            self.drop_expired_in(line, now, monotonic);
        }
    }

    /// Passes over a shard that is in use: it looks after itself.
    fn drop_expired_in(&self, line: &OwnLine, now: u64, monotonic: u64) {
        if let Ok(mut shard) = line.0.try_lock() {
            self.drop_expired(&mut shard, now, monotonic);
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::indexing_slicing)]
    fn shard_of(&self, client: u64) -> &OwnLine {
        &self.shards[(client >> 32) as usize % SHARDS]
    }
}

impl OwnLine {
    fn lock(&self) -> MutexGuard<'_, Shard> {
        // A shard is consistent between any two statements that can panic: none can.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        write!(f, "MemoryReplayStore(of {})", self.capacity)
    }
}

/// Client keys of one region of the hash space. All proofs of a client are in one shard, so that its quota is exact.
#[derive(Default)]
struct Shard {
    sets: Vec<ExpirySet>,
    clients: HashMap<u64, usize, Spread>,
    /// The end of the last set that was dropped.
    dropped: Option<u64>,
    /// Before this second of the wall clock there is nothing to drop.
    next_drop: u64,
    /// Entries that this shard may still take without asking.
    room: usize,
    inserts: u32,
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
        self.next_drop = self.sets.iter().map(|set| (set.end + 1).saturating_mul(span)).min().unwrap_or(u64::MAX);
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
