//! The configuration of one protected resource: validated as a whole, shared by its clones.

mod bounds;
mod build;
mod builder;
mod http_client;
mod issuers;
mod keys;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::request::Parts;
use pop_core::CredentialError;
use pop_core::challenge::Challenges;
use pop_core::credentials::{Scheme, SchemeSet};
use pop_core::jose::KeyEncryptionKeys;
use pop_core::policy::{Mode, Preset, ProofPolicy};
use pop_core::proof::{ClientKeys, ProofReader};

pub use builder::{Dangerous, PopConfigBuilder};

use crate::certificate::{CertificatePolicy, ClientCertificate};
use crate::clock::Clock;
use crate::drain::DrainPolicy;
use crate::error::ConfigError;
use crate::issuer::IssuerConfig;
use crate::key_ring::KeyRing;
use crate::key_set::KeySetService;
use crate::metadata::{Metadata, MetadataService};
use crate::nonce_policy::{NoncePolicy, Nonces};
use crate::origin::OriginPolicy;
use crate::proof_key_cache::ProofKeys;
use crate::replay::ReplayStore;
use crate::token_source::TokenSource;

/// What a [`PopLayer`](crate::PopLayer) enforces. Clones share keys, caches, nonces and the replay store.
///
/// ```
/// use tower_pop::PopConfig;
///
/// let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct PopConfig {
    pub(crate) state: Arc<State>,
    pub(crate) mode: Mode,
    /// Whether requests under `DPoP` and `Bearer` must carry a message signature in addition.
    pub(crate) signature_required: bool,
}

/// Everything that clones of a configuration share. It has its own cache lines, apart from the reference counter, which every
/// request of every thread writes to.
#[repr(align(128))]
pub(crate) struct State {
    pub(crate) preset: Preset,
    pub(crate) proof: ProofPolicy,
    /// Issuers, audiences, and the cache of verified tokens.
    pub(crate) tokens: Arc<TokenSource>,
    pub(crate) origins: OriginPolicy,
    /// The sources of client certificates. Without them, tokens that are bound to a certificate are rejected.
    pub(crate) certificates: Option<CertificatePolicy>,
    /// The schemes of the accepted proofs, without `Bearer`.
    pub(crate) schemes: SchemeSet,
    pub(crate) key_encryption_keys: Arc<KeyRing>,
    pub(crate) client_keys: Option<Arc<dyn ClientKeys>>,
    /// The header fields that are removed unless a proof covers them.
    pub(crate) strip_uncovered: Vec<HeaderName>,
    /// The maximum length of content that is verified, in bytes.
    pub(crate) content_limit: u64,
    pub(crate) nonce_policy: NoncePolicy,
    pub(crate) nonces: Nonces,
    pub(crate) replay: Option<Arc<dyn ReplayStore>>,
    pub(crate) replay_timeout: Duration,
    pub(crate) drain: DrainPolicy,
    pub(crate) proof_keys: ProofKeys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) challenges: Challenges,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) scope_implications: Vec<(Box<str>, Vec<Box<str>>)>,
    pub(crate) not_before: Option<u64>,
    pub(crate) explain_rejections: bool,
    pub(crate) reject_token_in_query: bool,
    pub(crate) reject_early_data: bool,
    pub(crate) pass_preflight: bool,
}

impl PopConfig {
    /// Starts a configuration with the options that are always required: the issuer of the tokens, and the identifier of this
    /// resource that must be in their `aud`. If the audience is an https URL, its origin is also the public origin that proofs must
    /// name.
    pub fn builder(issuer: impl Into<IssuerConfig>, audience: impl Into<String>) -> PopConfigBuilder {
        PopConfigBuilder::new(issuer.into(), audience.into())
    }

    /// Returns the same configuration with another mode, for a layer on other routes. All state is shared.
    ///
    /// ```
    /// use tower_pop::{Mode, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
    /// let public = cfg.with_mode(Mode::Optional)?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::ModeForbidden`] if the preset allows only [`Mode::Required`].
    pub fn with_mode(&self, mode: Mode) -> Result<Self, ConfigError> {
        check_mode(self.state.preset, mode)?;
        if mode.accepts_bearer() {
            self.state.metadata.bearer_is_accepted();
        }
        Ok(Self { state: Arc::clone(&self.state), mode, signature_required: self.signature_required })
    }

    /// Returns the same configuration for a layer whose requests under `DPoP` and `Bearer` must, or need not, carry an HTTP message
    /// signature in addition (RFC 9421, tag `fapi-2-request`). All state is shared. See
    /// [`require_message_signature`](PopConfigBuilder::require_message_signature).
    ///
    /// Set it on the outermost layer that a request passes: a layer inside rejects a request that an outer layer of the same
    /// configuration has accepted without a signature.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
    /// let payments = cfg.with_message_signature(true);
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_message_signature(&self, required: bool) -> Self {
        Self { state: Arc::clone(&self.state), mode: self.mode, signature_required: required }
    }

