//! Options of proofs and nonces.

use std::time::Duration;

use pop_core::jose::Algorithm;
use pop_core::policy::IatPolicy;

use super::PopConfigBuilder;
use crate::nonce_policy::NoncePolicy;

impl PopConfigBuilder {
    /// Sets the maximum age of a proof, 1 to 300 s. Defaults to 60 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .proof_max_age(Duration::from_secs(30))
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn proof_max_age(mut self, max_age: Duration) -> Self {
        self.overrides.proof_max_age = Some(max_age);
        self
    }

    /// Sets how far `iat` of a proof may be in the future, up to 300 s. Defaults to 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .clock_skew(Duration::from_secs(5))
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.overrides.clock_skew = Some(skew);
        self
    }

    /// Sets whether a nonce replaces the check of `iat`. [`IatPolicy::NonceOnly`] requires [`NoncePolicy::Required`]. Defaults to
    /// [`IatPolicy::Always`].
    ///
    /// ```
    /// use tower_pop::{IatPolicy, NoncePolicy, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .nonce(NoncePolicy::Required)
    ///     .iat_policy(IatPolicy::NonceOnly)
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn iat_policy(mut self, policy: IatPolicy) -> Self {
        self.proof.dpop.iat = policy;
        self
    }

    /// Sets the accepted algorithms of proofs. Defaults to ES256, ES384, Ed25519 (as `Ed25519` and `EdDSA`), PS256 and RS256.
    ///
    /// With the feature `ml-dsa`, they can include `Algorithm::MlDsa44`, `MlDsa65` and `MlDsa87`. Naming one of them raises the
    /// default of [`max_proof_len`](Self::max_proof_len).
    ///
    /// ```
    /// use tower_pop::{Algorithm, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .proof_algorithms([Algorithm::ES256])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn proof_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.overrides.proof_algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Sets the maximum length of a proof in bytes, at least 512. Defaults to 8 KiB, or with ML-DSA to what
    /// [`DpopPolicy::max_len_for`](pop_core::policy::DpopPolicy::max_len_for) says.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").max_proof_len(4 * 1024).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn max_proof_len(mut self, bytes: usize) -> Self {
        self.overrides.max_proof_len = Some(bytes);
        self
    }

    /// Sets the maximum length of the `jti` of a proof in bytes, at least 16. Defaults to 256.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").max_jti_len(64).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn max_jti_len(mut self, bytes: usize) -> Self {
        self.proof.dpop.max_jti_len = bytes;
        self
    }

    /// Sets the maximum size of RSA keys that proofs carry, as DPoP proofs and the `cnf.jwk` of envelopes do, in bits: 2048 to 8192.
    /// Defaults to 4096.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").max_proof_rsa_bits(3072).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn max_proof_rsa_bits(mut self, bits: u32) -> Self {
        self.max_proof_rsa_bits = bits;
        self
    }

    /// Sets how many keys of clients are kept ready for use, about 2 KiB each; 0 turns the cache off. A key of ML-DSA counts
    /// as several. It affects only the time that a request takes. Defaults to 10,000.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .proof_key_cache_capacity(100_000)
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn proof_key_cache_capacity(mut self, keys: usize) -> Self {
        self.proof_key_cache = keys;
        self
    }

    /// Sets which proofs must have a nonce. Defaults to [`NoncePolicy::Off`].
    ///
    /// ```
    /// use tower_pop::{NoncePolicy, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").nonce(NoncePolicy::Required).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn nonce(mut self, policy: NoncePolicy) -> Self {
        self.nonce_policy = policy;
        self
    }

    /// Sets the keys of nonces: the first creates them, and all of them verify. Replicas must share them. Defaults to one random key
    /// for each configuration. Requires a [`NoncePolicy`] other than `Off`.
    ///
    /// # Security
    /// The keys are secrets of 256 random bits. Nonces are bound to the first audience, so one resource does not accept those of another.
    ///
    /// ```
    /// use tower_pop::{NoncePolicy, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .nonce(NoncePolicy::Required)
    ///     .nonce_keys([[7; 32]])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn nonce_keys(mut self, keys: impl IntoIterator<Item = [u8; 32]>) -> Self {
        self.nonce_keys = Some(keys.into_iter().collect());
        self
    }
}
