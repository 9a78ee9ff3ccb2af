//! Timeouts, limits and HTTP settings of all clients of this crate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::OptionsError;

/// Longer durations have the effect of this one. It keeps `Instant` arithmetic from overflowing.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

type Configure = Arc<dyn Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync>;

/// Timeouts, limits and HTTP settings of a client. Cheap to clone.
///
/// | option | default | limits |
/// |---|---|---|
/// | [`connect_timeout`](Self::connect_timeout) | 10 s | connecting, including TLS |
/// | [`document_timeout`](Self::document_timeout) | 10 s | each metadata document, completely |
/// | [`token_timeout`](Self::token_timeout) | 30 s | each token request or pushed authorization request, completely |
/// | [`response_timeout`](Self::response_timeout) | 60 s | the response head of a resource, after the last part of the request |
/// | [`total_timeout`](Self::total_timeout) | none | the complete response of a resource |
/// | [`max_document_len`](Self::max_document_len) | 256 KiB | a metadata document |
/// | [`max_token_response_len`](Self::max_token_response_len) | 64 KiB | a response of the authorization server |
///
/// The constructors of clients reject a timeout or a size of zero with
/// [`ClientError::Options`](crate::ClientError::Options). A timeout of more than 365 days has the effect of 365 days,
/// so `Duration::MAX` is allowed.
///
/// The body of a resource's response is passed to the caller as it arrives, and has no size limit.
///
/// Only [`DpopClient`](crate::DpopClient) and [`BoundClient`](crate::BoundClient) use
/// [`large_body_len`](Self::large_body_len), [`body_delay`](Self::body_delay) and
/// [`max_nonce_age`](Self::max_nonce_age). [`MtlsClient`](crate::MtlsClient) always requires https.
///
/// # Security
/// No setting in [`http`](Self::http) can change these: `reqwest` does not follow redirects, it verifies certificates,
/// and plain http never goes through a proxy, which would read the token and the proof.
///
/// ```
/// use std::time::Duration;
/// use pop_client::ClientOptions;
///
/// let options = ClientOptions::new()
///     .token_timeout(Duration::from_secs(5))
///     .http(|http| http.user_agent("my-app/1.0"));
/// # drop(options);
/// ```
#[derive(Clone)]
#[must_use = "pass the options to a client"]
pub struct ClientOptions {
    pub(crate) connect_timeout: Duration,
    pub(crate) document_timeout: Duration,
    pub(crate) token_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) max_document_len: usize,
    pub(crate) max_token_response_len: usize,
    pub(crate) large_body_len: usize,
    pub(crate) body_delay: Duration,
    pub(crate) max_nonce_age: Duration,
    pub(crate) allow_http: bool,
    pub(crate) configure: Option<Configure>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            document_timeout: Duration::from_secs(10),
            token_timeout: Duration::from_secs(30),
            response_timeout: Duration::from_secs(60),
            total_timeout: None,
            max_document_len: 256 * 1024,
            max_token_response_len: 64 * 1024,
            large_body_len: 16 * 1024,
            body_delay: Duration::from_millis(500),
            max_nonce_age: Duration::from_secs(30),
            allow_http: false,
            configure: None,
        }
    }
}

impl ClientOptions {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the timeout for connecting, including TLS. Defaults to 10 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().connect_timeout(Duration::from_secs(3));
    /// # drop(options);
    /// ```
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the timeout for one metadata document, from connecting to its last byte. Discovery tries up to four
    /// documents. Defaults to 10 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().document_timeout(Duration::from_secs(3));
    /// # drop(options);
    /// ```
    pub const fn document_timeout(mut self, timeout: Duration) -> Self {
        self.document_timeout = timeout;
        self
    }

    /// Sets the timeout for one token request or pushed authorization request, from connecting to the last byte of the
    /// response. A request that is repeated with a nonce has a timeout of its own. Defaults to 30 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().token_timeout(Duration::from_secs(5));
    /// # drop(options);
    /// ```
    pub const fn token_timeout(mut self, timeout: Duration) -> Self {
        self.token_timeout = timeout;
        self
    }

