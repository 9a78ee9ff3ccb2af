//! The in-memory store: exact, bounded, and sharded by client key.
//!
//! An entry is a 128-bit fingerprint of its key, half of it keyed with a random secret, and belongs to the set of all that
//! expire in the same span of seconds. A set is dropped as a whole once the wall clock has passed its end *and* its
//! entries' remaining lifetime has passed on the monotonic clock. The end of the last dropped set is kept: whatever would
//! expire before it is refused, so that a clock which steps back revives nothing.
//!
//! An insert takes one lock, that of the client's shard. Room is taken from the whole store in small lots, so that shards
//! share nothing that each insert writes to.

use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::pages::{ClientHash, Pages, PerClient, Used};
use super::secret::Secret;
use super::{FirstUse, ReplayAnswer, ReplayEntry, ReplayError, ReplayStore};
use crate::clock::{Clock, SystemClock};

/// Entries that a store holds unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 4_000_000;
/// Seconds that one set covers unless told otherwise.
const DEFAULT_SPAN: u64 = 23;
const SHARDS: usize = 512;
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
        let held = |line: &OwnLine| line.lock().used.len();
        self.shards.iter().map(held).sum()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert_now(&self, entry: &ReplayEntry) -> Result<FirstUse, ReplayError> {
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
        }
        let monotonic = shard.monotonic;
        self.drop_expired(shard, entry.now, monotonic);
        shard.inserts = shard.inserts.wrapping_add(1);
        if shard.inserts.is_multiple_of(ROUND) {
            self.look_after_another(shard.inserts / ROUND, entry.now, monotonic);
        }
        let end = entry.expires_at / self.span;
        if entry.expires_at <= entry.now || shard.dropped.is_some_and(|dropped| end <= dropped) {
            return Err(ReplayError::Replayed); // older than what is remembered
        }
        if shard.used.contains(keyed, digest) {
            return Err(ReplayError::Replayed);
        }
        if shard.room == 0 {
            shard.room = self.take_room(entry.now, monotonic)?;
        }
        let count = shard.clients.entry(client).or_default();
        if *count >= self.per_key {
            return Err(ReplayError::KeyQuota { retry_after: shard.retry_after(self.span, entry.now) });
        }
        *count += 1;
        shard.room -= 1;
        let set = shard.set_ending(end, monotonic.saturating_add(entry.expires_at - entry.now));
        shard.used.add(Used::new(keyed, digest, client, set));
        shard.next_drop = shard.next_drop.min(end_second(end, self.span));
        Ok(FirstUse::assertion())
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
    fn shard_of(&self, hash: u64) -> &OwnLine {
        &self.shards[(hash >> 55) as usize % SHARDS]
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
    used: Pages,
    clients: PerClient,
    /// Of which each entry names one by its place here.
    sets: Vec<Option<ExpirySet>>,
    /// The end of the last set that was dropped.
    dropped: Option<u64>,
    /// Before this second of the wall clock there is nothing to drop.
    next_drop: u64,
    /// The last second of the wall clock that was seen, and of the monotonic clock then: once a second is enough.
    now: u64,
    monotonic: u64,
    /// Entries that this shard may still take without asking.
    room: usize,
    inserts: u32,
}

/// Everything that expires between `end * span` and `(end + 1) * span`.
#[derive(Clone, Copy)]
struct ExpirySet {
    end: u64,
    keep_until: u64,
}

impl Shard {
    /// The place of the set that ends there. Should there be no place left, the set that ends last takes the entries, and
    /// ends later.
    fn set_ending(&mut self, end: u64, keep_until: u64) -> u8 {
        let is_it = |set: &Option<ExpirySet>| set.is_some_and(|set| set.end == end);
        let at = self.sets.iter().position(is_it).or_else(|| self.sets.iter().position(Option::is_none));
        let at = at.unwrap_or_else(|| {
            if self.sets.len() <= usize::from(u8::MAX) {
                self.sets.push(None);
                return self.sets.len() - 1;
            }
            let last = self.sets.iter().enumerate().max_by_key(|(_, set)| set.map(|set| set.end));
            last.map_or(0, |(at, _)| at)
        });
        if let Some(place) = self.sets.get_mut(at) {
            let set = place.get_or_insert(ExpirySet { end, keep_until });
            set.end = set.end.max(end);
            set.keep_until = set.keep_until.max(keep_until);
        }
        u8::try_from(at).unwrap_or(u8::MAX)
    }

    /// Drops all sets that are over; says how many entries they held.
    fn drop_expired(&mut self, span: u64, now: u64, monotonic: u64) -> usize {
        let mut over = [false; 256];
        for (set, over) in self.sets.iter_mut().zip(&mut over) {
            if let Some(ended) = *set
                && now >= end_second(ended.end, span)
                && monotonic >= ended.keep_until
            {
                *over = true;
                *set = None;
                self.dropped = self.dropped.max(Some(ended.end));
            }
        }
        let before = self.used.len();
        if over.contains(&true) {
            let clients = &mut self.clients;
            self.used.retain(
                |used| over.get(usize::from(used.set())) == Some(&false),
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

    fn retry_after(&self, span: u64, now: u64) -> u32 {
        let end = self.first_end(span).unwrap_or(now);
        u32::try_from(end.saturating_sub(now)).unwrap_or(u32::MAX).max(1)
    }
}

/// The first second after a set.
const fn end_second(end: u64, span: u64) -> u64 {
    (end + 1).saturating_mul(span)
}
