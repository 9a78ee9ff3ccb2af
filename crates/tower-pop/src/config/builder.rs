//! The knobs, and their validation as a whole.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pop_core::challenge::Challenges;
use pop_core::jose::crypto::CryptoBackend;
use pop_core::jose::{Algorithm, AlgorithmSet, JsonLimits, JwkSet, Object, RsaLimits};
use pop_core::nonce::NonceKeys;
use pop_core::policy::{IatPolicy, Mode, Preset, ProofPolicy, TokenPolicy};
use pop_core::scope::is_scope_token;
use pop_core::target::Origin;

use super::{ConfigError, PopConfig, State, check_mode};
use crate::clock::{Clock, SystemClock};
use crate::issuer::{Issuer, IssuerConfig, KeySource};
use crate::keys::{HttpFetch, IssuerKeys, KeyLocation, KeyPolicy, RemoteKeys};
use crate::metadata::{Metadata, MetadataDraft};
use crate::nonces::{NoncePolicy, Nonces};
use crate::origin::OriginPolicy;
use crate::replay::{MemoryReplayStore, ReplayStore};
use crate::token_cache::TokenCache;

/// Longest window for `iat`, in each direction.
const MAX_WINDOW: Duration = Duration::from_secs(300);
/// Longest leeway for access tokens.
const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// Collects a configuration; [`build`](PopConfigBuilder::build) checks it as a whole.
#[must_use = "a builder does nothing until build()"]
pub struct PopConfigBuilder {
    issuers: Vec<IssuerConfig>,
    audiences: Vec<String>,
    preset: Preset,
    mode: Mode,
    proof: ProofPolicy,
    token: TokenPolicy,
    public_origin: Option<String>,
    allowed_origins: Vec<String>,
    proxies: Vec<IpNet>,
    path_prefix: String,
    metadata: MetadataDraft,
    nonce_policy: NoncePolicy,
    nonce_keys: Option<Vec<[u8; 32]>>,
    replay: Option<Arc<dyn ReplayStore>>,
    replay_capacity: usize,
    without_replay_store: bool,
    token_cache: u64,
    clock: Arc<dyn Clock>,
    fetch: Option<Arc<dyn HttpFetch>>,
    scope_implications: Vec<(String, Vec<String>)>,
    refuse_before_start: bool,
    refuse_token_in_query: bool,
    refuse_early_data: bool,
    pass_preflight: bool,
    allow_http: bool,
}

impl PopConfigBuilder {
    pub(super) fn new(issuer: IssuerConfig, audience: String) -> Self {
        let preset = Preset::default();
        Self {
            issuers: vec![issuer],
            audiences: vec![audience],
            preset,
            mode: Mode::default(),
            proof: preset.proof(),
            token: preset.token(),
            public_origin: None,
            allowed_origins: Vec::new(),
            proxies: Vec::new(),
            path_prefix: String::new(),
            metadata: MetadataDraft::default(),
            nonce_policy: NoncePolicy::Off,
            nonce_keys: None,
            replay: None,
            replay_capacity: crate::replay::DEFAULT_CAPACITY,
            without_replay_store: false,
            token_cache: 10_000,
            clock: Arc::new(SystemClock::default()),
            fetch: None,
            scope_implications: Vec::new(),
            refuse_before_start: false,
            refuse_token_in_query: false,
            refuse_early_data: false,
            pass_preflight: false,
            allow_http: false,
        }
    }

    /// Accepts tokens of one more issuer.
    pub fn issuer(mut self, issuer: impl Into<IssuerConfig>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Accepts one more identifier of this resource in `aud`.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets windows and algorithms of proofs and tokens together. Say it first: it replaces what was set before.
    /// Defaults to [`Preset::Rfc9449`].
    pub fn preset(mut self, preset: Preset) -> Self {
        self.preset = preset;
        self.proof = preset.proof();
        self.token = preset.token();
        self
    }

    /// Sets which requests may pass. Defaults to [`Mode::Required`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets how old a proof may be, 1 to 300 s. Defaults to 60 s.
    pub fn proof_max_age(mut self, max_age: Duration) -> Self {
        self.proof.max_age = max_age;
        self
    }

    /// Sets how far a proof's `iat` may lie in the future, up to 300 s. Defaults to 30 s.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.proof.clock_skew = skew;
        self
    }

