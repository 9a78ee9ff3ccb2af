//! Asking the authorization server about a token (RFC 7662), as configured for one issuer.

mod authentication;
mod breaker;
mod client;
mod lane;
mod priority;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::authentication::Authentication;
pub(crate) use self::client::{Introspector, IntrospectorParts};
use crate::keys::HttpFetch;

/// How an issuer is asked about tokens: its introspection endpoint, how this resource server authenticates there, and how
/// long answers hold.
///
/// The token goes to this endpoint and to no other; no proof goes along. An endpoint that does not answer, or not as it
/// must, means 503 for the client: never a pass, and never 401.
///
/// ```
/// use tower_pop::{Introspection, IssuerConfig, PopConfig};
///
/// let introspection = Introspection::at("https://as.example/introspect").client_secret_basic("api", "secret");
/// let issuer = IssuerConfig::new("https://as.example").introspection(introspection);
/// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
/// # Ok::<(), tower_pop::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use = "give it to IssuerConfig::introspection"]
pub struct Introspection {
    pub(crate) endpoint: String,
    pub(crate) authentication: Authentication,
    pub(crate) jwt_first: bool,
    pub(crate) signed: bool,
    pub(crate) allow_missing_aud: bool,
    pub(crate) cache_for: Duration,
    pub(crate) cache_inactive_for: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_concurrent: usize,
    pub(crate) max_len: usize,
    pub(crate) fetch: Option<Arc<dyn HttpFetch>>,
}

impl Introspection {
    /// The introspection endpoint. Every token is introspected there; see [`jwt_first`](Self::jwt_first).
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            authentication: Authentication::None,
            jwt_first: false,
            signed: false,
            allow_missing_aud: false,
            cache_for: Duration::from_secs(10),
            cache_inactive_for: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            max_concurrent: 64,
            max_len: 64 * 1024,
            fetch: None,
        }
    }

    /// Authenticates with a secret (RFC 6749 §2.3.1).
    pub fn client_secret_basic(mut self, client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.authentication = Authentication::SecretBasic { id: client_id.into(), secret: secret.into() };
        self
    }

    /// Authenticates with assertions by this key (RFC 7523), whose sole audience is the issuer.
    #[cfg(feature = "http-client")]
    pub fn private_key_jwt(mut self, client_id: impl Into<String>, key: pop_core::jose::SigningKey) -> Self {
        self.authentication = Authentication::PrivateKeyJwt { id: client_id.into(), key };
        self
    }

    /// Authenticates with a client certificate (RFC 8705 §2), which [`http_fetch`](Self::http_fetch) must bring, for
    /// example [`HyperFetch::with_tls`](crate::keys::HyperFetch::with_tls).
    pub fn mutual_tls(mut self, client_id: impl Into<String>) -> Self {
        self.authentication = Authentication::MutualTls { id: client_id.into() };
        self
    }

    /// Verifies a compact JWS locally, as without introspection, and asks about everything else. A JWS that is not valid
    /// is not asked about: it is refused. Off by default: every token is introspected.
    pub fn jwt_first(mut self) -> Self {
        self.jwt_first = true;
        self
    }

    /// Requires responses that the issuer signed for this resource server (RFC 9701): for its client identifier or for an
    /// audience of this resource. Plain JSON is then refused. Off by default.
    pub fn require_signed(mut self) -> Self {
        self.signed = true;
        self
    }

    /// Accepts answers without `aud`. The authorization server must then know by itself for whom a token is meant, or a
    /// token for another resource is accepted here. Off by default.
    pub fn allow_missing_aud(mut self) -> Self {
        self.allow_missing_aud = true;
        self
    }

    /// Sets how long an answer holds for a token that is active, up to 300 s, and never past its `exp`: a revoked token
    /// is accepted for this long. 0 asks every time. Defaults to 10 s.
    pub fn cache_for(mut self, time: Duration) -> Self {
        self.cache_for = time;
        self
    }

    /// Sets how long it is remembered that a token is not active, or that the server's answer about it cannot be used, up to
    /// 60 s. Defaults to 2 s.
    pub fn cache_inactive_for(mut self, time: Duration) -> Self {
        self.cache_inactive_for = time;
        self
    }

    /// Sets how long an answer may take, 1 ms to 60 s. While other questions are open, a token waits for its turn as long
    /// again at the most. Defaults to 5 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many requests to the endpoint may be open at a time, at least 1. Four times as many tokens may wait; requests
    /// with others are answered with 503 at once. Defaults to 64.
    ///
    /// Tokens that were active within the last ten minutes, and new tokens of keys and certificates that were, have as many
    /// requests and places again, and a circuit breaker of their own. So however many made-up tokens arrive, a token that was
    /// active a moment ago is asked about, as long as the server answers. New tokens of known keys get half of this lane at most.
    /// Remembered are the last 100,000 tokens and keys. A key that presents a token which is not active, or about which there is
    /// no usable answer, loses its place until its next active token.
    pub fn max_concurrent(mut self, requests: usize) -> Self {
        self.max_concurrent = requests;
        self
    }

    /// Sets the longest response in bytes, at least 256. Defaults to 64 KiB.
    pub fn max_response_len(mut self, bytes: usize) -> Self {
        self.max_len = bytes;
        self
    }

    /// Replaces the HTTP client, for this endpoint alone.
    pub fn http_fetch(mut self, fetch: impl HttpFetch) -> Self {
        self.fetch = Some(Arc::new(fetch));
        self
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("endpoint", &self.endpoint)
            .field("authentication", &self.authentication)
            .field("jwt_first", &self.jwt_first)
            .field("signed", &self.signed)
            .finish_non_exhaustive()
    }
}
