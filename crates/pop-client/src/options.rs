//! Limits and settings of all clients of this crate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::ClientError;

/// Durations beyond this are no limits.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

type Configure = Arc<dyn Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync>;

/// Limits and settings of a client. Cheap to clone.
///
/// | limit | default | of what |
/// |---|---|---|
/// | [`connect_timeout`](Self::connect_timeout) | 10 s | connecting, TLS included |
/// | [`document_timeout`](Self::document_timeout) | 10 s | each metadata document, all of it |
/// | [`token_timeout`](Self::token_timeout) | 30 s | each token or pushed authorization request, all of it |
/// | [`response_timeout`](Self::response_timeout) | 60 s | a resource's response head, after the last piece of the request |
/// | [`total_timeout`](Self::total_timeout) | none | a resource's whole response |
/// | [`max_document_len`](Self::max_document_len) | 256 KiB | a metadata document |
/// | [`max_token_response_len`](Self::max_token_response_len) | 64 KiB | a response of the authorization server |
///
/// Bodies of resources are handed to the caller as they arrive, and have no limit of size here.
///
/// # Security
/// Whatever [`http`](Self::http) sets: redirects are not followed by `reqwest`, certificates are verified, and plain http
/// never goes through a proxy, which would read the token and the proof.
///
/// ```
/// use std::time::Duration;
/// use pop_client::ClientOptions;
///
/// let options = ClientOptions::new()
///     .token_timeout(Duration::from_secs(5))
///     .http(|http| http.user_agent("my-app/1.0"));
/// # let _ = options;
/// ```
#[derive(Clone)]
#[must_use = "options are given to a client"]
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
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum time to connect, TLS included. Defaults to 10 seconds.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the maximum time for one metadata document, from connecting to its last byte. Discovery tries up to four.
    /// Defaults to 10 seconds.
    pub const fn document_timeout(mut self, timeout: Duration) -> Self {
        self.document_timeout = timeout;
        self
    }

    /// Sets the maximum time for one token request or pushed authorization request, from connecting to the last byte of
    /// the response. The answer to a nonce challenge is a request of its own. Defaults to 30 seconds.
    pub const fn token_timeout(mut self, timeout: Duration) -> Self {
        self.token_timeout = timeout;
        self
    }

    /// Sets how long a resource may take for the head of its response after it has taken the last piece of the request:
    /// a long upload that goes on is not cut off. For [`MtlsClient`](crate::MtlsClient) it is `reqwest`'s read timeout,
    /// counted from the start of the request, and again for each piece of the response. Defaults to 60 seconds.
    pub const fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Sets the maximum time for a whole call of a resource, from connecting to the last byte of the response. Defaults to
    /// none, because the body is the caller's.
    pub const fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = Some(timeout);
        self
    }

    /// Sets the maximum size of a metadata document in bytes. Defaults to 256 KiB.
    pub const fn max_document_len(mut self, bytes: usize) -> Self {
        self.max_document_len = bytes;
        self
    }

    /// Sets the maximum size of a response of the token endpoint in bytes. Defaults to 64 KiB.
    pub const fn max_token_response_len(mut self, bytes: usize) -> Self {
        self.max_token_response_len = bytes;
        self
    }

    /// Sets the size in bytes from which on a request body counts as large. A server that rejects a request by its head
    /// often closes the connection while a large body still arrives, and its answer, with the nonce, gets lost. So the
    /// client fetches a nonce before it sends a large body to a server that wants nonces, and gives an unknown server
    /// time to answer to the head ([`body_delay`](Self::body_delay)). Streams of unknown size count as large. Defaults to
    /// 16 KiB.
    pub const fn large_body_len(mut self, bytes: usize) -> Self {
        self.large_body_len = bytes;
        self
    }

    /// Sets how long the first large body to a server is held back for an early answer. The delay ends with the answer;
    /// it does not occur after [`DpopClient::warm_up`](crate::DpopClient::warm_up) or any other answered request. Zero
    /// turns it off. Defaults to 500 milliseconds.
    pub const fn body_delay(mut self, delay: Duration) -> Self {
        self.body_delay = delay;
        self
    }

    /// Sets the age from which on a nonce is renewed before a large body is sent. Defaults to 30 seconds.
    pub const fn max_nonce_age(mut self, age: Duration) -> Self {
        self.max_nonce_age = age;
        self
    }

    /// Changes the settings of the `reqwest` clients: CAs, proxies, timeouts, user agent and so on. The function is called
    /// for the https client and for that of plain http. Settings that would make the client unsafe are replaced afterwards: redirects,
    /// acceptance of invalid certificates, and proxies for plain http.
    ///
    /// A retry policy set here sends the same proof again, which servers reject.
    pub fn http(
        mut self,
        configure: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.configure = Some(Arc::new(configure));
        self
    }

    /// Choices that weaken security.
    pub fn dangerous(self) -> DangerousClientOptions {
        DangerousClientOptions(self)
    }

    /// Checks the values.
    pub(crate) fn check(&self) -> Result<(), ClientError> {
        let durations = [
            ("connect_timeout", self.connect_timeout),
            ("document_timeout", self.document_timeout),
            ("token_timeout", self.token_timeout),
            ("response_timeout", self.response_timeout),
            ("total_timeout", self.total_timeout.unwrap_or(LONGEST)),
        ];
        let sizes =
            [("max_document_len", self.max_document_len), ("max_token_response_len", self.max_token_response_len)];
        let zero = durations.iter().find(|(_, duration)| duration.is_zero()).map(|(name, _)| name);
        let zero = zero.or(sizes.iter().find(|(_, bytes)| *bytes == 0).map(|(name, _)| name));
        zero.map_or(Ok(()), |name| Err(ClientError::Options(format!("{name} is 0"))))
    }

    /// The longest wait for the head of a response.
    pub(crate) fn head_limit(&self) -> Duration {
        self.response_timeout.min(LONGEST)
    }

    /// The two clients' builders start here.
    pub(crate) fn configured(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let builder = builder.connect_timeout(self.connect_timeout.min(LONGEST));
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

/// Choices of [`ClientOptions`] that weaken security.
#[derive(Debug, Clone)]
#[must_use = "choices are made by its methods"]
pub struct DangerousClientOptions(ClientOptions);

impl DangerousClientOptions {
    /// Allows plain http beyond loopback, for issuers, endpoints and resources.
    ///
    /// # Security
    /// Everyone on the way reads and changes everything: tokens, secrets, codes and metadata. Proofs protect a stolen token
    /// from reuse, and nothing else. For closed test networks. The endpoints of an https issuer stay https.
    pub fn allow_http(mut self) -> ClientOptions {
        self.0.allow_http = true;
        self.0
    }
}
