use std::time::Duration;

use super::SignedContent;
use crate::jose::AlgorithmSet;
use crate::jose::crypto::CryptoBackend;

/// The requirements on HTTP message signatures (RFC 9421): under `HTTPSig`, with HMAC under `PoP`, and in addition to other
/// proofs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignaturePolicy {
    /// The accepted algorithms of public keys. Defaults to [`AlgorithmSet::SIGNATURE`].
    pub algorithms: AlgorithmSet,
    /// The maximum age of a signature: how far `created` may be in the past. Defaults to 60 s.
    pub max_age: Duration,
    /// How far `created` may be in the future. Defaults to 30 s.
    pub clock_skew: Duration,
    /// Whether content must be covered. Defaults to [`SignedContent::Required`].
    pub content: SignedContent,
    /// What signatures must cover in addition to what their profile demands: names of header fields in lower case, or derived
    /// components such as `@query`. Defaults to nothing.
    pub components: Vec<Box<str>>,
    /// The maximum length of a signature base in bytes. Defaults to 64 KiB.
    pub max_base_len: usize,
    /// The maximum length of a `nonce` in bytes. Defaults to 256.
    pub max_nonce_len: usize,
    /// The library that verifies signatures. Defaults to `aws-lc-rs` if it is compiled in.
    pub backend: CryptoBackend,
}

impl Default for SignaturePolicy {
    fn default() -> Self {
        Self {
            algorithms: AlgorithmSet::SIGNATURE,
            max_age: Duration::from_secs(60),
            clock_skew: Duration::from_secs(30),
            content: SignedContent::Required,
            components: Vec::new(),
            max_base_len: 64 * 1024,
            max_nonce_len: 256,
            backend: CryptoBackend::default(),
        }
    }
}

impl SignaturePolicy {
    /// Returns how long after `created` a replay store must remember a signature, in seconds.
    #[must_use]
    pub fn lifetime(&self) -> u64 {
        self.max_age.as_secs().saturating_add(self.clock_skew.as_secs()).saturating_add(1)
    }
}
