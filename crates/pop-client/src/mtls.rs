//! Tokens that are bound to the client's certificate (RFC 8705): requested and presented over mutual TLS.

use std::fmt;

use http::Method;
use http::header::AUTHORIZATION;
use reqwest::{Certificate, Identity};

use crate::builder::TokenClientBuilder;
use crate::error::{ClientError, UrlError, shown};
use crate::grant::{self, AuthorizationRequest};
use crate::http::sensitive;
use crate::options::ClientOptions;
use crate::token_endpoint::{ClientAuthentication, TokenEndpoint, TokenResponse};
use crate::transport::Transport;
use crate::url::checked_url;

/// A client certificate with its key, and whom to trust on the other side. `Debug` shows neither.
#[derive(Clone)]
pub struct ClientCertificate {
    identity: Identity,
    trusted: Vec<Certificate>,
}

impl ClientCertificate {
    /// A certificate chain and its private key, both PEM.
    ///
    /// # Errors
    /// [`ClientError::Http`] when they cannot be read.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, ClientError> {
        let identity = Identity::from_pem(format!("{key}\n{chain}").as_bytes())?;
        Ok(Self { identity, trusted: Vec::new() })
    }

    /// Trusts servers under this certificate (PEM), besides those that the platform trusts.
    ///
    /// # Errors
    /// [`ClientError::Http`] when it cannot be read.
    pub fn trust(mut self, pem: &str) -> Result<Self, ClientError> {
        self.trusted.push(Certificate::from_pem(pem.as_bytes())?);
        Ok(self)
    }

    pub(crate) fn install(self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        builder.identity(self.identity).tls_certs_merge(self.trusted)
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// Requests certificate-bound tokens from one authorization server, and presents them with the very certificate they are
/// bound to. Requests go to the `mtls_endpoint_aliases` of the server where it has some (RFC 8705 §5). Cheap to clone.
#[derive(Debug, Clone)]
pub struct MtlsTokenClient {
    endpoint: TokenEndpoint,
    callers: Transport,
}

impl MtlsTokenClient {
    /// Finds the endpoints of an issuer (RFC 8414). [`TokenClientBuilder`] has options for this.
    ///
    /// # Errors
    /// [`ClientError::Url`], also when the token endpoint is not https; [`ClientError::Http`],
    /// [`ClientError::Discovery`] or [`ClientError::WrongMetadata`].
    pub async fn discover(
        issuer: &str,
        client_id: impl Into<String>,
        authentication: ClientAuthentication,
        certificate: ClientCertificate,
    ) -> Result<Self, ClientError> {
        let builder = TokenClientBuilder::new(issuer, client_id).authentication(authentication);
        builder.certificate(certificate).build_certificate_bound().await
    }

    pub(crate) const fn of(endpoint: TokenEndpoint, callers: Transport) -> Self {
        Self { endpoint, callers }
    }

    /// Requests a token for the client itself.
    ///
    /// # Errors
    /// [`ClientError::OAuth`], [`ClientError::TokenType`] for a token of another type than Bearer,
    /// [`ClientError::Response`] or [`ClientError::Http`].
    pub async fn client_credentials(
        &self,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<TokenResponse, ClientError> {
        self.request(&grant::client_credentials(scope, resource)).await
    }

    /// Starts an authorization code flow with PKCE (S256) and `state`.
    ///
    /// # Errors
    /// [`ClientError::Response`] when the server has no authorization endpoint.
    pub fn authorize(
        &self,
        redirect_uri: &str,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<AuthorizationRequest, ClientError> {
        AuthorizationRequest::new(&self.endpoint, redirect_uri, scope, resource, None)
    }

    /// Sends the authorization request to the server beforehand (RFC 9126).
    ///
    /// # Errors
    /// As [`TokenClient::push`](crate::TokenClient::push).
    pub async fn push(&self, request: AuthorizationRequest) -> Result<AuthorizationRequest, ClientError> {
        let url = self.endpoint.pushed_endpoint()?;
        let parameters = request.pushed_form();
        let form: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
        let answer = self.endpoint.send(url, &form, None).await?;
        request.pushed(&self.endpoint, answer)
    }

    /// Exchanges the code in the URL that the browser was sent back to. `state` and, where present, `iss` must be right
    /// (RFC 9207).
    ///
    /// # Errors
    /// [`ClientError::AuthorizationResponse`], and as for [`client_credentials`](Self::client_credentials).
    pub async fn exchange(
        &self,
        request: &AuthorizationRequest,
        redirected_to: &str,
    ) -> Result<TokenResponse, ClientError> {
        let code = request.code(&self.endpoint, redirected_to)?;
        self.request(&request.exchange(&code)).await
    }

    /// Requests a new token with a refresh token, over the same certificate (RFC 8705 §4).
    ///
    /// # Errors
    /// As for [`client_credentials`](Self::client_credentials).
    pub async fn refresh(&self, refresh_token: &str) -> Result<TokenResponse, ClientError> {
        self.request(&grant::refresh(refresh_token)).await
    }

    /// A client that presents a token of this server.
    #[must_use]
    pub fn http_client(&self, token: &TokenResponse) -> MtlsClient {
        MtlsClient { transport: self.callers.clone(), token: token.access_token.clone() }
    }

    async fn request(&self, form: &[(&str, &str)]) -> Result<TokenResponse, ClientError> {
        let answer = self.endpoint.send(&self.endpoint.url, form, None).await?;
        TokenResponse::read(answer, "Bearer")
    }
}

/// An HTTP client that presents a certificate-bound access token under `Bearer`, over TLS with that certificate. Redirects
/// are not followed: they are responses. `Debug` shows no token.
#[derive(Clone)]
pub struct MtlsClient {
    transport: Transport,
    token: String,
}

impl MtlsClient {
    /// A client for this token and the certificate it is bound to.
    ///
    /// # Errors
    /// [`ClientError::Http`] when TLS cannot be set up.
    pub fn new(certificate: ClientCertificate, access_token: impl Into<String>) -> Result<Self, ClientError> {
        Self::with_options(certificate, access_token, &ClientOptions::default())
    }

    /// As [`new`](Self::new), with limits and settings of your own.
    ///
    /// # Errors
    /// [`ClientError::Options`], or [`ClientError::Http`] when TLS cannot be set up.
    pub fn with_options(
        certificate: ClientCertificate,
        access_token: impl Into<String>,
        options: &ClientOptions,
    ) -> Result<Self, ClientError> {
        Ok(Self { transport: Transport::for_callers(options, certificate)?, token: access_token.into() })
    }

    /// Sends a request of [`request`](Self::request): as `request.send()` does, with failures that are logged and name URL
    /// and cause.
    ///
    /// # Errors
    /// [`ClientError::Http`].
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, ClientError> {
        Ok(self.transport.execute(request.build()?, None).await?)
    }

    /// A GET request.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn get(&self, url: impl AsRef<str>) -> Result<reqwest::RequestBuilder, ClientError> {
        self.request(Method::GET, url)
    }

    /// A POST request.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn post(&self, url: impl AsRef<str>) -> Result<reqwest::RequestBuilder, ClientError> {
        self.request(Method::POST, url)
    }

    /// A request with any method, to be completed and sent.
    ///
    /// # Errors
    /// [`ClientError::Url`] when the URL is not https: there is no client certificate without TLS.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> Result<reqwest::RequestBuilder, ClientError> {
        let url = checked_url(url.as_ref(), false)?;
        if url.scheme() != "https" {
            return Err(UrlError::NotHttps { url: shown(&url) }.into());
        }
        let authorization = sensitive(format!("Bearer {}", self.token))?;
        Ok(self.transport.client(&url).request(method, url).header(AUTHORIZATION, authorization))
    }
}

impl fmt::Debug for MtlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MtlsClient").finish_non_exhaustive()
    }
}