    /// Sets the timeout for the response head of a resource. It starts when the server has taken the last part of the
    /// request, so a long upload that makes progress is not cut off. Defaults to 60 seconds.
    ///
    /// For [`MtlsClient`](crate::MtlsClient) it is the read timeout of `reqwest`: it starts with the request, and again
    /// with each part of the response.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().response_timeout(Duration::from_secs(15));
    /// # drop(options);
    /// ```
    pub const fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Sets the timeout for a complete call of a resource, from connecting to the last byte of the response. Defaults
    /// to none, because the caller reads the body.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().total_timeout(Duration::from_secs(120));
    /// # drop(options);
    /// ```
    pub const fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = Some(timeout);
        self
    }

    /// Sets the maximum size of a metadata document in bytes. Defaults to 256 KiB.
    ///
    /// ```
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().max_document_len(64 * 1024);
    /// # drop(options);
    /// ```
    pub const fn max_document_len(mut self, bytes: usize) -> Self {
        self.max_document_len = bytes;
        self
    }

    /// Sets the maximum size of a response of the token endpoint in bytes. Defaults to 64 KiB.
    ///
    /// ```
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().max_token_response_len(16 * 1024);
    /// # drop(options);
    /// ```
    pub const fn max_token_response_len(mut self, bytes: usize) -> Self {
        self.max_token_response_len = bytes;
        self
    }

    /// Sets the minimum size in bytes of a large request body. A stream of unknown size is large. Defaults to 16 KiB.
    ///
    /// A server that rejects a request by its head often closes the connection while a large body still arrives. Then
    /// the response with the nonce is lost. So the client fetches a nonce before it sends a large body to a server that
    /// needs nonces. It gives an unknown server time to respond to the head first ([`body_delay`](Self::body_delay)).
    ///
    /// ```
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().large_body_len(64 * 1024);
    /// # drop(options);
    /// ```
    pub const fn large_body_len(mut self, bytes: usize) -> Self {
        self.large_body_len = bytes;
        self
    }

    /// Sets how long the first large body to a server is held back for an early response. The delay ends when the
    /// server responds. There is no delay after [`DpopClient::warm_up`](crate::DpopClient::warm_up), or after another
    /// response of the server. Zero disables the delay. Defaults to 500 milliseconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().body_delay(Duration::ZERO);
    /// # drop(options);
    /// ```
    pub const fn body_delay(mut self, delay: Duration) -> Self {
        self.body_delay = delay;
        self
    }

    /// Sets the maximum age of a nonce that is sent with a large body. An older nonce is renewed first. Defaults to 30
    /// seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().max_nonce_age(Duration::from_secs(120));
    /// # drop(options);
    /// ```
    pub const fn max_nonce_age(mut self, age: Duration) -> Self {
        self.max_nonce_age = age;
        self
    }

    /// Sets a function that changes the settings of the `reqwest` clients: CAs, proxies, timeouts, user agent and so
    /// on. Replaces an earlier function. It is called twice: for the https client and for the plain http client.
    ///
    /// Afterwards the client overrides unsafe settings: redirects, acceptance of invalid certificates, and proxies for
    /// plain http. Do not set a retry policy: it repeats a request with the same proof, which servers reject.
    ///
    /// ```
    /// use pop_client::{ClientOptions, reqwest};
    ///
    /// # fn options(company_ca: reqwest::Certificate) -> ClientOptions {
    /// ClientOptions::new().http(move |http| http.user_agent("my-app/1.0").tls_certs_merge([company_ca.clone()]))
    /// # }
    /// ```
    pub fn http(
        mut self,
        configure: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.configure = Some(Arc::new(configure));
        self
    }

    /// Gives access to options that weaken security.
    pub fn dangerous(self) -> DangerousClientOptions {
        DangerousClientOptions(self)
    }

    /// Rejects values that cannot work.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let durations = [
            ("connect_timeout", self.connect_timeout),
            ("document_timeout", self.document_timeout),
            ("token_timeout", self.token_timeout),
            ("response_timeout", self.response_timeout),
            ("total_timeout", self.total_timeout.unwrap_or(MAX_DURATION)),
        ];
        let sizes =
            [("max_document_len", self.max_document_len), ("max_token_response_len", self.max_token_response_len)];
        let zero = durations.iter().find(|(_, duration)| duration.is_zero()).map(|(name, _)| *name);
        let zero = zero.or(sizes.iter().find(|(_, bytes)| *bytes == 0).map(|(name, _)| *name));
        zero.map_or(Ok(()), |option| Err(OptionsError::Zero { option }))
    }

    /// Returns the maximum time to wait for a response head.
    pub(crate) fn head_timeout(&self) -> Duration {
        self.response_timeout.min(MAX_DURATION)
    }

    /// Applies the connect timeout and the settings of the caller.
    pub(crate) fn configured(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let builder = builder.connect_timeout(self.connect_timeout.min(MAX_DURATION));
        match &self.configure {
            Some(configure) => configure(builder),
            None => builder,
        }
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("connect_timeout", &self.connect_timeout)
            .field("document_timeout", &self.document_timeout)
            .field("token_timeout", &self.token_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("total_timeout", &self.total_timeout)
            .field("allow_http", &self.allow_http)
            .finish_non_exhaustive()
    }
}

/// Options of [`ClientOptions`] that weaken security.
#[derive(Debug, Clone)]
#[must_use = "call one of its methods"]
pub struct DangerousClientOptions(ClientOptions);

impl DangerousClientOptions {
    /// Allows plain http beyond loopback for issuers, endpoints and resources. Use it in closed test networks only.
    ///
    /// # Security
    /// An attacker on the network can read and change everything: tokens, secrets, codes and metadata. A proof protects
    /// a stolen token from use with another key or request, and nothing else. The endpoints of an https issuer must
    /// still be https.
    ///
    /// ```
    /// # use pop_client::ClientOptions;
    /// let options = ClientOptions::new().dangerous().allow_http();
    /// # drop(options);
    /// ```
    pub fn allow_http(mut self) -> ClientOptions {
        self.0.allow_http = true;
        self.0
    }
}
