//! `Content-Digest` (RFC 9530 §2).

use std::cell::Cell;

use http::{HeaderMap, HeaderValue};
use sfv::visitor::{DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, Never, ParameterVisitor};
use sfv::{BareItemFromInput, KeyRef, Parser};

use super::ExpectedContent;
use crate::ContentDigestError;
use crate::hash::sha256;
use crate::jose::encode_standard;

/// Returns the value of `Content-Digest` for this content, with `sha-256`.
#[must_use]
pub fn content_digest(content: &[u8]) -> HeaderValue {
    let value = format!("sha-256=:{}:", encode_standard(sha256(content)));
    HeaderValue::try_from(value).unwrap_or_else(|_| unreachable!("base64 is ASCII"))
}

impl ExpectedContent {
    /// Reads the `Content-Digest` field. Every digest with `sha-256` or `sha-512` must match the content. Digests with
    /// other algorithms are ignored, because they are unknown, or too weak (RFC 9530 §5).
    ///
    /// # Errors
    /// [`ContentDigestError`]. A request without the field has no accepted digest.
    pub fn from_content_digest(headers: &HeaderMap) -> Result<Self, ContentDigestError> {
        let digests = Digests::default();
        for line in headers.get_all("content-digest") {
            let parser = Parser::new(line.as_bytes());
            parser.parse_dictionary_with_visitor(&digests).map_err(|_| ContentDigestError::Malformed)?;
        }
        match (digests.sha256.get(), digests.sha512.get()) {
            (None, None) => Err(ContentDigestError::Algorithm),
            (sha256, sha512) => Ok(Self { empty: false, sha256, sha512 }),
        }
    }
}

#[derive(Default)]
struct Digests {
    sha256: Cell<Option<[u8; 32]>>,
    sha512: Cell<Option<[u8; 64]>>,
}

impl<'d> DictionaryVisitor<'d> for &Digests {
    type Out = ();
    type Error = ContentDigestError;

    fn entry(&mut self, key: &'d KeyRef) -> Result<impl EntryVisitor<'d>, Self::Error> {
        Ok(match key.as_str() {
            "sha-256" => Some(Entry::Sha256(&self.sha256)),
            "sha-512" => Some(Entry::Sha512(&self.sha512)),
            _ => None,
        })
    }

    fn finish(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

enum Entry<'c> {
    Sha256(&'c Cell<Option<[u8; 32]>>),
    Sha512(&'c Cell<Option<[u8; 64]>>),
}

impl<'d> EntryVisitor<'d> for Entry<'_> {
    type Error = ContentDigestError;

    fn item(self) -> Result<impl ItemVisitor<'d>, Self::Error> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'d>, Self::Error> {
        Err::<Never, _>(ContentDigestError::Malformed)
    }
}

impl<'d> ItemVisitor<'d> for Entry<'_> {
    type Out = ();
    type Error = ContentDigestError;

    fn bare_item(
        self,
        value: BareItemFromInput<'d>,
    ) -> Result<impl ParameterVisitor<'d, Out = Self::Out>, Self::Error> {
        let digest = value.as_byte_sequence().ok_or(ContentDigestError::Malformed)?;
        match self {
            Self::Sha256(cell) => set(cell, digest)?,
            Self::Sha512(cell) => set(cell, digest)?,
        }
        Ok(Ignored)
    }
}

fn set<const N: usize>(cell: &Cell<Option<[u8; N]>>, digest: &[u8]) -> Result<(), ContentDigestError> {
    let digest = digest.try_into().map_err(|_| ContentDigestError::Malformed)?;
    if cell.replace(Some(digest)).is_some() { Err(ContentDigestError::Malformed) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContentError;

    const SHA256: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    const SHA512: &str =
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
    const CONTENT: &[u8] = br#"{"hello": "world"}"#;

    fn read(lines: &[&str]) -> Result<ExpectedContent, ContentDigestError> {
        let lines = lines.iter().map(|line| ("content-digest".parse().unwrap(), line.parse().unwrap()));
        ExpectedContent::from_content_digest(&lines.collect())
    }

    /// V-19, SIG-23, X-60: unknown and weak algorithms beside an accepted one are ignored, and never count alone.
    #[test]
    fn every_accepted_digest_must_match() {
        let zero = format!("sha-512=:{}:", encode_standard([0; 64]));
        for (row, lines, expected) in [
            ("V-19 sha-256", &[SHA256][..], Ok(())),
            ("V-19 sha-512", &[SHA512], Ok(())),
            ("V-19 both", &[&format!("{SHA256}, {SHA512}")], Ok(())),
            ("V-19 two lines", &[SHA512, SHA256], Ok(())),
            ("SIG-23 weak beside accepted", &[&format!("md5=:AA==:, {SHA256}, x=1, y=(a b)")], Ok(())),
            ("SIG-23 mismatch in one of two", &[&format!("{SHA256}, {zero}")], Err(ContentError::DigestMismatch)),
        ] {
            let expectation = read(lines).unwrap_or_else(|error| panic!("{row}: {error}"));
            assert_eq!(expectation.check(CONTENT).map(drop), expected, "{row}");
            assert_eq!(expectation.check(b"{}"), Err(ContentError::DigestMismatch), "{row}");
        }
    }

    /// SIG-23, V-19.
    #[test]
    fn rejects_fields_without_a_usable_digest() {
        use ContentDigestError as E;
        for (row, lines, expected) in [
            ("no field", &[][..], E::Algorithm),
            ("an empty field", &[""], E::Algorithm),
            ("weak algorithms only", &["md5=:AA==:, sha=:AA==:, unixsum=:AA==:, adler=:AA==:"], E::Algorithm),
            ("the name in upper case", &["SHA-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"], E::Malformed),
            ("another length", &["sha-256=:AAAA:"], E::Malformed),
            ("empty", &["sha-256=::"], E::Malformed),
            ("a string", &["sha-256=\"X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=\""], E::Malformed),
            ("a boolean", &["sha-256"], E::Malformed),
            ("a list", &["sha-256=(:AA==:)"], E::Malformed),
            ("an algorithm twice", &[SHA256, SHA256], E::Malformed),
            ("no end", &["sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="], E::Malformed),
            ("the older Digest field", &["SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="], E::Malformed),
            ("rubbish in another algorithm", &[&format!("{SHA256}, x=:")], E::Malformed),
        ] {
            assert_eq!(read(lines), Err(expected), "{row}");
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let headers = HeaderMap::from_iter([("content-digest".parse().unwrap(), content_digest(CONTENT))]);
        assert_eq!(headers["content-digest"], SHA256);
        assert_eq!(ExpectedContent::from_content_digest(&headers).unwrap().check(CONTENT).map(drop), Ok(()));
    }
}
