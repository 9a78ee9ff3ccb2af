//! Requests for tokens that are bound to the certificate of the client (RFC 8705 §3).

use crate::authorization_request::AuthorizationRequest;
use crate::authorization_server::{AuthorizationServer, RequestProof};
use crate::bound_token::TokenBinding;
use crate::builder::TokenClientBuilder;
use crate::client_authentication::ClientAuthentication;
use crate::client_certificate::ClientCertificate;
use crate::error::{ClientError, OptionsError};
use crate::grant;
use crate::mtls_client::MtlsClient;
use crate::token_endpoint::TokenResponse;
use crate::transport::Transport;

/// Requests certificate-bound tokens from one authorization server, and presents them with the certificate that they
/// are bound to. Requests go to the `mtls_endpoint_aliases` of the server, if it has some (RFC 8705 §5). Cheap to
/// clone.
///
/// ```no_run
/// # async fn call() -> Result<(), Box<dyn std::error::Error>> {
/// use pop_client::{ClientAuthentication, ClientCertificate, MtlsTokenClient};
///
/// let (chain, key) = (std::fs::read_to_string("client.pem")?, std::fs::read_to_string("client.key")?);
/// let certificate = ClientCertificate::from_pem(&chain, &key)?;
/// let authentication = ClientAuthentication::TlsCertificate;
/// let server = MtlsTokenClient::discover("https://as.example", "my-client", authentication, certificate).await?;
/// let token = server.client_credentials(Some("notes:read"), Some("https://api.example")).await?;
/// let notes = server.http_client(&token).get("https://api.example/notes")?.send().await?;
/// # drop(notes);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct MtlsTokenClient {
    server: AuthorizationServer,
    /// For requests to resources.
    resources: Transport,
}

impl TokenClientBuilder {
    /// Finds the endpoints and builds a client for tokens that are bound to the [`certificate`](Self::certificate)
    /// alone.
    ///
    /// # Errors
    /// [`ClientError::Options`], also without a certificate. [`ClientError::Url`], [`ClientError::Http`],
    /// [`ClientError::Discovery`] or [`ClientError::WrongMetadata`].
    pub async fn build_certificate_bound(self) -> Result<MtlsTokenClient, ClientError> {
        if self.binding != TokenBinding::Dpop {
            return Err(OptionsError::NoEffect { option: "binding" }.into());
        }
        if self.request_key.is_some() {
            return Err(OptionsError::NoEffect { option: "sign_token_requests" }.into());
        }
        if self.decryption_keys.is_some() {
            return Err(OptionsError::NoEffect { option: "decryption_keys" }.into());
        }
        let missing = OptionsError::NoCertificate { option: "build_certificate_bound()" };
        let certificate = self.certificate.clone().ok_or(missing)?;
        let resources = Transport::for_reqwest_callers(&self.options, certificate.clone())?;
        let transport = Transport::with_certificate(&self.options, certificate)?;
        Ok(MtlsTokenClient { server: self.connect(transport).await?, resources })
    }
}

impl MtlsTokenClient {
    /// Finds the endpoints of an issuer (RFC 8414). [`TokenClientBuilder`] has options for this.
    ///
    /// # Errors
    /// [`ClientError::Url`], also when the token endpoint is not https. [`ClientError::Http`],
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

    /// Requests a token for the client itself (RFC 6749 §4.4).
    ///
    /// # Errors
    /// [`ClientError::OAuth`], [`ClientError::TokenType`] for a token of another type than Bearer,
    /// [`ClientError::Response`], [`ClientError::Status`], [`ClientError::TooLarge`] or [`ClientError::Http`].
    pub async fn client_credentials(
        &self,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<TokenResponse, ClientError> {
        self.request_token(&grant::client_credentials(scope, resource)).await
    }

    /// Starts an authorization code flow with PKCE (S256) and `state`.
    ///
    /// # Errors
    /// [`ClientError::Response`] when the server has no authorization endpoint, and [`ClientError::Key`] when the
    /// operating system gives no random bytes.
    pub fn authorize(
        &self,
        redirect_uri: &str,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<AuthorizationRequest, ClientError> {
        AuthorizationRequest::new(&self.server, redirect_uri, scope, resource, None)
    }

    /// Pushes the authorization request to the server (RFC 9126).
    ///
    /// # Errors
    /// [`ClientError::Response`] when the server has no endpoint for pushed requests, and as for
    /// [`client_credentials`](Self::client_credentials).
    pub async fn push(&self, request: AuthorizationRequest) -> Result<AuthorizationRequest, ClientError> {
        let url = self.server.pushed_authorization_endpoint()?;
        let parameters = request.pushed_form();
        let form: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
        let response = self.server.send(url, &form, RequestProof::None).await?;
        request.pushed(&self.server, response)
    }

    /// Exchanges the code in the URL that the browser was redirected to. `state` must match, and `iss` too if it is
    /// present (RFC 9207).
    ///
    /// # Errors
    /// [`ClientError::AuthorizationResponse`], and as for [`client_credentials`](Self::client_credentials).
    pub async fn exchange(
        &self,
        request: &AuthorizationRequest,
        redirected_to: &str,
    ) -> Result<TokenResponse, ClientError> {
        let code = request.code(&self.server, redirected_to)?;
        self.request_token(&request.code_grant(&code)).await
    }

    /// Requests a new token with a refresh token, with the same certificate (RFC 8705 §4).
    ///
    /// # Errors
    /// As for [`client_credentials`](Self::client_credentials).
    pub async fn refresh(&self, refresh_token: &str) -> Result<TokenResponse, ClientError> {
        self.request_token(&grant::refresh_token(refresh_token)).await
    }

    /// Returns an HTTP client that presents a token of this server.
    #[must_use]
    pub fn http_client(&self, token: &TokenResponse) -> MtlsClient {
        MtlsClient::with_transport(self.resources.clone(), token.access_token.clone())
    }

    async fn request_token(&self, form: &[(&str, &str)]) -> Result<TokenResponse, ClientError> {
        let response = self.server.send(self.server.token_endpoint(), form, RequestProof::None).await?;
        TokenResponse::read(response, "Bearer")
    }
}
