//! Token requests with DPoP (RFC 9449 §5): client credentials, authorization code with PKCE, refresh.

use reqwest::Url;

use crate::DpopKey;
use crate::builder::TokenClientBuilder;
use crate::error::{ClientError, shown};
use crate::grant::{self, AuthorizationRequest};
use crate::http::{DpopClient, asks_for_nonce};
use crate::mtls::ClientCertificate;
use crate::nonce::{MalformedNonce, NonceMemory, Role};
use crate::proof::Proof;
use crate::token_endpoint::{ClientAuthentication, TokenEndpoint, TokenResponse};
use crate::transport::Answer;
use crate::url::origin_of;

/// Requests DPoP-bound tokens from one authorization server, all with one key. Cheap to clone.
///
/// Use one of these, with a key of its own, for each authorization server and, where resource servers should not recognise
/// a client across each other, for each of them: a key that is used everywhere is a name that is known everywhere
/// (RFC 7800 §5), and lets a malicious authorization server hand out tokens that were stolen elsewhere.
#[derive(Debug, Clone)]
pub struct TokenClient {
    endpoint: TokenEndpoint,
    key: DpopKey,
    nonces: NonceMemory,
}

impl TokenClient {
    /// A client with options of its own: limits, endpoints by hand, a certificate.
    pub fn builder(issuer: impl Into<String>, client_id: impl Into<String>) -> TokenClientBuilder {
        TokenClientBuilder::new(issuer, client_id)
    }

    pub(crate) const fn of(endpoint: TokenEndpoint, key: DpopKey, nonces: NonceMemory) -> Self {
        Self { endpoint, key, nonces }
    }

    /// Finds the endpoints of an issuer (RFC 8414, OpenID Connect Discovery) and checks that the metadata is the issuer's.
    /// Has the default [`ClientOptions`](crate::ClientOptions).
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Discovery`], [`ClientError::WrongMetadata`] or
    /// [`ClientError::Algorithm`].
    pub async fn discover(
        issuer: &str,
        client_id: impl Into<String>,
        authentication: ClientAuthentication,
        key: DpopKey,
    ) -> Result<Self, ClientError> {
        Self::builder(issuer, client_id).authentication(authentication).build(key).await
    }

    /// As [`discover`](Self::discover), with requests over TLS with a client certificate: tokens are bound to the key and,
    /// where the server does that for this client, to the certificate as well, or the certificate authenticates the client.
    /// [`http_client`](Self::http_client) then shows the certificate, too.
    ///
    /// # Errors
    /// As [`discover`](Self::discover); [`ClientError::Url`] also when the token endpoint is not https.
    pub async fn discover_mtls(
        issuer: &str,
        client_id: impl Into<String>,
        authentication: ClientAuthentication,
        key: DpopKey,
        certificate: ClientCertificate,
    ) -> Result<Self, ClientError> {
        let builder = Self::builder(issuer, client_id).authentication(authentication);
        builder.certificate(certificate).build(key).await
    }

    /// The key that all tokens are bound to.
    #[must_use]
    pub const fn key(&self) -> &DpopKey {
        &self.key
    }

    /// Requests a token for the client itself.
    ///
    /// # Errors
    /// As for every token request: [`ClientError::OAuth`], [`ClientError::TokenType`], [`ClientError::NonceLoop`],
    /// [`ClientError::Nonce`], [`ClientError::Response`], [`ClientError::Status`], [`ClientError::TooLarge`],
    /// [`ClientError::Http`] or [`ClientError::Key`].
    pub async fn client_credentials(
        &self,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<TokenResponse, ClientError> {
        self.request(&grant::client_credentials(scope, resource)).await
    }

    /// Starts an authorization code flow with PKCE (S256), `state` and `dpop_jkt`. For servers that want authorization
    /// requests to be pushed, see [`push`](Self::push).
    ///
    /// # Errors
    /// [`ClientError::Response`] when the server has no authorization endpoint.
    pub fn authorize(
        &self,
        redirect_uri: &str,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<AuthorizationRequest, ClientError> {
        let jkt = self.key.thumbprint().to_string();
        AuthorizationRequest::new(&self.endpoint, redirect_uri, scope, resource, Some(&jkt))
    }

    /// Sends the authorization request to the server beforehand, authenticated and with a proof (RFC 9126, RFC 9449 §10.1).
    /// The returned request's URL names what was sent, and lives shortly.
    ///
    /// # Errors
    /// [`ClientError::Response`] when the server has no endpoint for this, and as for every token request.
    pub async fn push(&self, request: AuthorizationRequest) -> Result<AuthorizationRequest, ClientError> {
        let url = self.endpoint.pushed_endpoint()?;
        let parameters = request.pushed_form();
        let form: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
        let answer = self.post(url, &form).await?;
        request.pushed(&self.endpoint, answer)
    }

    /// Whether the server accepts authorization requests only if they are pushed (RFC 9126 §5).
    #[must_use]
    pub const fn requires_push(&self) -> bool {
        self.endpoint.requires_push
    }

    /// Exchanges the code in the URL that the browser was sent back to. `state` and, where present, `iss` must be right
    /// (RFC 9207).
    ///
    /// # Errors
    /// [`ClientError::AuthorizationResponse`], and as for every token request.
    pub async fn exchange(
        &self,
        request: &AuthorizationRequest,
        redirected_to: &str,
    ) -> Result<TokenResponse, ClientError> {
        let code = request.code(&self.endpoint, redirected_to)?;
        self.request(&request.exchange(&code)).await
    }

    /// Requests a new token with a refresh token, with the same key (RFC 9449 §5).
    ///
    /// # Errors
    /// As for every token request.
    pub async fn refresh(&self, refresh_token: &str) -> Result<TokenResponse, ClientError> {
        self.request(&grant::refresh(refresh_token)).await
    }

    /// A client that presents a token of this server.
    #[must_use]
    pub fn http_client(&self, token: &TokenResponse) -> DpopClient {
        DpopClient::with(
            self.endpoint.transport.clone(),
            self.key.clone(),
            token.access_token.clone(),
            self.nonces.clone(),
        )
    }

    async fn request(&self, form: &[(&str, &str)]) -> Result<TokenResponse, ClientError> {
        TokenResponse::read(self.post(&self.endpoint.url, form).await?, "DPoP")
    }

    /// Sends a form with a proof, and once more when the server asks for a nonce.
    async fn post(&self, url: &Url, form: &[(&str, &str)]) -> Result<Answer, ClientError> {
        let origin = origin_of(url)?;
        let mut challenged = false;
        loop {
            let nonce = self.nonces.newest(Role::AuthorizationServer, &origin);
            let proof = Proof::new("POST", url.as_str()).nonce(nonce.as_deref()).sign(&self.key)?;
            let answer = self.endpoint.send(url, form, Some(proof)).await?;
            let learned = self.nonces.learn(Role::AuthorizationServer, &origin, &answer.headers);
            if learned.is_err() {
                // Whatever was issued, or said to be wrong, counts more than the field.
                tracing::warn!(url = shown(url), "a malformed DPoP-Nonce is ignored");
            }
            let body = answer.body.as_deref().unwrap_or_default();
            if !asks_for_nonce(answer.status, &answer.headers, body) {
                return Ok(answer);
            }
            match learned {
                Ok(true) if challenged => return Err(ClientError::NonceLoop),
                Ok(true) => challenged = true,
                Ok(false) | Err(MalformedNonce) => return Err(ClientError::Nonce(MalformedNonce)),
            }
        }
    }
}
