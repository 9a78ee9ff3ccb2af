//! A keyed hash of digests, so that clients cannot choose digests that collide in a table.

/// NH, the hash of UMAC (RFC 4418 §5.2), over the four words of a digest under a random key. For any two digests that are
/// chosen without knowledge of the key, the sums are equal with a probability of 2^-64. The digests are SHA-256: a client
/// influences them only by making more keys and proofs.
pub(super) struct Secret([u64; 4]);

impl Secret {
    /// Creates a random key.
    ///
    /// # Panics
    /// If the operating system provides no random bytes.
    pub(super) fn random() -> Self {
        let mut bytes = [0; 32];
        if let Err(error) = getrandom::fill(&mut bytes) {
            panic!("no random bytes for the replay store: {error}");
        }
        Self(words(&bytes))
    }

    /// Returns the keyed hash of a digest.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn of(&self, digest: &[u8; 32]) -> u64 {
        let ([a, b, c, d], [e, f, g, h]) = (words(digest), self.0);
        let product = |one: u64, other: u64| u128::from(one) * u128::from(other);
        let sum =
            product(a.wrapping_add(e), b.wrapping_add(f)).wrapping_add(product(c.wrapping_add(g), d.wrapping_add(h)));
        (sum >> 64) as u64 ^ sum as u64
    }
}

fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*chunk);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REPLAY-13: positions in the store cannot be predicted.
    #[test]
    fn hashes_depend_on_the_secret_and_on_every_word() {
        let (one, other) = (Secret::random(), Secret::random());
        let digest = [7; 32];
        assert_eq!(one.of(&digest), one.of(&digest));
        assert_ne!(one.of(&digest), other.of(&digest));
        for at in [0, 8, 16, 31] {
            let mut changed = digest;
            changed[at] ^= 1;
            assert_ne!(one.of(&changed), one.of(&digest), "byte {at}");
        }
    }

    /// REPLAY-13: also for digests that differ in a counter only.
    #[test]
    fn hashes_spread_over_high_and_low_bits() {
        let secret = Secret::random();
        let (mut low, mut high) = ([0_u32; 64], [0_u32; 64]);
        for number in 0_u64..64_000 {
            // The worst case: digests that differ in a counter only.
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_le_bytes());
            let hash = secret.of(&digest);
            low[(hash % 64) as usize] += 1;
            high[(hash >> 58) as usize] += 1;
        }
        for (bits, counts) in [("low", low), ("high", high)] {
            let most = counts.iter().max().unwrap();
            assert!(*most < 4_000, "{bits}: {most} of 64,000 in one of 64 places");
        }
    }
}
