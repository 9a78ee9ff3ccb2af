//! The configuration of a server.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use pop_client::{Algorithm, ClientOptions, KeyError};
use pop_core::jose::AlgorithmSet;
use pop_core::nonce::NonceKeys;
use pop_core::policy::DpopPolicy;
use pop_core::target::Origin;
use tokio::net::TcpListener;
use tower_pop::clock::{Clock, SystemClock};
use tower_pop::replay::MemoryReplayStore;

use crate::client::Client;
use crate::error::StartError;
use crate::keys::SigningKeys;
use crate::listeners::Listeners;
use crate::resource_server::ResourceServer;
use crate::server::{AuthServer, Inner, State};
use crate::tls_endpoint::TlsEndpoint;

/// The maximum number of proofs and assertions that are remembered.
const REPLAY_CAPACITY: usize = 100_000;

/// Configures an [`AuthServer`].
///
/// ```
/// use std::time::Duration;
/// use pop_authserver::{Algorithm, AuthServer, Client};
///
/// let server = AuthServer::builder()
///     .client(Client::public("app").redirect_uri("http://127.0.0.1/callback"))
///     .audience("https://api.example")
///     .user("bob")
///     .token_lifetime(Duration::from_secs(60))
///     .signing_algorithm(Algorithm::Ed25519)
///     .require_nonce()
///     .build("https://as.example")?;
/// assert_eq!(server.issuer(), "https://as.example");
/// # Ok::<(), pop_authserver::StartError>(())
/// ```
#[derive(Clone)]
#[must_use = "call build() or listen()"]
pub struct AuthServerBuilder {
    clients: Vec<Client>,
    pub(crate) resources: Vec<ResourceServer>,
    pub(crate) http_options: ClientOptions,
    user: String,
    token_lifetime: Duration,
    nonce_required: bool,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
    mutual_tls: bool,
    cors_origins: Vec<String>,
}

impl Default for AuthServerBuilder {
    fn default() -> Self {
        Self {
            clients: Vec::new(),
            resources: Vec::new(),
            http_options: ClientOptions::new(),
            user: "alice".to_owned(),
            token_lifetime: Duration::from_secs(300),
            nonce_required: false,
            algorithm: Algorithm::ES256,
            clock: Arc::new(SystemClock::default()),
            mutual_tls: false,
            cors_origins: Vec::new(),
        }
    }
}

impl AuthServer {
    /// Starts a configuration with the defaults.
    pub fn builder() -> AuthServerBuilder {
        AuthServerBuilder::default()
    }
}

