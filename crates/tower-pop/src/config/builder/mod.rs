//! The builder. Each file has the options of one topic; `build` checks them together.

mod dangerous;
mod proofs;
mod replay;
mod requests;
mod signatures;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pop_core::jose::AlgorithmSet;
use pop_core::jose::KeyEncryptionKeys;
use pop_core::jose::crypto::CryptoBackend;
use pop_core::policy::{EnvelopeClaims, Mode, Preset, ProofPolicy, SignedContent, TokenPolicy};
use pop_core::proof::{ClientKeys, ProofKind};

pub use self::dangerous::Dangerous;
use crate::certificate::ClientCertificates;
use crate::clock::{Clock, SystemClock};
use crate::drain::DrainPolicy;
use crate::issuer::IssuerConfig;
use crate::keys::HttpFetch;
use crate::metadata::MetadataDraft;
use crate::nonce_policy::NoncePolicy;
use crate::replay::ReplayStore;

/// Collects the options of a [`PopConfig`](crate::PopConfig). [`build`](PopConfigBuilder::build) checks them together, so the
/// order of the calls does not matter. A second call of one method replaces the first, except where the method says that it adds.
#[must_use = "a builder does nothing until build()"]
pub struct PopConfigBuilder {
    pub(super) issuers: Vec<IssuerConfig>,
    pub(super) audiences: Vec<String>,
    pub(super) preset: Preset,
    pub(super) mode: Mode,
    /// The options that override the preset.
    pub(super) overrides: Overrides,
    /// The options that no preset sets.
    pub(super) proof: ProofPolicy,
    pub(super) token: TokenPolicy,
    /// The accepted kinds of proof.
    pub(super) kinds: Vec<ProofKind>,
    pub(super) signature_required: bool,
    pub(super) key_encryption_keys: Option<KeyEncryptionKeys>,
    pub(super) client_keys: Option<Arc<dyn ClientKeys>>,
    pub(super) content_limit: u64,
    pub(super) strip_uncovered: Vec<String>,
    pub(super) max_proof_rsa_bits: u32,
    pub(super) max_jwks_rsa_bits: u32,
    pub(super) public_origin: Option<String>,
    pub(super) allowed_origins: Vec<String>,
    pub(super) proxies: Vec<IpNet>,
    pub(super) path_prefix: String,
    pub(super) metadata: MetadataDraft,
    pub(super) nonce_policy: NoncePolicy,
    pub(super) nonce_keys: Option<Vec<[u8; 32]>>,
    pub(super) replay: Option<Arc<dyn ReplayStore>>,
    pub(super) replay_capacity: Option<usize>,
    pub(super) replay_timeout: Option<Duration>,
    pub(super) without_replay_store: bool,
    pub(super) drain: DrainPolicy,
    pub(super) token_cache: usize,
    pub(super) proof_key_cache: usize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fetch: Option<Arc<dyn HttpFetch>>,
    pub(super) scope_implications: Vec<(String, Vec<String>)>,
    pub(super) reject_before_start: bool,
    pub(super) explain_rejections: bool,
    pub(super) reject_token_in_query: bool,
    pub(super) reject_early_data: bool,
    pub(super) pass_preflight: bool,
    pub(super) allow_http: bool,
    pub(super) certificates: Option<ClientCertificates>,
}

/// What a preset or the algorithms set, where it was set explicitly.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Overrides {
    pub(super) proof_algorithms: Option<AlgorithmSet>,
    pub(super) proof_max_age: Option<Duration>,
    pub(super) max_proof_len: Option<usize>,
    pub(super) clock_skew: Option<Duration>,
    pub(super) signature_max_age: Option<Duration>,
    pub(super) signature_algorithms: Option<AlgorithmSet>,
    pub(super) signed_content: Option<SignedContent>,
    pub(super) envelope_claims: Option<EnvelopeClaims>,
    pub(super) token_algorithms: Option<AlgorithmSet>,
    pub(super) token_leeway: Option<Duration>,
    pub(super) max_token_len: Option<usize>,
}

