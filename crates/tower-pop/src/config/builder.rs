//! The knobs. What they may be together is checked in `build`.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pop_core::jose::crypto::CryptoBackend;
use pop_core::jose::{Algorithm, RsaLimits};
use pop_core::policy::{IatPolicy, Mode, Preset, ProofPolicy, ReplayQuota, TokenPolicy};

use crate::certificate::ClientCertificates;
use crate::clock::{Clock, SystemClock};
use crate::drain::{self, DrainPolicy};
use crate::issuer::IssuerConfig;
use crate::keys::HttpFetch;
use crate::metadata::MetadataDraft;
use crate::nonce_policy::NoncePolicy;
use crate::replay::ReplayStore;

/// Collects a configuration; [`build`](PopConfigBuilder::build) checks it as a whole.
#[must_use = "a builder does nothing until build()"]
pub struct PopConfigBuilder {
    pub(super) issuers: Vec<IssuerConfig>,
    pub(super) audiences: Vec<String>,
    pub(super) preset: Preset,
    pub(super) mode: Mode,
    pub(super) proof: ProofPolicy,
    pub(super) token: TokenPolicy,
    pub(super) public_origin: Option<String>,
    pub(super) allowed_origins: Vec<String>,
    pub(super) proxies: Vec<IpNet>,
    pub(super) path_prefix: String,
    pub(super) metadata: MetadataDraft,
    pub(super) nonce_policy: NoncePolicy,
    pub(super) nonce_keys: Option<Vec<[u8; 32]>>,
    pub(super) replay: Option<Arc<dyn ReplayStore>>,
    pub(super) replay_capacity: usize,
    pub(super) without_replay_store: bool,
    pub(super) replay_timeout: Duration,
    pub(super) drain: DrainPolicy,
    pub(super) token_cache: usize,
    pub(super) proof_key_cache: usize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fetch: Option<Arc<dyn HttpFetch>>,
    pub(super) scope_implications: Vec<(String, Vec<String>)>,
    pub(super) refuse_before_start: bool,
    pub(super) explain_rejections: bool,
    pub(super) refuse_token_in_query: bool,
    pub(super) refuse_early_data: bool,
    pub(super) pass_preflight: bool,
    pub(super) allow_http: bool,
    pub(super) certificates: Option<ClientCertificates>,
}

impl PopConfigBuilder {
    pub(super) fn new(issuer: IssuerConfig, audience: String) -> Self {
        let preset = Preset::default();
        Self {
            issuers: vec![issuer],
            audiences: vec![audience],
            preset,
            mode: Mode::default(),
            proof: ProofPolicy::default(),
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
            replay_timeout: Duration::from_secs(1),
            drain: DrainPolicy::DEFAULT,
            token_cache: 10_000,
            proof_key_cache: 10_000,
            clock: Arc::new(SystemClock::default()),
            fetch: None,
            scope_implications: Vec::new(),
            refuse_before_start: false,
            explain_rejections: false,
            refuse_token_in_query: false,
            refuse_early_data: false,
            pass_preflight: false,
            allow_http: false,
            certificates: None,
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
        self.proof.dpop = preset.dpop();
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
        self.proof.dpop.max_age = max_age;
        self
    }

    /// Sets how far a proof's `iat` may lie in the future, up to 300 s. Defaults to 30 s.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.proof.dpop.clock_skew = skew;
        self
    }

    /// Sets whether a nonce can stand in for `iat`. Defaults to [`IatPolicy::Always`].
    pub fn iat_policy(mut self, policy: IatPolicy) -> Self {
        self.proof.dpop.iat = policy;
        self
    }