impl AuthServerBuilder {
    /// Registers a client. Defaults to none.
    ///
    /// ```
    /// # use pop_authserver::{AuthServer, Client};
    /// let builder = AuthServer::builder().client(Client::confidential("worker", "secret"));
    /// # drop(builder);
    /// ```
    pub fn client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// Adds a resource that tokens can be requested for (RFC 8707). The first resource is the default of requests
    /// without `resource`. Defaults to none: then no token can be requested.
    ///
    /// ```
    /// # use pop_authserver::AuthServer;
    /// let builder = AuthServer::builder().audience("https://api.example").audience("https://other.example");
    /// # drop(builder);
    /// ```
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.resource(ResourceServer::new(audience))
    }

    /// Sets the user that approves every authorization request. Defaults to `alice`.
    ///
    /// ```
    /// # use pop_authserver::AuthServer;
    /// let builder = AuthServer::builder().user("bob");
    /// # drop(builder);
    /// ```
    pub fn user(mut self, subject: impl Into<String>) -> Self {
        self.user = subject.into();
        self
    }

    /// Sets the lifetime of issued access tokens: a whole number of seconds. Defaults to 300 seconds. Tokens of
    /// [`AuthServer::token`] are not affected.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pop_authserver::AuthServer;
    /// let builder = AuthServer::builder().token_lifetime(Duration::from_secs(60));
    /// # drop(builder);
    /// ```
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// Requires a nonce in proofs at the token endpoint and in pushed authorization requests (RFC 9449 §8). Off by
    /// default.
    ///
    /// ```
    /// # use pop_authserver::AuthServer;
    /// let builder = AuthServer::builder().require_nonce();
    /// # drop(builder);
    /// ```
    pub fn require_nonce(mut self) -> Self {
        self.nonce_required = true;
        self
    }

    /// Sets the algorithm that tokens are signed with. Defaults to ES256.
    ///
    /// ```
    /// # use pop_authserver::{Algorithm, AuthServer};
    /// let builder = AuthServer::builder().signing_algorithm(Algorithm::PS256);
    /// # drop(builder);
    /// ```
    pub fn signing_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Sets the clock. Defaults to the system clock.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use pop_authserver::AuthServer;
    /// use tower_pop::clock::ManualClock;
    ///
    /// let clock = Arc::new(ManualClock::at(1_700_000_000));
    /// let server = AuthServer::builder().clock(clock.clone()).build("https://as.example")?;
    /// clock.advance(600);
    /// assert_eq!(server.clock().now(), 1_700_000_600);
    /// # Ok::<(), pop_authserver::StartError>(())
    /// ```
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Listens for TLS too, on a free port of the same address, and requests client certificates there. Off by default.
    /// `mtls_endpoint_aliases` in the metadata has the URLs (RFC 8705 §5), and [`AuthServer::tls_certificate_pem`] the
    /// certificate of the listener.
    ///
    /// ```no_run
    /// # async fn start() -> Result<(), pop_authserver::StartError> {
    /// # use pop_authserver::AuthServer;
    /// let builder = AuthServer::builder().mutual_tls();
    /// let (server, listeners) = builder.listen(([127, 0, 0, 1], 0).into(), None).await?;
    /// println!("{}", server.tls_certificate_pem().unwrap_or_default());
    /// server.serve(listeners).await
    /// # }
    /// ```
    pub fn mutual_tls(mut self) -> Self {
        self.mutual_tls = true;
        self
    }

    /// Lets web pages of this origin, such as `http://127.0.0.1:3000`, read metadata and keys, and request tokens (CORS).
    /// Repeatable. No other page can by default.
    ///
    /// ```
    /// # use pop_authserver::AuthServer;
    /// let server = AuthServer::builder().cors_origin("http://127.0.0.1:3000").build("https://as.example")?;
    /// # Ok::<(), pop_authserver::StartError>(())
    /// ```
    pub fn cors_origin(mut self, origin: impl Into<String>) -> Self {
        self.cors_origins.push(origin.into());
        self
    }

    /// Builds the server for this issuer, without a listener. [`AuthServer::serve`] takes one.
    ///
    /// # Errors
    /// [`StartError::Issuer`], [`StartError::Key`], [`StartError::DuplicateClient`], [`StartError::TokenLifetime`],
    /// [`StartError::CorsOrigin`] or [`StartError::MutualTlsWithoutListener`].
    pub fn build(self, issuer: impl Into<String>) -> Result<AuthServer, StartError> {
        if self.mutual_tls {
            return Err(StartError::MutualTlsWithoutListener);
        }
        self.build_with(issuer.into(), None)
    }

    /// Builds the server and listens on a loopback address. The issuer defaults to `http://` and that address.
    ///
    /// ```no_run
    /// # async fn start() -> Result<(), pop_authserver::StartError> {
    /// use pop_authserver::AuthServer;
    ///
    /// let (server, listeners) = AuthServer::builder().listen(([127, 0, 0, 1], 9400).into(), None).await?;
    /// assert_eq!(server.issuer(), "http://127.0.0.1:9400");
    /// server.serve(listeners).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StartError::NotLoopback`], [`StartError::Listen`], [`StartError::LocalAddress`], [`StartError::Certificate`],
    /// and as for [`build`](Self::build).
    pub async fn listen(
        self,
        address: SocketAddr,
        issuer: Option<String>,
    ) -> Result<(AuthServer, Listeners), StartError> {
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let bound_to = listener.local_addr().map_err(StartError::LocalAddress)?;
        let issuer = issuer.unwrap_or_else(|| format!("http://{bound_to}"));
        let mut listeners = Listeners::from(listener);
        let mut endpoint = None;
        if self.mutual_tls {
            let (tls, tls_endpoint) = TlsEndpoint::listen(SocketAddr::new(address.ip(), 0)).await?;
            listeners = listeners.and_tls(tls);
            endpoint = Some(tls_endpoint);
        }
        Ok((self.build_with(issuer, endpoint)?, listeners))
    }

    fn build_with(self, issuer: String, tls: Option<TlsEndpoint>) -> Result<AuthServer, StartError> {
        self.check_token_lifetime()?;
        self.check_client_ids()?;
        let origin = match Origin::of(&issuer) {
            Ok(origin) => origin,
            Err(source) => return Err(StartError::Issuer { issuer, source }),
        };
        let cors_origins = cors_origins(self.cors_origins)?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| KeyError)?;
        let mut policy = DpopPolicy::default();
        // Message signatures can have the first two, and a proof shows possession of the key.
        let more = [Algorithm::PS512, Algorithm::ES512].into_iter().chain(Algorithm::ML_DSA.iter().copied());
        policy.algorithms = more.fold(policy.algorithms, AlgorithmSet::with);
        policy.max_len = DpopPolicy::max_len_for(policy.algorithms);
        let nonces = NonceKeys::new([secret], &format!("{issuer}/token")).ok_or(KeyError)?;
        Ok(AuthServer {
            inner: Arc::new(Inner {
                origin,
                clients: self.clients,
                resources: self.resources,
                http_options: self.http_options,
                user: self.user,
                token_lifetime: self.token_lifetime,
                nonce_required: self.nonce_required,
                policy,
                replay: MemoryReplayStore::with_capacity(REPLAY_CAPACITY).clock(Arc::clone(&self.clock)),
                clock: self.clock,
                nonces,
                cors_origins,
                tls,
                state: State::new(SigningKeys::generate(self.algorithm)?),
                issuer,
            }),
        })
    }

    /// `expires_in` and `exp` are whole seconds.
    fn check_token_lifetime(&self) -> Result<(), StartError> {
        let lifetime = self.token_lifetime;
        let is_whole = lifetime.subsec_nanos() == 0 && lifetime.as_secs() <= u64::from(u32::MAX);
        if is_whole { Ok(()) } else { Err(StartError::TokenLifetime(lifetime)) }
    }

    fn check_client_ids(&self) -> Result<(), StartError> {
        let mut known = std::collections::HashSet::new();
        match self.clients.iter().find(|client| !known.insert(&client.id)) {
            Some(duplicate) => Err(StartError::DuplicateClient(duplicate.id.clone())),
            None => Ok(()),
        }
    }

    /// Adds a resource that tokens can be requested for, with the keys of its server. Replaces an earlier resource with
    /// the same identifier. The first resource is the default. [`audience`](Self::audience) adds one without keys.
    ///
    /// ```
    /// # use pop_authserver::{AuthServer, ResourceServer};
    /// let builder = AuthServer::builder().resource(ResourceServer::new("https://api.example"));
    /// # drop(builder);
    /// ```
    pub fn resource(mut self, resource: ResourceServer) -> Self {
        match self.resources.iter_mut().find(|known| known.identifier == resource.identifier) {
            Some(known) => *known = resource,
            None => self.resources.push(resource),
        }
        self
    }

    /// Sets timeouts, limits and HTTP settings of the requests for metadata and keys of resource servers. Defaults to
    /// [`ClientOptions::new`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pop_authserver::AuthServer;
    /// use pop_client::ClientOptions;
    ///
    /// let builder = AuthServer::builder().http_options(ClientOptions::new().document_timeout(Duration::from_secs(2)));
    /// # drop(builder);
    /// ```
    pub fn http_options(mut self, options: ClientOptions) -> Self {
        self.http_options = options;
        self
    }
}