    /// Sets whether a nonce can stand in for `iat`. Defaults to [`IatPolicy::Always`].
    pub fn iat_policy(mut self, policy: IatPolicy) -> Self {
        self.proof.iat = policy;
        self
    }

    /// Sets the algorithms of proofs. Defaults to ES256, ES384, Ed25519 (as `Ed25519` and `EdDSA`), PS256, RS256.
    pub fn proof_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.proof.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Sets the algorithms of access tokens. Defaults to the same list.
    pub fn token_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.token.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Sets the tolerance for `exp`, `nbf` and `iat` of access tokens, up to 300 s. Defaults to 30 s.
    pub fn token_leeway(mut self, leeway: Duration) -> Self {
        self.token.leeway = leeway;
        self
    }

    /// Sets the longest proof in bytes, at least 512. Defaults to 8 KiB.
    pub fn max_proof_len(mut self, bytes: usize) -> Self {
        self.proof.max_len = bytes;
        self
    }

    /// Sets the longest access token in bytes, at least 512. Defaults to 16 KiB.
    pub fn max_token_len(mut self, bytes: usize) -> Self {
        self.token.max_len = bytes;
        self
    }

    /// Sets the longest `jti` of a proof in bytes, at least 16. Defaults to 256.
    pub fn max_jti_len(mut self, bytes: usize) -> Self {
        self.proof.max_jti_len = bytes;
        self
    }

    /// Sets the largest RSA modulus of proof keys in bits, 2048 to 8192. Defaults to 4096.
    pub fn max_proof_rsa_bits(mut self, bits: u32) -> Self {
        self.proof.rsa = RsaLimits::up_to(bits);
        self
    }

    /// Sets the largest RSA modulus in JWK sets in bits, 2048 to 8192. Defaults to 4096.
    pub fn max_jwks_rsa_bits(mut self, bits: u32) -> Self {
        self.token.rsa = RsaLimits::up_to(bits);
        self
    }

    /// Sets the library that verifies signatures. Defaults to `aws-lc-rs` when it is compiled in.
    pub fn crypto_backend(mut self, backend: CryptoBackend) -> Self {
        self.proof.backend = backend;
        self.token.backend = backend;
        self
    }

    /// Sets the one origin, such as `https://api.example`, under which clients know this resource. Defaults to the origin
    /// of the audience when that is a URL.
    pub fn public_origin(mut self, origin: impl Into<String>) -> Self {
        self.public_origin = Some(origin.into());
        self
    }

