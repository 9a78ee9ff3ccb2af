//! Compact JWS: what decodes is canonical, so that encoding it again gives the same text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop_core::TokenError;
use pop_core::jose::{DecodedJws, JoseHeader, JsonLimits, Object, encode};

fuzz_target!(|text: &str| {
    if let Ok(jws) = DecodedJws::parse(text, 8192) {
        let again = format!("{}.{}.{}", encode(jws.header()), encode(jws.payload()), encode(jws.signature()));
        assert_eq!(again, text);
        let _ = JoseHeader::parse::<TokenError>(jws.header(), JsonLimits::PROOF);
        let _ = Object::parse(jws.payload(), JsonLimits::TOKEN);
    }
});