/// Checks that browsers send the origins as they are written.
fn cors_origins(origins: Vec<String>) -> Result<Vec<HeaderValue>, StartError> {
    let check = |origin: String| {
        let is_sent = Origin::parse(&origin).is_ok_and(|parsed| parsed.as_str() == origin);
        let value = HeaderValue::try_from(&origin).ok().filter(|_| is_sent);
        value.ok_or(StartError::CorsOrigin(origin))
    };
    origins.into_iter().map(check).collect()
}

impl fmt::Debug for AuthServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthServerBuilder").field("clients", &self.clients).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_settings_that_would_be_ignored() {
        let build = |builder: AuthServerBuilder| builder.build("https://as.example").map(drop);
        let client = || Client::public("app");
        build(AuthServer::builder().client(client()).client(Client::public("other"))).unwrap();
        let duplicate = build(AuthServer::builder().client(client()).client(client()));
        assert!(matches!(duplicate, Err(StartError::DuplicateClient(id)) if id == "app"));
        for (lifetime, accepted) in [
            (Duration::ZERO, true),
            (Duration::from_secs(60), true),
            (Duration::from_millis(1500), false),
            (Duration::MAX, false),
        ] {
            let built = build(AuthServer::builder().token_lifetime(lifetime));
            let rejected = matches!(built, Err(StartError::TokenLifetime(_)));
            assert_eq!((built.is_ok(), rejected), (accepted, !accepted), "{lifetime:?}");
        }
        // `listen` is the twin: the tests of mutual TLS use it.
        let without_listener = build(AuthServer::builder().mutual_tls());
        assert!(matches!(without_listener, Err(StartError::MutualTlsWithoutListener)));
    }
}
