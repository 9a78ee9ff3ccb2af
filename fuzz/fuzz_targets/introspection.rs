//! Introspection responses: never a panic; what passes is active, of this issuer, for this resource and not expired.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pop_core::access_token::Expectations;
use pop_core::introspection::{IntrospectionExpectations, SignedIntrospection, read};
use pop_core::jose::DecodedJws;
use pop_core::policy::{TokenAllowances, TokenPolicy};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://as.example";

fuzz_target!(|body: &[u8]| {
    let audiences = ["https://api.example".into()];
    let policy = TokenPolicy::default();
    let token = Expectations { audiences: &audiences, allowances: TokenAllowances::default(), policy: &policy };
    let expected = IntrospectionExpectations { issuer: ISSUER, token, cache_for: Duration::from_secs(10) };
    if let Ok(token) = read(body, &expected, NOW) {
        assert!(token.expires_at() > NOW && token.issuer() == ISSUER);
        assert!(token.audience().any(|audience| audience == "https://api.example"));
        assert!(String::from_utf8_lossy(body).contains("true"));
    }
    if let Ok(text) = std::str::from_utf8(body)
        && let Ok(jws) = DecodedJws::parse(text, 65_536)
    {
        let _ = SignedIntrospection::parse(&jws, &policy).and_then(|signed| signed.key_id().map(drop));
    }
});
