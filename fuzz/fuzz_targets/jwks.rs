//! A JWK set: never a panic; what is accepted has a usable key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop_core::jose::crypto::CryptoBackend;
use pop_core::jose::{Algorithm, AlgorithmSet, JwkSet, RsaLimits};

fuzz_target!(|data: &[u8]| {
    if let Ok((set, _)) = JwkSet::parse(data, AlgorithmSet::TOKEN, RsaLimits::default(), CryptoBackend::default()) {
        assert!(Algorithm::ALL.iter().any(|alg| set.candidates(None, *alg).next().is_some()));
    }
});
