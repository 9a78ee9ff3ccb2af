//! `Authorization` and `DPoP` fields: never a panic; what is presented is token68.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use pop_core::credentials::{Credentials, Scheme, SchemeSet};
use pop_core::proof::dpop;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for (at, line) in data.split(|byte| *byte == b'\n').take(4).enumerate() {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(if at % 2 == 0 { "authorization" } else { "dpop" }, value);
        }
    }
    for schemes in [SchemeSet::DPOP, SchemeSet::DPOP.with(Scheme::Bearer)] {
        if let Ok(credentials) = Credentials::from_headers(&headers, schemes) {
            let token = credentials.token();
            assert!(schemes.contains(credentials.scheme()));
            assert!(!token.is_empty() && !token.contains([' ', ',', '\t', '"']));
        }
    }
    let _ = dpop::field(&headers);
});
