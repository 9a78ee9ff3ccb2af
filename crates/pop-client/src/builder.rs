//! Clients of an authorization server, with all options.

use crate::DpopKey;
use crate::discovery::{Endpoints, ServerMetadata};
use crate::error::{ClientError, UrlError, shown};
use crate::mtls::{ClientCertificate, MtlsTokenClient};
use crate::nonce::NonceMemory;
use crate::options::ClientOptions;
use crate::token::TokenClient;
use crate::token_endpoint::{ClientAuthentication, TokenEndpoint};
use crate::transport::Transport;

/// Makes a [`TokenClient`] or an [`MtlsTokenClient`].
///
/// ```no_run
/// # async fn call() -> Result<(), pop_client::ClientError> {
/// use pop_client::{Algorithm, ClientAuthentication, ClientOptions, DpopKey, TokenClient};
///
/// let client = TokenClient::builder("https://as.example", "my-client")
///     .authentication(ClientAuthentication::SecretPost("secret".to_owned()))
///     .options(ClientOptions::new().max_document_len(64 * 1024))
///     .build(DpopKey::generate(Algorithm::ES256)?)
///     .await?;
/// # drop(client);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a client is made by build()"]
pub struct TokenClientBuilder {
    issuer: String,
    client_id: String,
    authentication: ClientAuthentication,
    options: ClientOptions,
    endpoints: Option<Endpoints>,
    certificate: Option<ClientCertificate>,
}

impl TokenClientBuilder {
    /// A public client of this issuer.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            client_id: client_id.into(),
            authentication: ClientAuthentication::None,
            options: ClientOptions::default(),
            endpoints: None,
            certificate: None,
        }
    }

    /// Sets how the client authenticates. Defaults to [`ClientAuthentication::None`].
    pub fn authentication(mut self, authentication: ClientAuthentication) -> Self {
        self.authentication = authentication;
        self
    }

    /// Sets limits and settings, which the clients for resources share. Defaults to those of [`ClientOptions::new`].
    pub fn options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    /// Uses these endpoints instead of the issuer's metadata, which is not fetched. Defaults to discovery.
    pub fn endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = Some(endpoints);
        self
    }

    /// Shows this certificate in TLS, at the `mtls_endpoint_aliases` where the server has some (RFC 8705 §5). The token
    /// endpoint must be https then. Defaults to none.
    pub fn certificate(mut self, certificate: ClientCertificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Finds the endpoints and makes a client for DPoP-bound tokens.
    ///
    /// # Errors
    /// [`ClientError::Options`], [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Discovery`],
    /// [`ClientError::WrongMetadata`] or [`ClientError::Algorithm`].
    pub async fn build(self, key: DpopKey) -> Result<TokenClient, ClientError> {
        let transport = match self.certificate.clone() {
            Some(certificate) => Transport::with_certificate(&self.options, certificate)?,
            None => Transport::new(&self.options)?,
        };
        let endpoint = self.endpoint(transport).await?;
        endpoint.accepts(&key)?;
        Ok(TokenClient::of(endpoint, key, NonceMemory::default()))
    }

    /// Finds the endpoints and makes a client for tokens that are bound to the [`certificate`](Self::certificate) alone.
    ///
    /// # Errors
    /// [`ClientError::Options`], also without a certificate; [`ClientError::Url`], [`ClientError::Http`],
    /// [`ClientError::Discovery`] or [`ClientError::WrongMetadata`].
    pub async fn build_certificate_bound(self) -> Result<MtlsTokenClient, ClientError> {
        let missing = || ClientError::Options("a certificate-bound token needs a certificate".to_owned());
        let certificate = self.certificate.clone().ok_or_else(missing)?;
        let callers = Transport::for_callers(&self.options, certificate.clone())?;
        let transport = Transport::with_certificate(&self.options, certificate)?;
        let endpoint = self.endpoint(transport).await?;
        Ok(MtlsTokenClient::of(endpoint, callers))
    }

    async fn endpoint(self, transport: Transport) -> Result<TokenEndpoint, ClientError> {
        let mut server = match &self.endpoints {
            Some(endpoints) => ServerMetadata::given(endpoints, transport.options.allow_http)?,
            None => ServerMetadata::discover(&transport, &self.issuer).await?,
        };
        if self.certificate.is_some() {
            server.token = server.mtls_token.take().unwrap_or(server.token);
            server.pushed_authorization = server.mtls_pushed_authorization.take().or(server.pushed_authorization);
            let own = [Some(&server.token), server.pushed_authorization.as_ref()];
            if let Some(url) = own.into_iter().flatten().find(|url| url.scheme() != "https") {
                return Err(UrlError::NotHttps { url: shown(url) }.into());
            }
        }
        Ok(TokenEndpoint::new(transport, self.issuer, server, self.client_id, self.authentication))
    }
}
