//! Parsed headers of proofs. A client sends the same header with every proof, and parsing it costs more than the rest of the
//! proof: base64, JSON, a thumbprint, and the import of a key.
//!
//! Only headers of accepted proofs enter, under their encoded form: a client without a bound token displaces nothing. A header
//! stays valid under the policy of its configuration; the cache decides nothing.

use std::fmt;
use std::sync::Arc;

use pop_core::jose::AlgorithmSet;
use pop_core::proof::{ProofKey, ProofKeyCache};
use quick_cache::sync::Cache;

/// The maximum length of a header that is kept, in bytes, without ML-DSA: RSA keys of 4096 bits fit.
const MAX_LEN: usize = 2048;

#[derive(Clone)]
pub(crate) struct ProofKeys {
    cache: Option<Arc<Cache<Box<str>, Arc<ProofKey>>>>,
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
        let cache = (capacity > 0).then(|| Arc::new(Cache::new(capacity)));
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
