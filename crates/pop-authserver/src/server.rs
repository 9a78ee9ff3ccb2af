//! The server: its configuration and state, and what the testing kit does with them.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use pop_client::{Algorithm, ClientOptions, DpopKey, KeyError};
use pop_core::access_token::UnverifiedToken;
use pop_core::jose::{DecodedJws, JwkSet};
use pop_core::nonce::NonceKeys;
use pop_core::policy::{DpopPolicy, TokenPolicy};
use pop_core::target::Origin;
use serde_json::{Map, Value};
use tower_pop::clock::Clock;
use tower_pop::replay::MemoryReplayStore;

use crate::client::Client;
use crate::grant::{Code, PushedRequest, RefreshToken};
use crate::keys::SigningKeys;
use crate::mint::{ProofMint, TokenMint};
use crate::resource_server::ResourceServer;
use crate::single_use::SingleUse;
use crate::tls_endpoint::TlsEndpoint;
use crate::tokens::Tokens;

/// A development authorization server. Cheap to clone: clones share their state. [`AuthServer::builder`] configures it.
#[derive(Clone)]
pub struct AuthServer {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) issuer: String,
    pub(crate) origin: Origin,
    pub(crate) clients: Vec<Client>,
    pub(crate) resources: Vec<ResourceServer>,
    pub(crate) http_options: ClientOptions,
    pub(crate) user: String,
    pub(crate) token_lifetime: Duration,
    pub(crate) nonce_required: bool,
    pub(crate) policy: DpopPolicy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) nonces: NonceKeys,
    pub(crate) cors_origins: Vec<HeaderValue>,
    pub(crate) replay: MemoryReplayStore,
    pub(crate) tls: Option<TlsEndpoint>,
    pub(crate) state: State,
}

/// What changes while the server runs.
pub(crate) struct State {
    pub(crate) jwks_requests: AtomicUsize,
    pub(crate) introspections: AtomicUsize,
    pub(crate) outage: AtomicBool,
    keys: Mutex<SigningKeys>,
    pushed_requests: Mutex<SingleUse<PushedRequest>>,
    codes: Mutex<SingleUse<Code>>,
    refresh_tokens: Mutex<SingleUse<RefreshToken>>,
    tokens: Mutex<Tokens>,
}

impl State {
    pub(crate) fn new(keys: SigningKeys) -> Self {
        Self {
            jwks_requests: AtomicUsize::new(0),
            introspections: AtomicUsize::new(0),
            outage: AtomicBool::new(false),
            keys: Mutex::new(keys),
            pushed_requests: Mutex::default(),
            codes: Mutex::default(),
            refresh_tokens: Mutex::default(),
            tokens: Mutex::default(),
        }
    }
}

impl AuthServer {
    /// Returns the issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.inner.issuer
    }

    /// Returns the published key set as JSON (RFC 7517 §5).
    #[must_use]
    pub fn jwks_json(&self) -> String {
        self.keys().jwks().to_string()
    }

    /// Returns the URL of the introspection endpoint.
    #[must_use]
    pub fn introspection_endpoint(&self) -> String {
        format!("{}/introspect", self.issuer().trim_end_matches('/'))
    }

    /// Returns the certificate of the TLS listener as PEM, which clients must trust. Returns `None` without
    /// [`mutual_tls`](crate::AuthServerBuilder::mutual_tls).
    #[must_use]
    pub fn tls_certificate_pem(&self) -> Option<&str> {
        self.inner.tls.as_ref().map(TlsEndpoint::certificate_pem)
    }

    /// Returns the clock of the server, for a resource server that must have the same time.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.inner.clock)
    }

    /// Starts a token of this server, for its first audience and at the time of its clock. Clients and scopes are not
    /// checked.
    ///
    /// # Panics
    /// When the operating system gives no random bytes.
    pub fn token(&self) -> TokenMint {
        let (kid, key) = self.keys().current();
        let token = TokenMint::new(self.issuer(), &key, &kid, self.now());
        match self.inner.resources.first() {
            Some(resource) => token.audience(&resource.identifier),
            None => token,
        }
    }

    /// Starts a proof with this key, as [`proof`](crate::proof()) does, at the time of the server's clock.
    ///
    /// # Panics
    /// When the operating system gives no random bytes.
    pub fn proof(&self, key: &DpopKey) -> ProofMint {
        ProofMint::new(key, self.now())
    }

    /// Stores the claims of a token. Returns an opaque token that introspection knows them by.
    ///
    /// # Panics
    /// When the operating system gives no random bytes.
    #[must_use]
    pub fn store(&self, token: TokenMint) -> String {
        self.tokens().insert(token.into_claims(), self.now())
    }

    /// Generates a new signing key, which signs from now on. Older keys stay published.
    ///
    /// # Errors
    /// [`KeyError`] when no key can be generated.
    pub fn rotate_keys(&self) -> Result<(), KeyError> {
        self.keys().rotate()
    }

    /// Publishes only the newest key from now on.
    pub fn drop_old_keys(&self) {
        self.keys().drop_old();
    }

    /// Sets whether the server responds to every request with 503. Off by default.
    pub fn set_outage(&self, outage: bool) {
        self.inner.state.outage.store(outage, Ordering::Relaxed);
    }

    /// Returns how many introspection requests of authenticated clients the server received.
    #[must_use]
    pub fn introspections(&self) -> usize {
        self.inner.state.introspections.load(Ordering::Relaxed)
    }

    /// Returns how many requests for the key set the server received.
    #[must_use]
    pub fn jwks_requests(&self) -> usize {
        self.inner.state.jwks_requests.load(Ordering::Relaxed)
    }

    /// Returns the path of the issuer, without a trailing slash. The endpoints are below it.
    pub(crate) fn issuer_path(&self) -> &str {
        let base = self.issuer().trim_end_matches('/');
        let authority_at = base.find("://").map_or(0, |at| at + 3);
        let authority = base.get(authority_at..).unwrap_or_default();
        authority.find('/').and_then(|at| authority.get(at..)).unwrap_or_default()
    }

    pub(crate) fn now(&self) -> u64 {
        self.inner.clock.now()
    }

    pub(crate) fn keys(&self) -> MutexGuard<'_, SigningKeys> {
        lock(&self.inner.state.keys)
    }

    pub(crate) fn pushed_requests(&self) -> MutexGuard<'_, SingleUse<PushedRequest>> {
        lock(&self.inner.state.pushed_requests)
    }

    pub(crate) fn codes(&self) -> MutexGuard<'_, SingleUse<Code>> {
        lock(&self.inner.state.codes)
    }

    pub(crate) fn refresh_tokens(&self) -> MutexGuard<'_, SingleUse<RefreshToken>> {
        lock(&self.inner.state.refresh_tokens)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.inner.state.tokens)
    }

    /// Returns the claims of a JWT that this server signed, without checking them.
    pub(crate) fn verified_claims(&self, token: &str) -> Option<Map<String, Value>> {
        let mut policy = TokenPolicy::default();
        policy.algorithms = Algorithm::compiled_in().collect();
        let jwks = self.jwks_json();
        let (keys, _) = JwkSet::parse(jwks.as_bytes(), policy.algorithms, policy.rsa, policy.backend).ok()?;
        policy.max_len = TokenPolicy::max_len_for(policy.algorithms);
        let jws = DecodedJws::parse(token, policy.max_len).ok()?;
        UnverifiedToken::parse(&jws, &policy).ok()?.verify_signature(&keys).ok()?;
        serde_json::from_slice(jws.payload()).ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for AuthServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthServer").field("issuer", &self.inner.issuer).finish_non_exhaustive()
    }
}
