//! Constant-time comparison of digests and MACs (RFC 9449 §4.3 check 12). Without it, the time of a comparison would help to
//! guess a secret byte by byte.

use subtle::{Choice, ConstantTimeEq};

/// Returns whether two arrays are equal. Compares eight bytes at a time, and always all of them.
pub(crate) fn equal<const N: usize>(one: &[u8; N], other: &[u8; N]) -> bool {
    const { assert!(N.is_multiple_of(8)) };
    let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let equal = words.fold(Choice::from(1), |equal, (one, other)| {
        equal & u64::from_ne_bytes(*one).ct_eq(&u64::from_ne_bytes(*other))
    });
    equal.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JOSE-26: comparing in constant time compares everything.
    #[test]
    fn every_bit_counts() {
        let digest: [u8; 32] = std::array::from_fn(|at| b"digest"[at % 6]);
        assert!(equal(&digest, &digest.clone()));
        for bit in 0..256 {
            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!equal(&digest, &other), "bit {bit}");
        }
        assert!(equal(&[1; 8], &[1; 8]) && !equal(&[1; 8], &[2; 8]));
    }
}
