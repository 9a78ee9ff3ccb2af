//! The settings of token introspection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::authentication::Authentication;
use crate::keys::HttpFetch;

/// Introspection of the tokens of an issuer (RFC 7662): the endpoint, how this resource server authenticates there, and how long
/// responses are cached.
///
/// The token is sent to this endpoint only, without the proof. If the endpoint does not respond, or its response is unusable,
/// the request is rejected with 503, never admitted and never rejected with 401.
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
    pub(crate) symmetric_keys: bool,
    pub(crate) cache_for: Duration,
    pub(crate) cache_inactive_for: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_concurrent: usize,
    pub(crate) max_len: usize,
    pub(crate) fetch: Option<Arc<dyn HttpFetch>>,
}

impl Introspection {
    /// Introspects every token at this endpoint, without client authentication yet:
    /// [`PopConfigBuilder::build`](crate::PopConfigBuilder::build) requires one of the methods below. See also
    /// [`jwt_first`](Self::jwt_first).
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            authentication: Authentication::None,
            jwt_first: false,
            signed: false,
            allow_missing_aud: false,
            symmetric_keys: false,
            cache_for: Duration::from_secs(10),
            cache_inactive_for: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            max_concurrent: 64,
            max_len: 64 * 1024,
            fetch: None,
        }
    }

    /// Authenticates with a client secret, by HTTP Basic (RFC 6749 §2.3.1).
    pub fn client_secret_basic(mut self, client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.authentication = Authentication::SecretBasic { id: client_id.into(), secret: secret.into() };
        self
    }

    /// Authenticates with JWTs that this key signs (RFC 7523). Their only audience is the issuer.
    #[cfg(feature = "http-client")]
    pub fn private_key_jwt(mut self, client_id: impl Into<String>, key: pop_core::jose::SigningKey) -> Self {
        self.authentication = Authentication::PrivateKeyJwt { id: client_id.into(), key };
        self
    }

    /// Authenticates with a client certificate (RFC 8705 §2). The HTTP client of [`http_fetch`](Self::http_fetch) must have the
    /// certificate: for example [`HyperFetch::with_tls`](crate::keys::HyperFetch::with_tls).
    pub fn mutual_tls(mut self, client_id: impl Into<String>) -> Self {
        self.authentication = Authentication::MutualTls { id: client_id.into() };
        self
    }

    /// Verifies a compact JWS locally, as without introspection, and introspects all other tokens. A JWS that is not valid is
    /// rejected without introspection. Off by default: every token is introspected.
    pub fn jwt_first(mut self) -> Self {
        self.jwt_first = true;
        self
    }

    /// Requires responses that the issuer signed for this resource server (RFC 9701): for its client identifier or for an
    /// audience of this resource. Plain JSON is then rejected. Off by default.
    pub fn require_signed(mut self) -> Self {
        self.signed = true;
        self
    }

    /// Accepts responses without `aud`. Off by default.
    ///
    /// # Security
    /// The authorization server must then report a token as active only to the resource that the token is for. Otherwise a token
    /// for another resource is accepted here.
    pub fn allow_missing_aud(mut self) -> Self {
        self.allow_missing_aud = true;
        self
    }

    /// Accepts responses with an unencrypted symmetric key in `cnf.jwk` (RFC 7800 §3.2), for
    /// [`ProofKind::Hmac`](crate::ProofKind::Hmac) and signed HTTP requests with HS256. The endpoint must be an https URL, also on
    /// loopback. Off by default: such a response is rejected.
    ///
    /// # Security
    /// The key protects requests of the client for as long as the token is valid. This server can forge them (RFC 9421 §7.3.3).
    pub fn symmetric_keys(mut self) -> Self {
        self.symmetric_keys = true;
        self
    }

    /// Sets how long the response for an active token is cached, up to 300 s, and never past its `exp`. 0 introspects the token
    /// for every request. Defaults to 10 s.
    ///
    /// # Security
    /// A revoked token is accepted for up to this time.
    pub fn cache_for(mut self, time: Duration) -> Self {
        self.cache_for = time;
        self
    }

    /// Sets how long an inactive token, or an unusable response, is cached, up to 60 s. Defaults to 2 s.
    pub fn cache_inactive_for(mut self, time: Duration) -> Self {
        self.cache_inactive_for = time;
        self
    }

    /// Sets the timeout of a response, 1 ms to 60 s. A token may wait for up to the same time before its request is sent, while
    /// other requests are open. Defaults to 5 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the maximum number of concurrent requests to the endpoint, 1 to 100,000. Four times as many tokens may wait. Requests
    /// with other tokens are rejected with 503 at once. Defaults to 64.
    ///
    /// Known tokens have a second lane with the same limits and its own circuit breaker: tokens that were active within the last
    /// ten minutes, and new tokens whose key or certificate belonged to such a token. Made-up tokens cannot fill this lane, so
    /// known tokens are introspected as long as the server responds.
    ///
    /// - New tokens of known keys get at most half of the second lane.
    /// - The last 100,000 tokens, and as many keys, are remembered.
    /// - A key is no longer known if it presents a token that is not active, or for which there is no usable response. It is
    ///   known again after its next active token.
    pub fn max_concurrent(mut self, requests: usize) -> Self {
        self.max_concurrent = requests;
        self
    }

    /// Sets the maximum length of a response in bytes, 256 bytes to 1 MiB. Defaults to 64 KiB.
    pub fn max_response_len(mut self, bytes: usize) -> Self {
        self.max_len = bytes;
        self
    }

    /// Replaces the HTTP client, for this endpoint only.
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
