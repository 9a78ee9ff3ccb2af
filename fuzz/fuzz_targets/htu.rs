//! Target URIs: a request's own canonical text matches it, and nothing of another origin does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop_core::target::{Origin, RequestTarget};

fuzz_target!(|input: (&str, &str)| {
    let (path, htu) = input;
    let origin = Origin::parse("https://api.example").expect("a valid origin");
    if let Ok(target) = RequestTarget::new(&origin, path) {
        assert_eq!(target.matches(&target.to_string()), Ok(true));
        if target.matches(htu) == Ok(true) {
            let lower = htu.to_ascii_lowercase();
            assert!(lower.starts_with("https://api.example"), "{htu}");
        }
    }
    let _ = Origin::parse(htu);
});
