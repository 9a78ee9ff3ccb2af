//! The content of a request, as far as a proof covers it: by `Content-Digest` (RFC 9530), or by `b` of a signed HTTP request.

mod digest;

use std::fmt;

pub use self::digest::content_digest;

use crate::ContentError;
use crate::hash::Hasher;

/// What a proof says about the content of its request. The content must match all of it. `Debug` shows which digests there are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpectedContent {
    /// Whether the proof covers no digest, so that there may be no content.
    empty: bool,
    sha256: Option<[u8; 32]>,
    sha512: Option<[u8; 64]>,
}

impl ExpectedContent {
    /// The proof covers no content: there may be none.
    pub const EMPTY: Self = Self { empty: true, sha256: None, sha512: None };

    /// The content has this digest.
    #[must_use]
    pub const fn sha256(digest: [u8; 32]) -> Self {
        Self { empty: false, sha256: Some(digest), sha512: None }
    }

    /// The content has this digest.
    #[must_use]
    pub const fn sha512(digest: [u8; 64]) -> Self {
        Self { empty: false, sha256: None, sha512: Some(digest) }
    }

    /// Both must hold: for proofs that cover several digests, and for requests with several proofs.
    ///
    /// # Errors
    /// [`ContentError::DigestMismatch`] if no content can match both.
    pub fn and(self, other: Self) -> Result<Self, ContentError> {
        let agree = |one: Option<&[u8]>, other: Option<&[u8]>| one.is_none() || other.is_none() || one == other;
        let same = agree(self.sha256.as_ref().map(|d| &d[..]), other.sha256.as_ref().map(|d| &d[..]))
            && agree(self.sha512.as_ref().map(|d| &d[..]), other.sha512.as_ref().map(|d| &d[..]));
        if !same {
            return Err(ContentError::DigestMismatch);
        }
        Ok(Self {
            empty: self.empty || other.empty,
            sha256: self.sha256.or(other.sha256),
            sha512: self.sha512.or(other.sha512),
        })
    }

    /// Returns whether there may be no content.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.empty
    }

    /// Starts to hash content.
    #[must_use]
    pub fn hasher(&self) -> ContentHasher {
        ContentHasher {
            expected: *self,
            is_empty: true,
            sha256: self.sha256.map(|_| Hasher::sha256()),
            sha512: self.sha512.map(|_| Hasher::sha512()),
        }
    }

    /// Checks content that is in memory as a whole.
    ///
    /// # Errors
    /// [`ContentError::Uncovered`] or [`ContentError::DigestMismatch`].
    pub fn check(&self, content: &[u8]) -> Result<ContentVerified, ContentError> {
        let mut hasher = self.hasher();
        hasher.update(content);
        hasher.finish()
    }
}

impl fmt::Debug for ExpectedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectedContent")
            .field("empty", &self.empty)
            .field("sha256", &self.sha256.is_some())
            .field("sha512", &self.sha512.is_some())
            .finish()
    }
}

/// Evidence that content was verified. Only a [`ContentHasher`] makes it.
#[derive(Debug, PartialEq, Eq)]
pub struct ContentVerified(ExpectedContent);

impl ContentVerified {
    /// Returns what the content was compared with.
    #[must_use]
    pub const fn expected(&self) -> &ExpectedContent {
        &self.0
    }
}

/// Hashes content as it arrives.
pub struct ContentHasher {
    expected: ExpectedContent,
    is_empty: bool,
    sha256: Option<Hasher>,
    sha512: Option<Hasher>,
}

impl ContentHasher {
    /// Returns what the content is compared with.
    #[must_use]
    pub const fn expected(&self) -> &ExpectedContent {
        &self.expected
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.is_empty &= bytes.is_empty();
        if let Some(hash) = &mut self.sha256 {
            hash.update(bytes);
        }
        if let Some(hash) = &mut self.sha512 {
            hash.update(bytes);
        }
    }

    /// Checks the content once all of it was added.
    ///
    /// # Errors
    /// [`ContentError::Uncovered`] if there is content that the proof does not cover. [`ContentError::DigestMismatch`].
    pub fn finish(self) -> Result<ContentVerified, ContentError> {
        let Self { expected, is_empty, sha256, sha512 } = self;
        if expected.empty && !is_empty {
            return Err(ContentError::Uncovered);
        }
        let is_right = |hash: Option<Hasher>, digest: Option<&[u8]>| match (hash, digest) {
            (Some(hash), Some(digest)) => hash.is(digest),
            (None, None) => true,
            _ => false,
        };
        let sha256 = is_right(sha256, expected.sha256.as_ref().map(|digest| &digest[..]));
        let sha512 = is_right(sha512, expected.sha512.as_ref().map(|digest| &digest[..]));
        if sha256 && sha512 { Ok(ContentVerified(expected)) } else { Err(ContentError::DigestMismatch) }
    }
}

impl fmt::Debug for ContentHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentHasher").field("expected", &self.expected).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::decode_standard;

    /// V-19, SIG-23: every digest that is covered must match.
    #[test]
    fn content_must_match_every_digest_that_is_covered() {
        let content = br#"{"hello": "world"}"#;
        let sha256 = decode_standard("X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=").unwrap().try_into().unwrap();
        let sha512 = "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==";
        let sha512 = decode_standard(sha512).unwrap().try_into().unwrap();
        let (one, other) = (ExpectedContent::sha256(sha256), ExpectedContent::sha512(sha512));
        for expected in [one, other, one.and(other).unwrap()] {
            assert!(expected.check(content).is_ok());
            assert_eq!(expected.check(b"{}"), Err(ContentError::DigestMismatch));
            assert_eq!(expected.check(b""), Err(ContentError::DigestMismatch));
        }
        let wrong = one.and(ExpectedContent::sha512([0; 64])).unwrap();
        assert_eq!(wrong.check(content), Err(ContentError::DigestMismatch));
        assert_eq!(one.and(ExpectedContent::sha256([0; 32])), Err(ContentError::DigestMismatch));
        assert!(ExpectedContent::EMPTY.check(b"").is_ok());
        assert_eq!(ExpectedContent::EMPTY.check(b"x"), Err(ContentError::Uncovered));
    }
}
