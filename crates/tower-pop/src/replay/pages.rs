//! A set of fingerprints that grows by one small page at a time (linear hashing), so that no insert ever pays for moving a
//! whole table, and no memory is held for a table twice as large as needed.

use std::collections::hash_map::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Entries a page has on average when all pages are full enough to be split.
const PER_PAGE: usize = 12;
/// Entries by which a page grows.
const GROWTH: usize = 8;

/// A proof that was used: 128 bits of fingerprint, whose it is, and in which set it expires.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    keyed: u64,
    digest: u64,
    /// 56 bits of the client's hash, and the number of the set in the lowest eight.
    owner: u64,
}

impl Used {
    pub(super) const fn new(keyed: u64, digest: u64, client: ClientHash, set: u8) -> Self {
        Self { keyed, digest, owner: client.0 << 8 | set as u64 }
    }

    pub(super) const fn client(&self) -> ClientHash {
        ClientHash(self.owner >> 8)
    }

    pub(super) const fn set(&self) -> u8 {
        self.owner.to_le_bytes()[0]
    }
}

/// 56 bits of a keyed hash of a client's key. The nine highest choose the shard, so that two clients are told apart by all
/// 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientHash(u64);

impl ClientHash {
    pub(super) const fn of(hash: u64) -> Self {
        Self(hash & (u64::MAX >> 8))
    }
}

impl std::hash::Hash for ClientHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// How many live entries each client has.
pub(super) type PerClient = HashMap<ClientHash, usize, BuildHasherDefault<AlreadyRandom>>;

/// The keys are keyed hashes: good enough to be placed by, once their bits are in the upper part too.
#[derive(Default)]
pub(super) struct AlreadyRandom(u64);

impl Hasher for AlreadyRandom {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "only u64 is hashed");
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// The set. An entry is on the page that the low bits of its keyed half name.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pages: Vec<Vec<Used>>,
    len: usize,
}

impl Pages {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn contains(&self, keyed: u64, digest: u64) -> bool {
        let page = self.pages.get(page_of(keyed, self.pages.len()));
        page.is_some_and(|page| page.iter().any(|used| (used.keyed ^ keyed) | (used.digest ^ digest) == 0))
    }

    /// Adds an entry that is not there.
    pub(super) fn add(&mut self, used: Used) {
        if self.len >= self.pages.len() * PER_PAGE {
            self.split();
        }
        let at = page_of(used.keyed, self.pages.len());
        if let Some(page) = self.pages.get_mut(at) {
            if page.len() == page.capacity() {
                move_to(page, page.len() + GROWTH); // Vec would double
            }
            page.push(used);
            self.len += 1;
        }
    }

    /// Takes out all entries that are not kept, and says which.
    pub(super) fn retain(&mut self, keep: impl Fn(&Used) -> bool, mut gone: impl FnMut(&Used)) {
        for page in &mut self.pages {
            page.retain(|used| {
                let kept = keep(used);
                if !kept {
                    gone(used);
                    self.len -= 1;
                }
                kept
            });
            if page.capacity() > 4 * page.len() + 8 {
                move_to(page, 2 * page.len());
            }
        }
        if self.len == 0 {
            self.pages = Vec::new();
        }
    }

    /// One more page, with what belongs there of the one page that held it so far.
    fn split(&mut self) {
        let new = self.pages.len();
        let from = new - (1 << new.checked_ilog2().unwrap_or(0)).min(new);
        let mut moved = Vec::new();
        if let Some(page) = self.pages.get_mut(from) {
            moved.reserve_exact(page.len() / 2 + GROWTH);
            page.retain(|used| {
                let stays = page_of(used.keyed, new + 1) == from;
                if !stays {
                    moved.push(*used);
                }
                stays
            });
            if page.capacity() > page.len() + GROWTH {
                move_to(page, page.len() + GROWTH);
            }
        }
        self.pages.push(moved);
    }
}

/// Gives a page memory for so many entries. New memory, never resized: an allocator serves a thread from what the thread
/// freed itself, but has to lock the region that a piece of memory comes from to resize it.
fn move_to(page: &mut Vec<Used>, capacity: usize) {
    let mut moved = Vec::with_capacity(capacity);
    moved.extend_from_slice(page);
    *page = moved;
}

/// The page of a hash among so many: as many low bits as number the pages, one less where that page is not there yet.
#[allow(clippy::cast_possible_truncation)]
fn page_of(hash: u64, pages: usize) -> usize {
    let mask = pages.next_power_of_two() - 1;
    let at = hash as usize & mask;
    if at < pages { at } else { at & (mask >> 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(number: u64) -> (u64, u64) {
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number)
    }

    /// REPLAY-06: no page that is split or dropped loses an entry.
    #[test]
    fn holds_all_entries_at_any_size() {
        let mut pages = Pages::default();
        for number in 0..5_000 {
            let (keyed, digest) = used(number);
            assert!(!pages.contains(keyed, digest));
            #[allow(clippy::cast_possible_truncation)]
            pages.add(Used::new(keyed, digest, ClientHash::of(number), number as u8 % 4));
            if number % 97 == 0 || number == 4_999 {
                assert!((0..=number).map(used).all(|(keyed, digest)| pages.contains(keyed, digest)), "{number}");
            }
        }
        assert_eq!(pages.len(), 5_000);
        let mut gone = 0;
        pages.retain(
            |used| used.set() != 1,
            |used| {
                assert_eq!(used.client().0 % 4, 1);
                gone += 1;
            },
        );
        assert_eq!((gone, pages.len()), (1_250, 3_750));
        for number in 0..5_000 {
            let (keyed, digest) = used(number);
            assert_eq!(pages.contains(keyed, digest), number % 4 != 1, "{number}");
        }
        pages.retain(|_| false, |_| {});
        assert_eq!((pages.len(), pages.pages.capacity()), (0, 0));
    }

    #[test]
    fn every_page_is_named_by_some_hash_and_no_other() {
        for pages in 1..=70 {
            let mut named = vec![false; pages];
            (0..128).for_each(|hash| named[page_of(hash, pages)] = true);
            assert!(named.iter().all(|named| *named), "{pages}");
        }
    }
}
