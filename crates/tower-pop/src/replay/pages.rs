//! A set of fingerprints that grows by one small page at a time (linear hashing). No insert moves a whole table, and no
//! memory is held for a table that is twice as large as needed.

use std::collections::hash_map::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The average number of entries in a page at which another page is added.
const PER_PAGE: usize = 12;
/// The number of entries by which a page grows.
const GROWTH: usize = 8;

/// A used proof: 128 bits of its fingerprint, its client, and the set in which it expires.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    keyed: u64,
    digest: u64,
    /// 56 bits of the client's hash, and the number of the set in the lowest eight bits.
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

/// The lower 56 bits of the keyed hash of a client's key. The nine highest bits of the hash choose the shard, so all 64 bits
/// distinguish two clients.
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

/// The number of live entries of each client.
pub(super) type PerClient = HashMap<ClientHash, usize, BuildHasherDefault<ClientHasher>>;

/// A hasher for keys that are keyed hashes already. It only spreads their bits to the upper part, which `HashMap` uses.
#[derive(Default)]
pub(super) struct ClientHasher(u64);

impl Hasher for ClientHasher {
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

/// The set. The low bits of the keyed half of an entry choose its page.
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

    /// Adds an entry that is not in the set.
    pub(super) fn add(&mut self, used: Used) {
        if self.len >= self.pages.len() * PER_PAGE {
            self.split();
        }
        let at = page_of(used.keyed, self.pages.len());
        if let Some(page) = self.pages.get_mut(at) {
            if page.len() == page.capacity() {
                move_to(page, page.len() + GROWTH); // Vec would double its capacity
            }
            page.push(used);
            self.len += 1;
        }
    }

    /// Removes all entries for which `keep` returns false, and calls `removed` with each of them.
    pub(super) fn retain(&mut self, keep: impl Fn(&Used) -> bool, mut removed: impl FnMut(&Used)) {
        for page in &mut self.pages {
            page.retain(|used| {
                let kept = keep(used);
                if !kept {
                    removed(used);
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

    /// Adds a page, and moves those entries of an earlier page to it that belong there now.
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

/// Moves a page to new memory for this many entries. Memory is never resized: an allocator serves an allocation from the
/// memory that the same thread freed, but resizing locks the region that the memory comes from.
fn move_to(page: &mut Vec<Used>, capacity: usize) {
    let mut moved = Vec::with_capacity(capacity);
    moved.extend_from_slice(page);
    *page = moved;
}

/// Returns the page of a hash: as many low bits as it takes to number the pages, and one bit less if that page does not
/// exist yet.
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
