//! Tokens that are bound to the client's certificate (RFC 8705): requested and presented over mutual TLS.

use std::fmt;

use http::Method;
use http::header::AUTHORIZATION;
use reqwest::{Certificate, Identity};

use crate::error::ClientError;
use crate::grant::{self, AuthorizationRequest};
use crate::http::{checked_url, sensitive};
use crate::token_endpoint::{ClientAuthentication, TokenEndpoint, TokenResponse};

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

    pub(crate) fn http_client(self) -> Result<reqwest::Client, ClientError> {
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Ok(builder.identity(self.identity).tls_certs_merge(self.trusted).build()?)
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
}

impl MtlsTokenClient {
    /// Finds the endpoints of an issuer (RFC 8414).
    ///
    /// # Errors
    /// [`ClientError::Url`], also when the token endpoint is not https; [`ClientError::Http`],
    /// [`ClientError::Response`] or [`ClientError::WrongMetadata`].
    pub async fn discover(
        issuer: &str,
        client_id: impl Into<String>,
        authentication: ClientAuthentication,
        certificate: ClientCertificate,
    ) -> Result<Self, ClientError> {
        let http = certificate.http_client()?;
        Ok(Self { endpoint: TokenEndpoint::discover_mtls(http, issuer, client_id.into(), authentication).await? })
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
        MtlsClient { http: self.endpoint.http.clone(), token: token.access_token.clone() }
    }

    async fn request(&self, form: &[(&str, &str)]) -> Result<TokenResponse, ClientError> {
        let response = self.endpoint.send(form, None).await?;
        TokenResponse::read(response.status(), response, "Bearer").await
    }
}

/// An HTTP client that presents a certificate-bound access token under `Bearer`, over TLS with that certificate. Redirects
/// are not followed: they are responses. `Debug` shows no token.
#[derive(Clone)]
pub struct MtlsClient {
    http: reqwest::Client,
    token: String,
}

impl MtlsClient {
    /// A client for this token and the certificate it is bound to.
    ///
    /// # Errors
    /// [`ClientError::Http`] when TLS cannot be set up.
    pub fn new(certificate: ClientCertificate, access_token: impl Into<String>) -> Result<Self, ClientError> {
        Ok(Self { http: certificate.http_client()?, token: access_token.into() })
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
        let url = checked_url(url.as_ref())?;
        if url.scheme() != "https" {
            return Err(ClientError::Url(url.origin().ascii_serialization()));
        }
        let authorization = sensitive(format!("Bearer {}", self.token))?;
        Ok(self.http.request(method, url).header(AUTHORIZATION, authorization))
    }
}

impl fmt::Debug for MtlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MtlsClient").finish_non_exhaustive()
    }
}
