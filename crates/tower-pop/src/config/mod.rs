//! The configuration of one protected resource: built once, validated as a whole, shared by its clones.

mod bounds;
mod build;
mod builder;
mod error;
mod issuers;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use pop_core::CredentialError;
use pop_core::challenge::Challenges;
use pop_core::policy::{Mode, Preset, ProofPolicy, TokenPolicy};

pub use builder::{Dangerous, PopConfigBuilder};
pub use error::ConfigError;

use crate::certificates::{CertificatePolicy, Evidence};
use crate::clock::Clock;
use crate::drain::DrainPolicy;
use crate::issuer::{Issuer, IssuerConfig};
use crate::metadata::Metadata;
use crate::nonces::{NoncePolicy, Nonces};
use crate::origin::OriginPolicy;
use crate::proof_keys::ProofKeys;
use crate::replay::ReplayStore;
use crate::token_cache::TokenCache;

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
}

/// Everything that layers of one configuration share. On cache lines of its own, away from the counter of its owners,
/// which every request of every thread writes to.
#[repr(align(128))]
pub(crate) struct State {
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) preset: Preset,
    pub(crate) proof: ProofPolicy,
    pub(crate) token: TokenPolicy,
    pub(crate) origins: OriginPolicy,
    /// Where client certificates come from; without it no token that is bound to one is accepted.
    pub(crate) certificates: Option<CertificatePolicy>,
    pub(crate) nonce_policy: NoncePolicy,
    pub(crate) nonces: Nonces,
    pub(crate) replay: Option<Arc<dyn ReplayStore>>,
    pub(crate) replay_timeout: Duration,
    pub(crate) drain: DrainPolicy,
    pub(crate) tokens: TokenCache,
    pub(crate) proof_keys: ProofKeys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) challenges: Challenges,
    pub(crate) metadata: Metadata,
    pub(crate) scope_implications: Vec<(Box<str>, Vec<Box<str>>)>,
    pub(crate) not_before: Option<u64>,
    pub(crate) explain_rejections: bool,
    pub(crate) refuse_token_in_query: bool,
    pub(crate) refuse_early_data: bool,
    pub(crate) pass_preflight: bool,
}

impl PopConfig {
    /// Starts a configuration from what is always needed: the issuer of the tokens, and the identifier of this resource
    /// that must be in their `aud`. When the audience is an https URL, its origin is also the public origin that proofs
    /// must name.
    pub fn builder(issuer: impl Into<IssuerConfig>, audience: impl Into<String>) -> PopConfigBuilder {
        PopConfigBuilder::new(issuer.into(), audience.into())
    }

    /// The same resource in another mode, for a layer on other routes; all state is shared.
    ///
    /// # Errors
    /// [`ConfigError::ModeForbidden`] when the preset allows only [`Mode::Required`].
    pub fn with_mode(&self, mode: Mode) -> Result<Self, ConfigError> {
        check_mode(self.state.preset, mode)?;
        if mode.accepts_bearer() {
            self.state.metadata.bearer_is_accepted();
        }
        Ok(Self { state: Arc::clone(&self.state), mode })
    }

    /// Whether `Bearer` is a scheme here: for tokens that are bound to nothing, or to a client certificate.
    pub(crate) fn takes_bearer(&self) -> bool {
        self.mode.accepts_bearer() || self.state.certificates.is_some()
    }

    /// The mode.
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
    /// The client's certificate, where certificates are on.
    pub(crate) fn evidence(&self, parts: &Parts) -> Result<Evidence, CredentialError> {
        self.certificates.as_ref().map_or_else(|| Ok(Evidence::default()), |certificates| certificates.evidence(parts))
    }

    /// Scopes that imply this one.
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
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .field("proof", &self.proof)
            .field("origins", &self.origins)
            .field("certificates", &self.certificates)
            .field("nonce_policy", &self.nonce_policy)
            .finish_non_exhaustive()
    }
}
