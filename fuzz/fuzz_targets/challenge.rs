//! `WWW-Authenticate` as the client reads it, one field line for each line: never a panic, what is quoted comes back as it
//! was, and no field line spoils the next one.
//!
//! The module is taken in by itself: the client crate would bring an HTTP stack and a second crypto library along.
#![no_main]

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/pop-client/src/challenge.rs"]
#[allow(dead_code)]
mod challenge;

use challenge::Challenge;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(8) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    for challenge in Challenge::from_headers(&headers) {
        let _ = (challenge.algorithms().count(), challenge.preferred_algorithm(), format!("{challenge:?}"));
        if let Some(lacking) = challenge.lacking() {
            let union = lacking.scope_beside("held");
            assert!(union.starts_with("held") && !union.contains("  "));
        }
    }

    let before = Challenge::from_headers(&headers).len();
    headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("DPoP error=\"use_dpop_nonce\", algs=\"ES256\""));
    let challenges = Challenge::from_headers(&headers);
    assert_eq!(challenges.len(), before + 1);
    let last = challenges.last().expect("the line that was appended");
    assert!(last.is("dpop") && last.error() == Some("use_dpop_nonce") && last.algorithms().eq(["ES256"]));

    if let Some(text) = std::str::from_utf8(data).ok().filter(|text| text.bytes().all(|byte| matches!(byte, 32..=126)))
    {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let line = format!("DPoP realm=\"{quoted}\", Bearer scope=\"{quoted}\"");
        let headers = [(WWW_AUTHENTICATE, line.parse().expect("visible ASCII"))].into_iter().collect();
        let challenges = Challenge::from_headers(&headers);
        assert_eq!(challenges.len(), 2);
        assert_eq!(challenges[0].parameter("realm"), Some(text));
        assert_eq!(challenges[1].parameter("scope"), Some(text));
    }
});
