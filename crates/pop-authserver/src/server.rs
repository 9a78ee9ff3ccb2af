//! The server's state and configuration.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pop_client::{Algorithm, DpopKey};
use pop_core::access_token::UnverifiedToken;
use pop_core::jose::{DecodedJws, JwkSet};
use pop_core::nonce::NonceKeys;
use pop_core::policy::{DpopPolicy, TokenPolicy};
use pop_core::target::Origin;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tower_pop::clock::{Clock, SystemClock};
use tower_pop::replay::MemoryReplayStore;

use crate::client::Client;
use crate::connections::{Listeners, TlsEndpoint};
use crate::error::StartError;
use crate::grant::{Code, Grant, OnceOnly, Pushed, Refresh};
use crate::keys::SigningKeys;
use crate::mint::{ProofMint, TokenMint};
use crate::tokens::Tokens;

/// A development authorization server. Cheap to clone.
#[derive(Clone)]
pub struct AuthServer {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) issuer: String,
    pub(crate) origin: Origin,
    pub(crate) clients: Vec<Client>,
    pub(crate) audiences: Vec<String>,
    pub(crate) user: String,
    pub(crate) lifetime: Duration,
    pub(crate) nonce_required: bool,
    pub(crate) policy: DpopPolicy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) nonces: NonceKeys,
    pub(crate) replay: MemoryReplayStore,
    pub(crate) jwks_requests: AtomicUsize,
    pub(crate) outage: AtomicBool,
    keys: Mutex<SigningKeys>,
    pushed: Mutex<OnceOnly<Pushed>>,
    codes: Mutex<OnceOnly<Code>>,
    refresh: Mutex<OnceOnly<Refresh>>,
    tokens: Mutex<Tokens>,
    pub(crate) introspections: AtomicUsize,
    tls: Option<TlsEndpoint>,
}

/// Configures an [`AuthServer`].
#[derive(Clone)]
#[must_use = "a builder does nothing until build()"]
pub struct AuthServerBuilder {
    clients: Vec<Client>,
    audiences: Vec<String>,
    user: String,
    lifetime: Duration,
    nonce_required: bool,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
    mutual_tls: bool,
}

impl Default for AuthServerBuilder {
    fn default() -> Self {
        Self {
            clients: Vec::new(),
            audiences: Vec::new(),
            user: "alice".to_owned(),
            lifetime: Duration::from_secs(300),
            nonce_required: false,
            algorithm: Algorithm::ES256,
            clock: Arc::new(SystemClock::default()),
            mutual_tls: false,
        }
    }
}

impl AuthServerBuilder {
    /// Registers a client.
    pub fn client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// Adds a resource that tokens can be requested for (RFC 8707). The first one is the default.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets the user who approves everything. Defaults to `alice`.
    pub fn user(mut self, subject: impl Into<String>) -> Self {
        self.user = subject.into();
        self
    }

    /// Sets how long tokens live. Defaults to 300 s.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Demands a nonce in proofs at the token endpoint. Off by default.
    pub fn require_nonce(mut self) -> Self {
        self.nonce_required = true;
        self
    }

    /// Sets the algorithm of tokens. Defaults to ES256.
    pub fn signing_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Replaces the clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Listens for TLS as well, on a free port of the same address, and asks for client certificates there:
    /// `mtls_endpoint_aliases` of the metadata say where (RFC 8705 §5). Its own certificate is
    /// [`AuthServer::tls_certificate_pem`].
    pub fn mutual_tls(mut self) -> Self {
        self.mutual_tls = true;
        self
    }

    /// Makes the server for this issuer, without a socket.
    ///
    /// # Errors
    /// [`StartError::Issuer`] or [`StartError::Key`].
    pub fn build(self, issuer: impl Into<String>) -> Result<AuthServer, StartError> {
        self.build_with(issuer.into(), None)
    }

