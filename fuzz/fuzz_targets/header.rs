//! `Authorization` and `DPoP` fields: never a panic; what is presented is token68.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use pop_core::credentials::present;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for (at, line) in data.split(|byte| *byte == b'\n').take(4).enumerate() {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(if at % 2 == 0 { "authorization" } else { "dpop" }, value);
        }
    }
    for bearer in [false, true] {
        if let Ok(presented) = present(&headers, bearer) {
            assert!(!presented.token.is_empty() && !presented.token.contains([' ', ',', '\t', '"']));
        }
    }
});
