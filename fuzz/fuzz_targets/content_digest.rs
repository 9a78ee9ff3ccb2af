//! `Content-Digest`: the content in the first line, then one line of the field each, in which `$SHA256` and `$SHA512` stand
//! for the digests. What a field accepts has one of its own digests there, and no other content has; the field that the
//! library writes is accepted; two expectations together accept what both accept.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use pop_core::content::{ExpectedContent, content_digest};
use pop_core::jose::encode_standard;
use sha2::{Digest, Sha256, Sha512};

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let content = lines.next().unwrap_or_default();
    let (sha256, sha512) = (encode_standard(Sha256::digest(content)), encode_standard(Sha512::digest(content)));
    let mut headers = HeaderMap::new();
    for line in lines.take(8) {
        let line = line.replace("$SHA256", &sha256).replace("$SHA512", &sha512);
        if let Ok(value) = HeaderValue::try_from(line) {
            headers.append("content-digest", value);
        }
    }
    let own =
        HeaderMap::from_iter([(http::HeaderName::from_static("content-digest"), content_digest(content.as_bytes()))]);
    let own = ExpectedContent::from_content_digest(&own).expect("a digest");
    assert!(own.check(content.as_bytes()).is_ok());
    assert!(own.check(format!("{content}x").as_bytes()).is_err());

    let Ok(expected) = ExpectedContent::from_content_digest(&headers) else { return };
    assert!(expected != ExpectedContent::EMPTY);
    // Padding and the last bits of base64 are read leniently.
    let members = |name: &str, digest: &str| {
        let digest = &digest[..digest.trim_end_matches('=').len() - 1];
        headers.iter().any(|(_, line)| line.to_str().is_ok_and(|line| line.contains(&format!("{name}=:{digest}"))))
    };
    let accepted = expected.check(content.as_bytes()).is_ok();
    if accepted {
        assert!(members("sha-256", &sha256) || members("sha-512", &sha512));
        assert!(expected.check(format!("{content}x").as_bytes()).is_err());
    }
    let mut hasher = expected.hasher();
    content.as_bytes().chunks(3).for_each(|chunk| hasher.update(chunk));
    assert_eq!(hasher.finish().is_ok(), accepted, "in pieces");
    let both = own.and(expected).is_ok_and(|both| both.check(content.as_bytes()).is_ok());
    assert_eq!(both, accepted);
});
