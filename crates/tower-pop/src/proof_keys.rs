//! Headers of proofs that were read before. A client sends the same header with every proof, and what is in it costs more
//! to read than the rest of the proof: base64, JSON, a thumbprint, the import of a key.
//!
//! Only headers of proofs that passed enter, under their bytes as received: nobody without a bound token displaces
//! anything. What was read once under this configuration's policy stays right; nothing here decides anything.

use std::fmt;
use std::sync::Arc;

use pop_core::proof::ProofKey;
use quick_cache::sync::Cache;

/// Longer headers are read every time: RSA keys of 4096 bits fit.
const LONGEST: usize = 2048;

#[derive(Clone)]
pub(crate) struct ProofKeys(Option<Arc<Cache<Box<str>, Arc<ProofKey>>>>);

/// A header that was read just now, to be kept if its proof passes.
pub(crate) struct NewProofKey {
    header: Box<str>,
    key: Arc<ProofKey>,
}

impl ProofKeys {
    /// A capacity of 0 turns the cache off.
    pub(crate) fn new(capacity: usize) -> Self {
        Self((capacity > 0).then(|| Arc::new(Cache::new(capacity))))
    }

    pub(crate) fn get(&self, header: &str) -> Option<Arc<ProofKey>> {
        self.0.as_ref()?.get(header)
    }

    /// What to [`keep`](Self::keep) of a header once its proof has passed.
    pub(crate) fn candidate(&self, header: &str, key: &Arc<ProofKey>) -> Option<NewProofKey> {
        let fits = self.0.is_some() && header.len() <= LONGEST;
        fits.then(|| NewProofKey { header: header.into(), key: Arc::clone(key) })
    }

    pub(crate) fn keep(&self, new: NewProofKey) {
        if let Some(cache) = &self.0 {
            cache.insert(new.header, new.key);
        }
    }
}

impl fmt::Debug for ProofKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofKeys({})", if self.0.is_some() { "on" } else { "off" })
    }
}
