//! SHA-2 over tokens, content and what identifies a proof. `aws-lc-rs` hashes it if it is compiled in. On processors without
//! instructions for SHA-256, it needs half of the instructions of `sha2`.

#[cfg(feature = "aws-lc-rs")]
pub(crate) use self::aws_lc::{Hasher, sha256};
#[cfg(not(feature = "aws-lc-rs"))]
pub(crate) use self::rust_crypto::{Hasher, sha256};

/// Bytes that are put together without an allocation.
const SHORT: usize = 256;

/// Returns the SHA-256 of what the parts make together.
pub(crate) fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut buffer = [0; SHORT];
    let mut length = 0_usize;
    for part in parts {
        let end = length.saturating_add(part.len());
        match buffer.get_mut(length..end) {
            Some(place) => place.copy_from_slice(part),
            None => return sha256(&parts.concat()),
        }
        length = end;
    }
    sha256(&buffer[..length])
}

#[cfg(feature = "aws-lc-rs")]
mod aws_lc {
    use aws_lc_rs::digest::{Context, SHA256, SHA512, digest};

    /// Returns the SHA-256 of bytes.
    pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
        digest(&SHA256, bytes).as_ref().try_into().unwrap_or_else(|_| unreachable!("a digest of 32 bytes"))
    }

    /// Hashes bytes as they arrive.
    pub(crate) struct Hasher(Context);

    impl Hasher {
        pub(crate) fn sha256() -> Self {
            Self(Context::new(&SHA256))
        }

        pub(crate) fn sha512() -> Self {
            Self(Context::new(&SHA512))
        }

        pub(crate) fn update(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        /// Returns whether this is the digest of all bytes.
        pub(crate) fn is(self, expected: &[u8]) -> bool {
            self.0.finish().as_ref() == expected
        }
    }
}

#[cfg(not(feature = "aws-lc-rs"))]
mod rust_crypto {
    use sha2::{Digest, Sha256, Sha512};

    /// Returns the SHA-256 of bytes.
    pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    /// Hashes bytes as they arrive.
    pub(crate) enum Hasher {
        Sha256(Sha256),
        Sha512(Sha512),
    }

    impl Hasher {
        pub(crate) fn sha256() -> Self {
            Self::Sha256(Sha256::new())
        }

        pub(crate) fn sha512() -> Self {
            Self::Sha512(Sha512::new())
        }

        pub(crate) fn update(&mut self, bytes: &[u8]) {
            match self {
                Self::Sha256(hash) => hash.update(bytes),
                Self::Sha512(hash) => hash.update(bytes),
            }
        }

        /// Returns whether this is the digest of all bytes.
        pub(crate) fn is(self, expected: &[u8]) -> bool {
            match self {
                Self::Sha256(hash) => hash.finalize().as_slice() == expected,
                Self::Sha512(hash) => hash.finalize().as_slice() == expected,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256, Sha512};

    use super::*;

    #[test]
    fn hashes_parts_as_the_whole() {
        for length in [0, 1, 100, SHORT - 10, SHORT - 9, SHORT, 10 * SHORT] {
            let long = vec![b'x'; length];
            let whole = [b"start" as &[u8], &long, b"end"].concat();
            assert_eq!(sha256_of(&[b"start", &long, b"", b"end"])[..], Sha256::digest(whole)[..], "{length}");
        }
    }

    /// SIG-23: in pieces of any length, the digests are those of the other library.
    #[test]
    fn hashes_pieces_as_the_whole() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        assert_eq!(sha256(&bytes)[..], Sha256::digest(&bytes)[..]);
        for piece in [1, 63, 64, 65, 127, 128, 1000] {
            let hashed = |mut hasher: Hasher| {
                bytes.chunks(piece).for_each(|piece| hasher.update(piece));
                hasher
            };
            assert!(hashed(Hasher::sha256()).is(&Sha256::digest(&bytes)), "{piece}");
            assert!(hashed(Hasher::sha512()).is(&Sha512::digest(&bytes)), "{piece}");
            assert!(!hashed(Hasher::sha256()).is(&Sha256::digest(b"")), "{piece}");
            assert!(!hashed(Hasher::sha256()).is(&[]), "{piece}");
        }
    }
}