impl PopConfigBuilder {
    pub(super) fn new(issuer: IssuerConfig, audience: String) -> Self {
        Self {
            issuers: vec![issuer],
            audiences: vec![audience],
            preset: Preset::default(),
            mode: Mode::default(),
            overrides: Overrides::default(),
            proof: ProofPolicy::default(),
            token: TokenPolicy::default(),
            kinds: vec![ProofKind::Dpop],
            signature_required: false,
            key_encryption_keys: None,
            client_keys: None,
            content_limit: 1 << 20,
            strip_uncovered: Vec::new(),
            max_proof_rsa_bits: 4096,
            max_jwks_rsa_bits: 4096,
            public_origin: None,
            allowed_origins: Vec::new(),
            proxies: Vec::new(),
            path_prefix: String::new(),
            metadata: MetadataDraft::default(),
            nonce_policy: NoncePolicy::Off,
            nonce_keys: None,
            replay: None,
            replay_capacity: None,
            replay_timeout: None,
            without_replay_store: false,
            drain: DrainPolicy::DEFAULT,
            token_cache: 10_000,
            proof_key_cache: 10_000,
            clock: Arc::new(SystemClock::default()),
            fetch: None,
            scope_implications: Vec::new(),
            reject_before_start: false,
            explain_rejections: false,
            reject_token_in_query: false,
            reject_early_data: false,
            pass_preflight: false,
            allow_http: false,
            certificates: None,
        }
    }

    /// Adds an issuer whose tokens are accepted.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .issuer(IssuerConfig::new("https://other.example").allow_typ_jwt())
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn issuer(mut self, issuer: impl Into<IssuerConfig>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Adds an identifier of this resource that is accepted in `aud`.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").audience("urn:example:notes").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets the windows and algorithms of proofs and tokens together. Options that are set explicitly override the preset, before
    /// or after it. Defaults to [`Preset::Rfc9449`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_pop::{PopConfig, Preset};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .proof_max_age(Duration::from_secs(30))
    ///     .preset(Preset::Fapi2)
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn preset(mut self, preset: Preset) -> Self {
        self.preset = preset;
        self
    }

    /// Sets which requests are accepted. Defaults to [`Mode::Required`].
    ///
    /// ```
    /// use tower_pop::{Mode, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").mode(Mode::Optional).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the library that verifies signatures. Defaults to `aws-lc-rs` if it is compiled in.
    ///
    /// ```
    /// use tower_pop::{CryptoBackend, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .crypto_backend(CryptoBackend::default())
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn crypto_backend(mut self, backend: CryptoBackend) -> Self {
        self.proof.dpop.backend = backend;
        self.proof.signature.backend = backend;
        self.proof.signed_request.backend = backend;
        self.token.backend = backend;
        self
    }

    /// Replaces the clock, for tests. Defaults to [`SystemClock`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tower_pop::PopConfig;
    /// use tower_pop::clock::ManualClock;
    ///
    /// let clock = Arc::new(ManualClock::at(1_800_000_000));
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").clock(Arc::clone(&clock)).build()?;
    /// clock.advance(60);
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Replaces the HTTP client that fetches metadata and keys. Without feature `http-client` there is no default.
    ///
    /// ```no_run
    /// use tower_pop::PopConfig;
    /// use tower_pop::keys::HyperFetch;
    ///
    /// # fn build() -> Result<(), Box<dyn std::error::Error>> {
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").http_fetch(HyperFetch::new()?).build()?;
    /// # Ok(()) }
    /// ```
    pub fn http_fetch(mut self, fetch: impl HttpFetch) -> Self {
        self.fetch = Some(Arc::new(fetch));
        self
    }

    /// Opens the options that give up protection.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("http://as.internal", "http://api.internal").dangerous().allow_http().build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn dangerous(self) -> Dangerous {
        Dangerous::new(self)
    }
}

impl std::fmt::Debug for PopConfigBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PopConfigBuilder").field("audiences", &self.audiences).finish_non_exhaustive()
    }
}
