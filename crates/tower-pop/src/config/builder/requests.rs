//! Options of requests: their target, certificates, rejections and metadata.

use std::time::Duration;

use ipnet::IpNet;

use super::PopConfigBuilder;
use crate::certificate::ClientCertificates;
use crate::drain;

impl PopConfigBuilder {
    /// Sets the one origin, such as `https://api.example`, under which clients know this resource. Defaults to the origin of the first
    /// audience if that is a URL.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .public_origin("https://gateway.example")
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn public_origin(mut self, origin: impl Into<String>) -> Self {
        self.public_origin = Some(origin.into());
        self
    }

    /// Lets `Host` (`:authority` in HTTP/2) choose among these origins. Requests for all other hosts are rejected with 400.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .allowed_origins(["https://api.example", "https://api.example.org"])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allowed_origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// Trusts `X-Forwarded-Host` and `X-Forwarded-Proto` of peers in these networks to choose among
    /// [`allowed_origins`](Self::allowed_origins). The fields of other peers are ignored. Requires
    /// [`PeerAddress`](crate::PeerAddress) or, with feature `axum`, `ConnectInfo`: serve with
    /// `app.into_make_service_with_connect_info::<SocketAddr>()`. A request without an address comes from no trusted proxy, and the log
    /// says so once.
    ///
    /// # Security
    /// The proxy must set or remove both fields on every request.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .allowed_origins(["https://api.example", "https://api.example.org"])
    ///     .trusted_proxies(["10.0.0.0/8".parse().unwrap()])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.proxies = networks.into_iter().collect();
        self
    }

    /// Sets a path that a proxy strips, such as `/api`. It is put back in front of every path.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").path_prefix("/api").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn path_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.path_prefix = prefix.into();
        self
    }

    /// Sets the RFC 9728 resource identifier. Defaults to the first audience under the public origin, or else to the public origin.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .resource("https://api.example/notes")
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.metadata.resource = Some(resource.into());
        self
    }

    /// Sets the name of the resource in the metadata document, for people.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").resource_name("Notes").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn resource_name(mut self, name: impl Into<String>) -> Self {
        self.metadata.name = Some(name.into());
        self
    }

    /// Sets the scopes of the resource in the metadata document.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .scopes_supported(["notes:read", "notes:write"])
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn scopes_supported(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.metadata.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Accepts tokens that are bound to a client certificate (RFC 8705), under `Bearer`, and sets where certificates come from. A token
    /// that is also bound to a DPoP key must satisfy both. Off by default: such tokens are rejected.
    ///
    /// ```
    /// use tower_pop::{ClientCertificates, PopConfig};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .client_certificates(ClientCertificates::from_connection())
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn client_certificates(mut self, certificates: ClientCertificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Rejects requests with an `access_token` in the query with 400, instead of ignoring it. Off by default.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").reject_token_in_query().build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn reject_token_in_query(mut self) -> Self {
        self.reject_token_in_query = true;
        self
    }

    /// Rejects requests that a proxy marks with `Early-Data: 1`, with 425 (RFC 8470 §5.2). Off by default.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").reject_early_data().build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn reject_early_data(mut self) -> Self {
        self.reject_early_data = true;
        self
    }

    /// Accepts CORS preflights (OPTIONS with `Origin` and `Access-Control-Request-Method`) without credentials, for a CORS layer inside
    /// of this one. Off by default: put the CORS layer outside.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").pass_cors_preflight().build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn pass_cors_preflight(mut self) -> Self {
        self.pass_preflight = true;
        self
    }

    /// Adds the code of a rejection, the wrong claim, what was found and expected, and what to change to the problem document of the
    /// response, for development. A warning is logged, because this helps attackers as well. Off by default. The log has all of it at
    /// level `DEBUG` (`RUST_LOG=tower_pop=debug`).
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").explain_rejections().build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn explain_rejections(mut self) -> Self {
        self.explain_rejections = true;
        self
    }

    /// Sets how many bytes of the body of a rejected request are read and discarded, up to 1 GiB; 0 turns this off. Clients that write the
    /// whole body before they read would otherwise see a broken connection instead of the rejection (RFC 9112 §9.6). Nothing of the body is
    /// buffered. If a body is not read to its end, the HTTP/1.1 response has `Connection: close`. Defaults to 32 MiB.
    ///
    /// The layer reads the bodies of axum and hyper, other types after [`rejected_body_type`](Self::rejected_body_type), and only within a
    /// tokio runtime with timers.
    ///
    /// ```
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").rejected_body_limit(1 << 20).build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn rejected_body_limit(mut self, bytes: u64) -> Self {
        self.drain.bytes = bytes;
        self
    }

    /// Sets for how long the body of a rejected request is read, up to 60 s; 0 turns this off. The response does not wait that long: it is
    /// sent at the end of the body, or after half a second. A client that sends its body slowly keeps its connection and a small task for
    /// this time. Defaults to 10 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_pop::PopConfig;
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example")
    ///     .rejected_body_timeout(Duration::from_secs(2))
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    pub fn rejected_body_timeout(mut self, timeout: Duration) -> Self {
        self.drain.time = timeout;
        self
    }

    /// Adds a type of request body that is read and discarded on rejection, such as one that a layer around this one makes.
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
}