    /// Replaces the keys that unwrap the symmetric keys of tokens, for all clones. Symmetric keys that were unwrapped with a key that
    /// is not among them work no longer.
    pub fn set_key_encryption_keys(&self, keys: KeyEncryptionKeys) {
        self.state.key_encryption_keys.replace(keys);
    }

    /// Replaces the keys of nonces, for all clones: the first creates nonces, and all of them verify. To rotate without a rejected
    /// proof, replicas get the new key last, then first, and the old one goes when its nonces have ended, after four minutes.
    ///
    /// ```
    /// use tower_pop::{NoncePolicy, PopConfig};
    ///
    /// let (old, new) = ([7; 32], [8; 32]);
    /// let builder = PopConfig::builder("https://as.example", "https://api.example");
    /// let cfg = builder.nonce(NoncePolicy::Required).nonce_keys([old]).build()?;
    /// cfg.set_nonce_keys([old, new])?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::NonceKeys`] if there is no key, or nonces are off. The earlier keys stay.
    pub fn set_nonce_keys(&self, keys: impl IntoIterator<Item = [u8; 32]>) -> Result<(), ConfigError> {
        if matches!(self.state.nonce_policy, NoncePolicy::Off) {
            return Err(ConfigError::NonceKeys("nonces are off"));
        }
        if self.state.nonces.replace(keys) { Ok(()) } else { Err(ConfigError::NonceKeys("there is none")) }
    }

    /// Returns what reads the proofs of requests.
    pub(crate) fn proof_reader(&self) -> ProofReader<'_> {
        let State { proof, proof_keys, .. } = &*self.state;
        ProofReader { policy: proof, keys: proof_keys, signature_required: self.signature_required }
    }

    /// Returns the accepted schemes. `Bearer` is one for tokens that are not bound, or bound to a client certificate.
    pub(crate) fn schemes(&self) -> SchemeSet {
        if self.mode.accepts_bearer() || self.state.certificates.is_some() {
            self.state.schemes.with(Scheme::Bearer)
        } else {
            self.state.schemes
        }
    }

    /// Returns the RFC 9728 metadata document as a service. Mount it outside of the layer, at
    /// [`path`](MetadataService::path).
    #[must_use]
    pub fn metadata_service(&self) -> MetadataService {
        MetadataService::new(Arc::clone(&self.state.metadata))
    }

    /// Returns the public key-encryption keys as a service. Mount it outside of the layer, at [`path`](KeySetService::path).
    #[must_use]
    pub fn key_set_service(&self) -> KeySetService {
        KeySetService::new(Arc::clone(&self.state.metadata), Arc::clone(&self.state.key_encryption_keys))
    }

    /// Returns the RFC 9728 metadata document as a route, with the public key-encryption keys if there are any. Merge it into the router *after* `.layer(PopLayer::new(..))`.
    #[cfg(feature = "axum")]
    pub fn metadata_route<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        let service = self.metadata_service();
        let path = service.path().to_owned();
        let router = axum::Router::new().route_service(&path, service);
        match self.state.metadata.keys_path() {
            Some(path) => router.route_service(path, self.key_set_service()),
            None => router,
        }
    }

    /// Returns the mode.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }
}

fn check_mode(preset: Preset, mode: Mode) -> Result<(), ConfigError> {
    if preset == Preset::Fapi2 && mode != Mode::Required {
        return Err(ConfigError::ModeForbidden { preset, mode });
    }
    Ok(())
}

impl State {
    /// Reads the client's certificate, if certificates are on.
    pub(crate) fn client_certificate(&self, parts: &Parts) -> Result<ClientCertificate, CredentialError> {
        self.certificates.as_ref().map_or_else(|| Ok(ClientCertificate::default()), |source| source.read(parts))
    }

    /// Returns the scopes that imply this one.
    pub(crate) fn implied_by<'s>(&'s self, scope: &'s str) -> impl Iterator<Item = &'s str> {
        self.scope_implications
            .iter()
            .filter(move |(_, narrower)| narrower.iter().any(|implied| **implied == *scope))
            .map(|(wider, _)| &**wider)
    }
}

impl fmt::Debug for PopConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PopConfig").field("mode", &self.mode).field("state", &self.state).finish()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("tokens", &self.tokens)
            .field("proof", &self.proof)
            .field("origins", &self.origins)
            .field("certificates", &self.certificates)
            .field("nonce_policy", &self.nonce_policy)
            .finish_non_exhaustive()
    }
}
