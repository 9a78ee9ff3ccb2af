//! Endpoints that the application sets, instead of discovery.

/// The endpoints of an authorization server, for servers without metadata, or whose metadata names other hosts than the
/// client must use. Nothing is fetched then.
///
/// ```
/// use pop_client::{Endpoints, TokenClient};
///
/// let endpoints = Endpoints::new("https://as.example/token")
///     .authorization("https://as.example/authorize")
///     .pushed_authorization("https://as.example/par")
///     .requires_iss();
/// let builder = TokenClient::builder("https://as.example", "my-client").endpoints(endpoints);
/// # drop(builder);
/// ```
#[derive(Debug, Clone)]
#[must_use = "set them with TokenClientBuilder::endpoints"]
pub struct Endpoints {
    pub(crate) token: String,
    pub(crate) authorization: Option<String>,
    pub(crate) pushed_authorization: Option<String>,
    pub(crate) sends_iss: bool,
}

impl Endpoints {
    /// Describes a server with this token endpoint.
    pub fn new(token: impl Into<String>) -> Self {
        Self { token: token.into(), authorization: None, pushed_authorization: None, sends_iss: false }
    }

    /// Sets the authorization endpoint. Defaults to none.
    pub fn authorization(mut self, url: impl Into<String>) -> Self {
        self.authorization = Some(url.into());
        self
    }

    /// Sets the endpoint for pushed authorization requests (RFC 9126). Defaults to none.
    pub fn pushed_authorization(mut self, url: impl Into<String>) -> Self {
        self.pushed_authorization = Some(url.into());
        self
    }

    /// Rejects authorization responses without `iss`, as for a server whose metadata has
    /// `authorization_response_iss_parameter_supported` (RFC 9207 §2.4). Off by default. An `iss` that is present must
    /// always equal the issuer.
    pub const fn requires_iss(mut self) -> Self {
        self.sends_iss = true;
        self
    }
}
