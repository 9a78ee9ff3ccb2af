//! Options of access tokens.

use std::time::Duration;

use pop_core::jose::Algorithm;

use super::PopConfigBuilder;

impl PopConfigBuilder {
    /// Sets the accepted algorithms of access tokens. Defaults to the same list as for proofs.
    ///
    /// With the feature `ml-dsa`, they can include `Algorithm::MlDsa44`, `MlDsa65` and `MlDsa87`. Naming one of them raises the
    /// default of [`max_token_len`](Self::max_token_len).
    ///
    /// ```
    /// use tower_pop::{Algorithm, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .token_algorithms([Algorithm::RS256])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn token_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.overrides.token_algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Sets the tolerance for `exp`, `nbf` and `iat` of access tokens, up to 300 s. Defaults to 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").token_leeway(Duration::ZERO).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn token_leeway(mut self, leeway: Duration) -> Self {
        self.overrides.token_leeway = Some(leeway);
        self
    }

    /// Sets the maximum length of an access token in bytes, at least 512. Defaults to 16 KiB, or with ML-DSA to what
    /// [`TokenPolicy::max_len_for`](pop_core::policy::TokenPolicy::max_len_for) says.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").max_token_len(32 * 1024).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn max_token_len(mut self, bytes: usize) -> Self {
        self.overrides.max_token_len = Some(bytes);
        self
    }

    /// Sets the maximum number of members of one JSON object in the claims of a token or in an introspection response, 32 to 16,384. Some
    /// realms write one member for each client into a claim. Such tokens are also long: see [`max_token_len`](Self::max_token_len) and
    /// [`Introspection::max_response_len`](crate::Introspection::max_response_len). Defaults to 128.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").max_token_members(1024).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn max_token_members(mut self, members: u16) -> Self {
        self.token.json.members = members;
        self
    }

    /// Sets the maximum number of JSON values in the claims of a token or in an introspection response, 256 to 65,536, including those in
    /// arrays and objects. Defaults to 4,096.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").max_token_values(16_384).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn max_token_values(mut self, values: u32) -> Self {
        self.token.json.values = values;
        self
    }

    /// Sets the maximum nesting of objects and arrays in the claims of a token or in an introspection response, 4 to 32, including the
    /// outermost object. Defaults to 8.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").max_token_depth(16).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn max_token_depth(mut self, depth: u8) -> Self {
        self.token.json.depth = depth;
        self
    }

    /// Sets the maximum size of RSA keys in JWK sets and in the `cnf.jwk` of access tokens, in bits: 2048 to 8192.
    /// Defaults to 4096.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").max_jwks_rsa_bits(8192).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn max_jwks_rsa_bits(mut self, bits: u32) -> Self {
        self.max_jwks_rsa_bits = bits;
        self
    }

    /// Sets how many verified tokens are kept in memory; 0 turns the cache off. A token with more than 2 KiB of claims counts as several. A
    /// token is used from memory for up to an hour while the keys of its issuer stay the same, and never after `exp`: if its key is removed
    /// from the set, it ends at the next refresh. Defaults to 10,000.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").token_cache_capacity(100_000).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn token_cache_capacity(mut self, tokens: usize) -> Self {
        self.token_cache = tokens;
        self
    }

    /// Adds scopes that another scope implies, wherever scopes are required. Not transitive.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .scope_implies("notes:write", ["notes:read"])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn scope_implies(
        mut self,
        scope: impl Into<String>,
        implied: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.scope_implications.push((scope.into(), implied.into_iter().map(Into::into).collect()));
        self
    }
}
