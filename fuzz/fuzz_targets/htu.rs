//! Target URIs, a path and an `htu`, one line each: the comparison says what RFC 3986 §6.2.2 and §6.2.3 say, and a
//! request's own canonical text matches it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop_core::target::{Origin, RequestTarget};
use poplayer_fuzz::oracle::is_same_resource;

const ORIGIN: &str = "https://api.example";

fuzz_target!(|text: &str| {
    let (path, htu) = text.split_once('\n').unwrap_or((text, ""));
    let origin = Origin::parse(ORIGIN).expect("a valid origin");
    if let Ok(target) = RequestTarget::new(&origin, path) {
        assert_eq!(target.matches(&target.to_string()), Ok(true));
        if let Ok(matches) = target.matches(htu) {
            assert_eq!(matches, is_same_resource(htu, &format!("{ORIGIN}{path}")), "{target} {htu}");
        }
    }
    if let Ok(origin) = Origin::parse(htu) {
        assert_eq!(Origin::parse(origin.as_str()), Ok(origin.clone()));
        assert_eq!(Origin::of(htu), Ok(origin));
    }
});
