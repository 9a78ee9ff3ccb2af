//! Parsed headers of proofs. A client sends the same header with every proof, and parsing it costs more than the rest of the
//! proof: base64, JSON, a thumbprint, and the import of a key.
//!
//! Only headers of accepted proofs enter, under their encoded form: a client without a bound token displaces nothing. A header
//! stays valid under the policy of its configuration; the cache decides nothing.

use std::fmt;
use std::sync::Arc;

use pop_core::jose::AlgorithmSet;
use pop_core::proof::{ProofKey, ProofKeyCache};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// The maximum length of a header that is kept, in bytes, without ML-DSA: RSA keys of 4096 bits fit.
const MAX_LEN: usize = 2048;

/// Longer headers count as several, so that memory stays bounded. The key in them takes as much again.
#[derive(Clone)]
struct ByLength;

impl Weighter<Box<str>, Arc<ProofKey>> for ByLength {
    fn weight(&self, header: &Box<str>, _: &Arc<ProofKey>) -> u64 {
        if header.len() <= MAX_LEN { 1 } else { header.len().div_ceil(MAX_LEN / 2) as u64 }
    }
}

type Headers = Cache<Box<str>, Arc<ProofKey>, ByLength>;

#[derive(Clone)]
pub(crate) struct ProofKeys {
    cache: Option<Arc<Headers>>,
    max_len: usize,
}

/// A new header, to be kept once its proof is accepted.
pub(crate) struct NewProofKey {
    header: Box<str>,
    key: Arc<ProofKey>,
}

impl ProofKeys {
    /// A capacity of 0 turns the cache off. The keys of these algorithms fit.
    pub(crate) fn new(capacity: usize, algorithms: AlgorithmSet) -> Self {
        let build = || Arc::new(Cache::with_weighter(capacity, capacity as u64, ByLength));
        let cache = (capacity > 0).then(build);
        Self { cache, max_len: MAX_LEN + algorithms.key_room() }
    }

    /// Copies what [`keep`](Self::keep) needs.
    pub(crate) fn candidate(&self, header: &str, key: &Arc<ProofKey>) -> Option<NewProofKey> {
        let fits = self.cache.is_some() && header.len() <= self.max_len;
        fits.then(|| NewProofKey { header: header.into(), key: Arc::clone(key) })
    }

    pub(crate) fn keep(&self, new: NewProofKey) {
        if let Some(cache) = &self.cache {
            cache.insert(new.header, new.key);
        }
    }
}

impl ProofKeyCache for ProofKeys {
    fn get(&self, header: &str) -> Option<Arc<ProofKey>> {
        self.cache.as_ref()?.get(header)
    }
}

impl fmt::Debug for ProofKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofKeys({})", if self.cache.is_some() { "on" } else { "off" })
    }
}

#[cfg(all(test, feature = "ml-dsa"))]
mod tests {
    use pop_core::jose::Algorithm;
    use pop_core::policy::DpopPolicy;

    use super::*;

    /// The header of RFC 9449 figure 2.
    const HEADER: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";

    #[test]
    fn headers_with_ml_dsa_keys_fit_where_they_are_accepted() {
        let key = Arc::new(ProofKey::parse(HEADER, &DpopPolicy::default()).unwrap());
        let fits = |algorithms, len| ProofKeys::new(1, algorithms).candidate(&"x".repeat(len), &key).is_some();
        let usual = AlgorithmSet::PROOF;
        assert!(fits(usual, 2048) && !fits(usual, 2049));
        for (algorithm, header) in [(Algorithm::MlDsa44, 2444), (Algorithm::MlDsa65, 3582), (Algorithm::MlDsa87, 4719)]
        {
            assert!(fits(usual.with(algorithm), header) && !fits(usual, header), "{algorithm}");
        }
        assert!(ProofKeys::new(0, usual).candidate(HEADER, &key).is_none());
        for (len, weight) in [(1, 1), (2048, 1), (2049, 3), (2444, 3), (4719, 5)] {
            assert_eq!(ByLength.weight(&"x".repeat(len).into(), &key), weight, "{len}: memory stays bounded");
        }
    }
}