    /// Lets `Host` (`:authority`) choose among these origins. Every other host is refused with 400.
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allowed_origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// Follows `X-Forwarded-Host` and `X-Forwarded-Proto` of peers in these networks when they choose among
    /// [`allowed_origins`](Self::allowed_origins). The proxy must set or remove both on every request. Everybody else's
    /// are ignored. Needs [`PeerAddress`](crate::PeerAddress), or `ConnectInfo` with feature `axum`.
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.proxies = networks.into_iter().collect();
        self
    }

    /// Puts a path that a proxy strips, such as `/api`, back in front of every path.
    pub fn path_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.path_prefix = prefix.into();
        self
    }

    /// Sets the RFC 9728 resource identifier. Defaults to the audience when it lies under the public origin, else to the
    /// public origin.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.metadata.resource = Some(resource.into());
        self
    }

    /// Publishes a name of the resource for people.
    pub fn resource_name(mut self, name: impl Into<String>) -> Self {
        self.metadata.name = Some(name.into());
        self
    }

    /// Publishes the scopes that the resource knows.
    pub fn scopes_supported(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.metadata.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether proofs need a nonce. Defaults to [`NoncePolicy::Off`].
    pub fn nonce(mut self, policy: NoncePolicy) -> Self {
        self.nonce_policy = policy;
        self
    }

    /// Sets the keys that nonces are made (the first) and checked with (all), for replicas that share them. Defaults to
    /// one random key for this process.
    pub fn nonce_keys(mut self, keys: impl IntoIterator<Item = [u8; 32]>) -> Self {
        self.nonce_keys = Some(keys.into_iter().collect());
        self
    }

    /// Sets where used proofs are remembered. Defaults to a [`MemoryReplayStore`], which serves one process.
    pub fn replay_store(mut self, store: impl ReplayStore) -> Self {
        self.replay = Some(Arc::new(store));
        self.without_replay_store = false;
        self
    }

    /// Sets the capacity of the default in-memory store, at least 1,000. Defaults to 4,000,000 entries.
    pub fn replay_capacity(mut self, entries: usize) -> Self {
        self.replay_capacity = entries;
        self
    }

    /// Refuses proofs dated before this configuration was built, or up to the clock skew after it, so that none can be
    /// replayed across a restart that emptied an in-memory store. For the length of the clock skew after the start all
    /// requests are refused, and clients with a slow clock for as long as it is slow. Not with [`IatPolicy::NonceOnly`].
    /// Off by default.
    pub fn refuse_proofs_from_before_start(mut self) -> Self {
        self.refuse_before_start = true;
        self
    }

    /// Sets how many verified tokens are remembered; 0 turns that off. A token with more than 2 KiB of claims counts as
    /// several. Defaults to 10,000.
    pub fn token_cache_capacity(mut self, tokens: u64) -> Self {
        self.token_cache = tokens;
        self
    }

    /// Replaces the clock: for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Replaces the HTTP client that fetches metadata and keys.
    pub fn http_fetch(mut self, fetch: impl HttpFetch) -> Self {
        self.fetch = Some(Arc::new(fetch));
        self
    }

    /// Lets one scope imply others wherever scopes are required. Not transitive.
    pub fn scope_implies(
        mut self,
        scope: impl Into<String>,
        implied: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.scope_implications.push((scope.into(), implied.into_iter().map(Into::into).collect()));
        self
    }

    /// Refuses requests with an `access_token` in the query with 400 instead of ignoring it. Off by default.
    pub fn refuse_token_in_query(mut self) -> Self {
        self.refuse_token_in_query = true;
        self
    }

    /// Refuses requests that a proxy marks `Early-Data: 1` with 425 (RFC 8470 §5.2). Off by default.
    pub fn refuse_early_data(mut self) -> Self {
        self.refuse_early_data = true;
        self
    }

    /// Lets CORS preflights (OPTIONS with `Origin` and `Access-Control-Request-Method`) through without credentials, for
    /// when the CORS layer is inside. Off by default: put the CORS layer outside.
    pub fn pass_cors_preflight(mut self) -> Self {
        self.pass_preflight = true;
        self
    }

    /// The choices that give up protection.
    pub fn dangerous(self) -> Dangerous {
        Dangerous(self)
    }

    /// Checks everything and makes the shared state. Does no I/O: keys are fetched when the first request needs them.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the value at fault.
    pub fn build(self) -> Result<PopConfig, ConfigError> {
        check_mode(self.preset, self.mode)?;
        check_json()?;
        self.check_numbers()?;
        self.check_algorithms()?;
        self.check_scopes()?;
        let audiences = self.audiences()?;
        let origins = self.origins()?;
        let metadata =
            Metadata::new(&self.metadata, &origins, &audiences, &self.issuer_names(), &self.proof, self.mode)?;
        let realm = audiences.first().cloned().unwrap_or_default();
        let challenges = Challenges::new(self.proof.algorithms, Some(metadata.url()), &realm)
            .map_err(|_| ConfigError::NotQuotable(realm.to_string()))?;
        let nonces = self.nonces(&realm)?;
        let replay = self.replay_store_or_default()?;
        let issuers = self.issuers_with_keys()?;
        let mode = self.mode;
        let state = State {
            issuers,
            audiences,
            preset: self.preset,
            proof: self.proof,
            token: self.token,
            origins,
            nonce_policy: self.nonce_policy,
            nonces,
            replay,
            tokens: TokenCache::new(self.token_cache),
            not_before: self.refuse_before_start.then(|| self.clock.now()),
            clock: self.clock,
            challenges,
            metadata,
            scope_implications: self
                .scope_implications
                .into_iter()
                .map(|(scope, implied)| (scope.into(), implied.into_iter().map(Into::into).collect()))
                .collect(),
            refuse_token_in_query: self.refuse_token_in_query,
            refuse_early_data: self.refuse_early_data,
            pass_preflight: self.pass_preflight,
        };
        Ok(PopConfig { state: Arc::new(state), mode })
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        let seconds = Duration::as_secs;
        let skew_max = if self.preset == Preset::Fapi2 { 60 } else { seconds(&MAX_WINDOW) };
        for (name, value, min, max) in [
            ("proof_max_age", seconds(&self.proof.max_age), 1, seconds(&MAX_WINDOW)),
            ("clock_skew", seconds(&self.proof.clock_skew), 0, skew_max),
            ("token_leeway", seconds(&self.token.leeway), 0, seconds(&MAX_LEEWAY)),
            ("max_proof_len", self.proof.max_len as u64, 512, 1 << 20),
            ("max_token_len", self.token.max_len as u64, 512, 1 << 20),
            ("max_jti_len", self.proof.max_jti_len as u64, 16, 1 << 16),
            ("replay_capacity", self.replay_capacity as u64, 1000, u64::from(u32::MAX)),
        ] {
            if !(min..=max).contains(&value) {
                return Err(ConfigError::OutOfBounds { name, value, min, max });
            }
        }
        if self.without_replay_store {
            let value = seconds(&self.proof.max_age) + seconds(&self.proof.clock_skew);
            let (name, max) = ("proof_max_age + clock_skew without a replay store", seconds(&MAX_WINDOW));
            if value > max {
                return Err(ConfigError::OutOfBounds { name, value, min: 1, max });
            }
        }
        if self.proof.iat == IatPolicy::NonceOnly {
            if !matches!(self.nonce_policy, NoncePolicy::Required) {
                return Err(ConfigError::NonceOnlyWithoutNonce);
            }
            if self.refuse_before_start {
                return Err(ConfigError::StartWithoutIat);
            }
        }
        Ok(())
    }

    fn check_algorithms(&self) -> Result<(), ConfigError> {
        for (what, algorithms) in [("proof", self.proof.algorithms), ("token", self.token.algorithms)] {
            if algorithms.is_empty() {
                return Err(ConfigError::NoAlgorithm(what));
            }
            if self.preset == Preset::Fapi2 && !algorithms.is_subset_of(AlgorithmSet::FAPI) {
                let forbidden: AlgorithmSet =
                    algorithms.iter().filter(|alg| !AlgorithmSet::FAPI.contains(*alg)).collect();
                return Err(ConfigError::AlgorithmForbidden {
                    preset: self.preset,
                    what,
                    algorithms: forbidden.names(),
                });
            }
        }
        Ok(())
    }

    fn check_scopes(&self) -> Result<(), ConfigError> {
        let implied =
            self.scope_implications.iter().flat_map(|(wider, narrower)| std::iter::once(wider).chain(narrower));
        match self.metadata.scopes.iter().chain(implied).find(|scope| !is_scope_token(scope)) {
            Some(scope) => Err(ConfigError::Scope(scope.clone())),
            None => Ok(()),
        }
    }

    fn audiences(&self) -> Result<Vec<Box<str>>, ConfigError> {
        if self.audiences.iter().any(String::is_empty) {
            return Err(ConfigError::Audience);
        }
        Ok(self.audiences.iter().map(|audience| audience.as_str().into()).collect())
    }

    fn origins(&self) -> Result<OriginPolicy, ConfigError> {
        let by_host = !self.allowed_origins.is_empty();
        if !self.proxies.is_empty() && !by_host {
            return Err(ConfigError::ProxiesWithoutOrigins);
        }
        let prefix = &self.path_prefix;
        let is_path = prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.contains(['?', '#']);
        if !prefix.is_empty() && !is_path {
            return Err(ConfigError::PathPrefix(prefix.clone()));
        }
        let mut allowed = Vec::new();
        if let Some(origin) = &self.public_origin {
            allowed.push(self.origin(origin, Origin::parse(origin).ok())?);
        } else if !by_host {
            let audience = self.audiences.first().map(String::as_str).unwrap_or_default();
            let origin = Origin::of(audience).map_err(|_| ConfigError::NoPublicOrigin(audience.to_owned()))?;
            allowed.push(self.origin(audience, Some(origin))?);
        }
        for origin in &self.allowed_origins {
            let origin = self.origin(origin, Origin::parse(origin).ok())?;
            if !allowed.contains(&origin) {
                allowed.push(origin);
            }
        }
        Ok(OriginPolicy { allowed, by_host, proxies: self.proxies.clone(), path_prefix: prefix.clone() })
    }

    fn origin(&self, text: &str, origin: Option<Origin>) -> Result<Origin, ConfigError> {
        let origin = origin.ok_or_else(|| ConfigError::PublicOrigin(text.to_owned()))?;
        if !origin.is_https() {
            if !origin.is_loopback() && !self.allow_http {
                return Err(ConfigError::PublicOrigin(text.to_owned()));
            }
            tracing::warn!(%origin, "proofs are accepted for a plain http origin: for development only");
        }
        Ok(origin)
    }

    fn issuer_names(&self) -> Vec<&str> {
        self.issuers.iter().map(|issuer| issuer.issuer.as_str()).collect()
    }

    fn nonces(&self, audience: &str) -> Result<Nonces, ConfigError> {
        let keys = match &self.nonce_keys {
            Some(_) if matches!(self.nonce_policy, NoncePolicy::Off) => {
                return Err(ConfigError::NonceKeys("nonces are off"));
            }
            Some(keys) => keys.clone(),
            None => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).map_err(|_| ConfigError::NoRandomness)?;
                vec![key]
            }
        };
        NonceKeys::new(keys, audience).map(Nonces::new).ok_or(ConfigError::NonceKeys("there is none"))
    }

    fn replay_store_or_default(&self) -> Result<Option<Arc<dyn ReplayStore>>, ConfigError> {
        if self.without_replay_store {
            tracing::warn!("running without a replay store: a captured proof can be used again while it is fresh");
            return Ok(None);
        }
        let store = self.replay.clone().unwrap_or_else(|| {
            let lifetime = Duration::from_secs(self.proof.lifetime());
            let store = MemoryReplayStore::with_capacity(self.replay_capacity).lifetime(lifetime);
            Arc::new(store.clock(Arc::clone(&self.clock)))
        });
        Ok(Some(store))
    }

    fn issuers_with_keys(&self) -> Result<Vec<Issuer>, ConfigError> {
        let mut issuers: Vec<Issuer> = Vec::new();
        let mut fetch = self.fetch.clone();
        for config in &self.issuers {
            let name = config.issuer.clone();
            if issuers.iter().any(|other| *other.name == *name) {
                return Err(ConfigError::DuplicateIssuer(name));
            }
            self.check_issuer(&name)?;
            let keys = match &config.keys {
                KeySource::Static(jwks) => self.static_keys(config, jwks)?,
                KeySource::Remote(location) => {
                    let fetch = match &fetch {
                        Some(fetch) => Arc::clone(fetch),
                        None => Arc::clone(fetch.insert(default_fetch()?)),
                    };
                    self.remote_keys(config, location, fetch)?
                }
            };
            issuers.push(Issuer { name: name.into(), keys, allow: config.allow });
        }
        Ok(issuers)
    }

    fn check_issuer(&self, issuer: &str) -> Result<(), ConfigError> {
        let refused = || ConfigError::Issuer(issuer.to_owned());
        let origin = Origin::of(issuer).map_err(|_| refused())?;
        if issuer.contains(['?', '#']) || !(origin.is_https() || origin.is_loopback() || self.allow_http) {
            return Err(refused());
        }
        if !origin.is_https() {
            tracing::warn!(%issuer, "the issuer is reached over plain http: for development only");
        }
        Ok(())
    }

    fn static_keys(&self, config: &IssuerConfig, jwks: &[u8]) -> Result<IssuerKeys, ConfigError> {
        let TokenPolicy { algorithms, rsa, backend, .. } = self.token;
        JwkSet::parse(jwks, algorithms, rsa, backend)
            .map(|(keys, _)| IssuerKeys::fixed(keys))
            .map_err(|error| ConfigError::StaticJwks { issuer: config.issuer.clone(), error })
    }

    fn remote_keys(
        &self,
        config: &IssuerConfig,
        location: &KeyLocation,
        fetch: Arc<dyn HttpFetch>,
    ) -> Result<IssuerKeys, ConfigError> {
        if let KeyLocation::Uri(uri) = location
            && !crate::keys::is_acceptable(uri, self.allow_http)
        {
            return Err(ConfigError::JwksUri { issuer: config.issuer.clone(), uri: uri.clone() });
        }
        let policy = KeyPolicy {
            algorithms: self.token.algorithms,
            rsa: self.token.rsa,
            backend: self.token.backend,
            caching: config.caching,
            allow_http: self.allow_http,
        };
        let clock = Arc::clone(&self.clock);
        let keys = RemoteKeys::new(&config.issuer, location.clone(), policy, fetch, clock);
        Ok(IssuerKeys::Remote(Arc::new(keys)))
    }
}

