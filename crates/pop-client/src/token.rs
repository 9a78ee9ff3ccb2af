//! Token requests with DPoP (RFC 9449 §5): client credentials, authorization code with PKCE, refresh.

use crate::DpopKey;
use crate::error::ClientError;
use crate::grant::{self, AuthorizationRequest};
use crate::http::{DpopClient, http_client, origin_of};
use crate::mtls::ClientCertificate;
use crate::nonce::{NonceMemory, Role};
use crate::proof::Proof;
use crate::token_endpoint::{ClientAuthentication, TokenEndpoint, TokenResponse};

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
    /// Finds the endpoints of an issuer (RFC 8414) and checks that the metadata is the issuer's.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Response`], [`ClientError::WrongMetadata`] or
    /// [`ClientError::Algorithm`].
    pub async fn discover(
        issuer: &str,
        client_id: impl Into<String>,
        authentication: ClientAuthentication,
        key: DpopKey,
    ) -> Result<Self, ClientError> {
        let endpoint = TokenEndpoint::discover(http_client()?, issuer, client_id.into(), authentication).await?;
        endpoint.accepts(&key)?;
        Ok(Self { endpoint, key, nonces: NonceMemory::default() })
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
        let http = certificate.http_client()?;
        let endpoint = TokenEndpoint::discover_mtls(http, issuer, client_id.into(), authentication).await?;
        endpoint.accepts(&key)?;
        Ok(Self { endpoint, key, nonces: NonceMemory::default() })
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
    /// [`ClientError::Nonce`], [`ClientError::Response`], [`ClientError::Http`] or [`ClientError::Key`].
    pub async fn client_credentials(
        &self,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<TokenResponse, ClientError> {
        self.request(&grant::client_credentials(scope, resource)).await
    }

    /// Starts an authorization code flow with PKCE (S256), `state` and `dpop_jkt`.
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
        DpopClient::with(self.endpoint.http.clone(), self.key.clone(), token.access_token.clone(), self.nonces.clone())
    }

    async fn request(&self, form: &[(&str, &str)]) -> Result<TokenResponse, ClientError> {
        let origin = origin_of(&self.endpoint.url)?;
        for _ in 0..2 {
            let nonce = self.nonces.newest(Role::AuthorizationServer, &origin);
            let proof = Proof::new("POST", self.endpoint.url.as_str()).nonce(nonce.as_deref()).sign(&self.key)?;
            let response = self.endpoint.send(form, Some(proof)).await?;
            let status = response.status();
            let renewed = self.nonces.learn(Role::AuthorizationServer, &origin, response.headers())?;
            match TokenResponse::read(status, response, "DPoP").await {
                Err(ClientError::OAuth { code, .. }) if code == "use_dpop_nonce" && renewed => {}
                answer => return answer,
            }
        }
        Err(ClientError::NonceLoop)
    }
}