    /// Sets the algorithms of proofs. Defaults to ES256, ES384, Ed25519 (as `Ed25519` and `EdDSA`), PS256, RS256.
    pub fn proof_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.proof.dpop.algorithms = algorithms.into_iter().collect();
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
        self.proof.dpop.max_len = bytes;
        self
    }

    /// Sets the longest access token in bytes, at least 512. Defaults to 16 KiB.
    pub fn max_token_len(mut self, bytes: usize) -> Self {
        self.token.max_len = bytes;
        self
    }

    /// Sets the most members that one JSON object in an access token's claims or in an introspection response may have,
    /// 32 to 16,384: for realms that write a member for each client into a claim. Such tokens are long as well: see
    /// [`max_token_len`](Self::max_token_len) and
    /// [`Introspection::max_response_len`](crate::Introspection::max_response_len). Defaults to 128.
    pub fn max_token_members(mut self, members: u16) -> Self {
        self.token.json.members = members;
        self
    }

    /// Sets the most JSON values that an access token's claims or an introspection response may have, 256 to 65,536, those
    /// within arrays and objects included. Defaults to 4,096.
    pub fn max_token_values(mut self, values: u32) -> Self {
        self.token.json.values = values;
        self
    }

    /// Sets how deep objects and arrays may be nested in an access token's claims or in an introspection response, 4 to
    /// 32, the outermost object included. Defaults to 8.
    pub fn max_token_depth(mut self, depth: u8) -> Self {
        self.token.json.depth = depth;
        self
    }

    /// Sets the longest `jti` of a proof in bytes, at least 16. Defaults to 256.
    pub fn max_jti_len(mut self, bytes: usize) -> Self {
        self.proof.dpop.max_jti_len = bytes;
        self
    }

    /// Sets the largest RSA modulus of proof keys in bits, 2048 to 8192. Defaults to 4096.
    pub fn max_proof_rsa_bits(mut self, bits: u32) -> Self {
        self.proof.dpop.rsa = RsaLimits::up_to(bits);
        self
    }

    /// Sets the largest RSA modulus in JWK sets in bits, 2048 to 8192. Defaults to 4096.
    pub fn max_jwks_rsa_bits(mut self, bits: u32) -> Self {
        self.token.rsa = RsaLimits::up_to(bits);
        self
    }

    /// Sets the library that verifies signatures. Defaults to `aws-lc-rs` when it is compiled in.
    pub fn crypto_backend(mut self, backend: CryptoBackend) -> Self {
        self.proof.dpop.backend = backend;
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
    /// are ignored. Needs [`PeerAddress`](crate::PeerAddress) or, with feature `axum`, `ConnectInfo`: serve with
    /// `app.into_make_service_with_connect_info::<SocketAddr>()`. A request without an address is nobody's proxy, and the
    /// log says so once.
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

    /// Sets where used proofs are remembered. Defaults to a [`MemoryReplayStore`](crate::replay::MemoryReplayStore), which serves one process.
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

    /// Sets whose share of the replay store a proof counts against: of its key, or of its client with all its keys. Defaults to
    /// [`ReplayQuota::PerKey`].
    pub fn replay_quota(mut self, quota: ReplayQuota) -> Self {
        self.proof.quota = quota;
        self
    }

    /// Sets how long a replay store that answers later may take, 1 ms to 60 s. A request whose store takes longer is
    /// rejected with 503, `replay.unavailable`; its proof may be recorded all the same. Needs a tokio runtime with timers.
    /// Defaults to 1 s.
    pub fn replay_timeout(mut self, timeout: Duration) -> Self {
        self.replay_timeout = timeout;
        self
    }

    /// Sets how many bytes of a rejected request's body are read and discarded, up to 1 GiB; 0 turns that off. Clients
    /// that write a whole body before they read would otherwise see a broken connection instead of the rejection
    /// (RFC 9112 §9.6). Nothing of the body is buffered. Over HTTP/1.1 the response to a request whose body was not read to
    /// its end says `Connection: close`. Defaults to 32 MiB.
    ///
    /// The layer reads the bodies of axum and hyper, others only after
    /// [`rejected_body_type`](Self::rejected_body_type), and only within a tokio runtime with timers.
    pub fn rejected_body_limit(mut self, bytes: u64) -> Self {
        self.drain.bytes = bytes;
        self
    }

    /// Sets for how long a rejected request's body is read, up to 60 s; 0 turns that off. The response does not wait that
    /// long: it is sent at the end of the body, and after half a second at the latest. A client that sends its body slowly
    /// keeps its connection, a small task and no memory for this long. Defaults to 10 s.
    pub fn rejected_body_timeout(mut self, timeout: Duration) -> Self {
        self.drain.time = timeout;
        self
    }

    /// Names one more type of request body that is read and discarded on rejection, such as one that a layer around this
    /// one makes.
    ///
    /// ```
    /// # type MyBody = http_body_util::Full<bytes::Bytes>;
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").rejected_body_type::<MyBody>().build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn rejected_body_type<B: http_body::Body + Send + 'static>(mut self) -> Self {
        self.drain.types.push(drain::take::<B>);
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
    /// several. A token is used from memory for up to an hour, while the issuer's key set stays the same, and never past
    /// `exp`: taking its key out of the set ends it at the next refresh. Defaults to 10,000.
    pub fn token_cache_capacity(mut self, tokens: usize) -> Self {
        self.token_cache = tokens;
        self
    }

    /// Sets how many clients' keys are remembered ready for use, about 2 KiB each; 0 turns that off. It changes nothing
    /// but the time that a request takes. Defaults to 10,000.
    pub fn proof_key_cache_capacity(mut self, keys: usize) -> Self {
        self.proof_key_cache = keys;
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

    /// Accepts tokens that are bound to a client certificate (RFC 8705), under `Bearer`, and says where certificates come
    /// from. A token that is bound to a DPoP key as well must satisfy both. Off by default: such tokens are refused.
    pub fn client_certificates(mut self, certificates: ClientCertificates) -> Self {
        self.certificates = Some(certificates);
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

    /// Puts the code of a rejection, the claim at fault, what was found and expected, and what to change into the problem
    /// document of the response, for development. It tells attackers as much as clients, so that a warning is logged. Off by
    /// default; the log has all of it at level `DEBUG` (`RUST_LOG=tower_pop=debug`).
    pub fn explain_rejections(mut self) -> Self {
        self.explain_rejections = true;
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