/// Numbers must come out of the JSON library as numbers: its feature `arbitrary_precision`, turned on by any crate of the
/// program, would make every date unreadable and every request a 401.
fn check_json() -> Result<(), ConfigError> {
    let object = Object::parse(br#"{"n":1}"#, JsonLimits::PROOF);
    let number = object.as_ref().ok().and_then(|object| object.get("n")?.as_numeric_date());
    if number == Some(1) { Ok(()) } else { Err(ConfigError::JsonNumbers) }
}

#[cfg(feature = "http-client")]
fn default_fetch() -> Result<Arc<dyn HttpFetch>, ConfigError> {
    let fetch = crate::keys::HyperFetch::new().map_err(|error| ConfigError::NoHttpClient(error.to_string()))?;
    Ok(Arc::new(fetch))
}

#[cfg(not(feature = "http-client"))]
fn default_fetch() -> Result<Arc<dyn HttpFetch>, ConfigError> {
    Err(ConfigError::NoHttpClient("feature http-client is off, and there is no .http_fetch(..)".to_owned()))
}

/// Choices that give up protection. Each is logged when the configuration is built.
#[must_use = "choices are made by its methods"]
pub struct Dangerous(PopConfigBuilder);

impl Dangerous {
    /// Accepts plain http for issuers, keys and public origins beyond loopback. Tokens, proofs and keys can then be read
    /// and changed on the way; RFC 9449 §2 forbids it.
    pub fn allow_http(mut self) -> PopConfigBuilder {
        self.0.allow_http = true;
        self.0
    }

    /// Remembers no proofs. Whoever captures a request can repeat it while its proof is fresh: `proof_max_age` and
    /// `clock_skew` together, which may then be 300 s at the most.
    pub fn without_replay_store(mut self) -> PopConfigBuilder {
        self.0.without_replay_store = true;
        self.0.replay = None;
        self.0
    }
}

impl std::fmt::Debug for PopConfigBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PopConfigBuilder").field("audiences", &self.audiences).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Dangerous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dangerous(..)")
    }
}
