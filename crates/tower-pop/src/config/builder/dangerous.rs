//! The options that give up protection.

use super::PopConfigBuilder;

/// Options that give up protection. Each is logged when the configuration is built.
#[must_use = "its methods set the options"]
pub struct Dangerous(PopConfigBuilder);

impl Dangerous {
    pub(super) const fn new(builder: PopConfigBuilder) -> Self {
        Self(builder)
    }

    /// Accepts plain http for issuers, keys and public origins beyond loopback.
    ///
    /// # Security
    /// Tokens, proofs and keys can be read and changed on the network. RFC 9449 §2 forbids it.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("http://as.internal", "http://api.internal").dangerous().allow_http().build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn allow_http(mut self) -> PopConfigBuilder {
        self.0.allow_http = true;
        self.0
    }

    /// Does not record proofs.
    ///
    /// # Security
    /// An attacker who captures a request can repeat it while its proof is fresh: for `proof_max_age` and `clock_skew` together,
    /// which may then be 300 s at most.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .dangerous()
    ///     .without_replay_store()
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn without_replay_store(mut self) -> PopConfigBuilder {
        self.0.without_replay_store = true;
        self.0
    }
}

impl std::fmt::Debug for Dangerous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dangerous(..)")
    }
}
