//! A nonce and the seconds of the clock, one line each: accepted are exactly the nonces of the steps around the current time,
//! made with any of the keys, each with a fixed end that lies ahead.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop_core::nonce::{Freshness, NonceKeys, PREVIOUS_STEPS, is_nonce};

const CURRENT: [u8; 32] = [1; 32];
const RETIRED: [u8; 32] = [2; 32];

fuzz_target!(|text: &str| {
    let (nonce, now) = text.split_once('\n').unwrap_or((text, ""));
    let now = now.trim_end().parse().unwrap_or(1_800_000_000).min(1 << 53);
    let keys = |list: &[[u8; 32]]| NonceKeys::new(list.iter().copied(), "https://api.example").expect("there is a key");
    let step = NonceKeys::step_at(now);
    let issued = (step.saturating_sub(PREVIOUS_STEPS)..=step.saturating_add(1))
        .find(|step| [CURRENT, RETIRED].iter().any(|key| keys(&[*key]).issue(*step) == nonce));

    let accepted = keys(&[CURRENT, RETIRED]).check(nonce, now).ok();
    assert_eq!(accepted.is_some(), issued.is_some());
    if let (Some(accepted), Some(issued)) = (accepted, issued) {
        assert!(is_nonce(nonce));
        assert_eq!(accepted.freshness == Freshness::Renew, issued < step);
        assert!(accepted.until > now);
        let again = keys(&[CURRENT, RETIRED]).check(nonce, accepted.until - 1);
        assert!(again.is_ok_and(|again| again.until == accepted.until));
        assert!(keys(&[CURRENT, RETIRED]).check(nonce, accepted.until).is_err());
    }
});