    fn build_with(self, issuer: String, tls: Option<TlsEndpoint>) -> Result<AuthServer, StartError> {
        let origin = Origin::of(&issuer).map_err(|_| StartError::Issuer(issuer.clone()))?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| pop_client::KeyError)?;
        let nonces = NonceKeys::new([secret], &format!("{issuer}/token")).ok_or(pop_client::KeyError)?;
        Ok(AuthServer {
            inner: Arc::new(Inner {
                origin,
                clients: self.clients,
                audiences: self.audiences,
                user: self.user,
                lifetime: self.lifetime,
                nonce_required: self.nonce_required,
                policy: DpopPolicy::default(),
                replay: MemoryReplayStore::with_capacity(100_000).clock(Arc::clone(&self.clock)),
                clock: self.clock,
                nonces,
                jwks_requests: AtomicUsize::new(0),
                outage: AtomicBool::new(false),
                keys: Mutex::new(SigningKeys::generate(self.algorithm)?),
                pushed: Mutex::default(),
                codes: Mutex::default(),
                refresh: Mutex::default(),
                tokens: Mutex::default(),
                introspections: AtomicUsize::new(0),
                tls,
                issuer,
            }),
        })
    }

    /// Listens on a loopback address. The issuer is `http://` and that address unless given.
    ///
    /// # Errors
    /// [`StartError`]; addresses beyond loopback are refused.
    pub async fn listen(
        self,
        address: SocketAddr,
        issuer: Option<String>,
    ) -> Result<(AuthServer, Listeners), StartError> {
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        let listener = TcpListener::bind(address).await?;
        let issuer = issuer.unwrap_or(format!("http://{}", listener.local_addr()?));
        let mut listeners = Listeners::from(listener);
        let mut endpoint = None;
        if self.mutual_tls {
            let (tls, made) = TlsEndpoint::listen(SocketAddr::new(address.ip(), 0)).await?;
            listeners = listeners.and_tls(tls);
            endpoint = Some(made);
        }
        Ok((self.build_with(issuer, endpoint)?, listeners))
    }
}

impl fmt::Debug for AuthServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthServerBuilder").field("clients", &self.clients).finish_non_exhaustive()
    }
}

impl AuthServer {
    /// Starts a configuration.
    pub fn builder() -> AuthServerBuilder {
        AuthServerBuilder::default()
    }

