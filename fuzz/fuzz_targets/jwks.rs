//! A JWK set: never a panic; what is accepted has a usable key, and a key is a candidate for its own algorithm alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop_core::jose::{Algorithm, AlgorithmSet, JwkSet, RsaLimits};
use poplayer_fuzz::key::BACKEND;

fuzz_target!(|data: &[u8]| {
    let limits = RsaLimits::default();
    let Ok((set, _)) = JwkSet::parse(data, AlgorithmSet::TOKEN, limits, BACKEND) else { return };
    let mut usable = 0;
    for algorithm in Algorithm::compiled_in() {
        for key in set.candidates(None, algorithm) {
            assert!(key.algorithm() == algorithm && AlgorithmSet::TOKEN.contains(algorithm));
            usable += 1;
        }
    }
    assert!(usable > 0);
});