    /// The issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.inner.issuer
    }

    /// The path of the issuer, without a slash at its end: the endpoints lie below it.
    pub(crate) fn issuer_path(&self) -> &str {
        let base = self.issuer().trim_end_matches('/');
        let authority_at = base.find("://").map_or(0, |at| at + 3);
        let authority = base.get(authority_at..).unwrap_or_default();
        authority.find('/').and_then(|at| authority.get(at..)).unwrap_or_default()
    }

    /// The published key set as JSON.
    #[must_use]
    pub fn jwks_json(&self) -> String {
        self.keys().jwks().to_string()
    }

    /// A token of this server in the making: any token, whoever may have it. It is for the server's first audience, and
    /// made at the time of the server's clock.
    pub fn token(&self) -> TokenMint {
        let (kid, key) = self.keys().current();
        let token = TokenMint::new(self.issuer(), &key, &kid, self.now());
        match self.inner.audiences.first() {
            Some(audience) => token.audience(audience),
            None => token,
        }
    }

    /// A proof by this key in the making, as by [`proof`](crate::proof()), made at the time of the server's clock.
    pub fn proof(&self, key: &DpopKey) -> ProofMint {
        ProofMint::new(key, self.now())
    }

    /// The clock of the server, for a resource that is to have the same one.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.inner.clock)
    }

    /// Signs with a new key from now on. Old ones stay published.
    ///
    /// # Errors
    /// When no key could be generated.
    pub fn rotate_keys(&self) -> Result<(), pop_client::KeyError> {
        self.keys().rotate()
    }

    /// Publishes only the newest key from now on.
    pub fn drop_old_keys(&self) {
        self.keys().drop_old();
    }

    /// Answers every request with 503 while true.
    pub fn set_outage(&self, outage: bool) {
        self.inner.outage.store(outage, Ordering::Relaxed);
    }

    /// Where the TLS listener is reached, and what identifies it: for clients that show certificates.
    pub(crate) fn tls(&self) -> Option<&TlsEndpoint> {
        self.inner.tls.as_ref()
    }

    /// The certificate of the TLS listener as PEM, for clients to trust.
    #[must_use]
    pub fn tls_certificate_pem(&self) -> Option<&str> {
        self.tls().map(TlsEndpoint::certificate_pem)
    }

    /// The introspection endpoint.
    #[must_use]
    pub fn introspection_endpoint(&self) -> String {
        format!("{}/introspect", self.issuer().trim_end_matches('/'))
    }

    /// How often an authenticated caller asked about a token.
    #[must_use]
    pub fn introspections(&self) -> usize {
        self.inner.introspections.load(Ordering::Relaxed)
    }

    /// Revokes an access token: introspection then calls it inactive. JWTs that are verified locally live on until they
    /// expire.
    pub fn revoke(&self, token: &str) {
        let jti = self.verified_claims(token).and_then(|claims| Some(claims.get("jti")?.as_str()?.to_owned()));
        self.tokens().revoke(token, jti.as_deref());
    }

    /// An opaque token for the claims of this one.
    #[must_use]
    pub fn store(&self, token: TokenMint) -> String {
        self.tokens().put(token.into_claims(), self.now())
    }

    /// How often the key set was fetched.
    #[must_use]
    pub fn jwks_requests(&self) -> usize {
        self.inner.jwks_requests.load(Ordering::Relaxed)
    }

    /// Serves requests until the future is dropped, which also ends all connections.
    ///
    /// # Errors
    /// [`StartError::NotLoopback`] for a listener on another address, before anything is served.
    pub async fn serve(&self, listeners: impl Into<Listeners>) -> Result<(), StartError> {
        let listeners = listeners.into();
        listeners.check_loopback()?;
        tracing::warn!(issuer = %self.issuer(), "development authorization server: approves everybody, not for production");
        listeners.serve(self.router()).await;
        Ok(())
    }

    pub(crate) fn now(&self) -> u64 {
        self.inner.clock.now()
    }

    pub(crate) fn keys(&self) -> MutexGuard<'_, SigningKeys> {
        self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pushed(&self) -> MutexGuard<'_, OnceOnly<Pushed>> {
        self.inner.pushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn codes(&self) -> MutexGuard<'_, OnceOnly<Code>> {
        self.inner.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn refresh_tokens(&self) -> MutexGuard<'_, OnceOnly<Refresh>> {
        self.inner.refresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.inner.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Revokes a token on behalf of a client, if it is the client's.
    pub(crate) fn revoke_for(&self, client_id: &str, token: &str) {
        let is_own = |claims: &Map<String, Value>| claims.get("client_id").and_then(Value::as_str) == Some(client_id);
        let claims = self.tokens().get(token).cloned().or_else(|| self.verified_claims(token));
        if claims.as_ref().is_some_and(is_own) {
            self.revoke(token);
        }
        let mut refresh = self.refresh_tokens();
        if refresh.peek(token, self.now()).is_some_and(|refresh| refresh.grant.client_id == client_id) {
            drop(refresh.take(token, self.now()));
        }
    }

    /// The claims of a JWT that this server signed, whatever they say.
    pub(crate) fn verified_claims(&self, token: &str) -> Option<Map<String, Value>> {
        let mut policy = TokenPolicy::default();
        policy.algorithms = Algorithm::ALL.into_iter().collect();
        let jwks = self.jwks_json();
        let (keys, _) = JwkSet::parse(jwks.as_bytes(), policy.algorithms, policy.rsa, policy.backend).ok()?;
        let jws = DecodedJws::parse(token, policy.max_len).ok()?;
        UnverifiedToken::parse(&jws, &policy).ok()?.verify_signature(&keys).ok()?;
        serde_json::from_slice(jws.payload()).ok()
    }

    /// The RFC 9068 token for a grant.
    pub(crate) fn issue(&self, grant: &Grant) -> TokenMint {
        let lifetime = i64::try_from(self.inner.lifetime.as_secs()).unwrap_or(300);
        let token = self
            .token()
            .subject(&grant.subject)
            .client_id(&grant.client_id)
            .audience(&grant.audience)
            .expires_in(lifetime);
        let token = if grant.scope.is_empty() { token } else { token.scope(&grant.scope) };
        let token = match grant.auth_time {
            Some(auth_time) => token.claim("auth_time", auth_time),
            None => token,
        };
        match &grant.acr {
            Some(acr) => token.claim("acr", acr.as_str()),
            None => token,
        }
    }
}

impl fmt::Debug for AuthServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthServer").field("issuer", &self.inner.issuer).finish_non_exhaustive()
    }
}
