//! Token requests with DPoP (RFC 9449 §5): client credentials, authorization code with PKCE, refresh.

use pop_core::jose::{KeyEncryptionKeys, SigningKey as DpopKey};
use reqwest::Url;

use crate::authorization_request::AuthorizationRequest;
use crate::authorization_server::{AuthorizationServer, RequestProof};
use crate::bound_client::BoundClient;
use crate::bound_token::{BoundToken, ProofMethod, TokenBinding};
use crate::builder::TokenClientBuilder;
use crate::client_authentication::ClientAuthentication;
use crate::client_certificate::ClientCertificate;
use crate::dpop_client::DpopClient;
use crate::error::{ClientError, OptionsError};
use crate::grant;
use crate::nonce::{MalformedNonce, NonceMemory, Role};
use crate::nonce_challenge::asks_for_nonce;
use crate::proof::Proof;
use crate::redaction::redacted;
use crate::signature_key::SignatureKey;
use crate::token_endpoint::TokenResponse;
use crate::token_request_key::TokenRequestKey;
use crate::transport::{CompleteResponse, Transport};
use crate::url::origin_of;

/// Requests tokens from one authorization server, all with the same key and, unless
/// [`TokenClientBuilder::binding`] says otherwise, all DPoP-bound. Cheap to clone.
///
/// ```no_run
/// # async fn call(redirected_to: &str) -> Result<(), Box<dyn std::error::Error>> {
/// use pop_client::{Algorithm, DpopKey, TokenClient};
///
/// let key = DpopKey::generate(Algorithm::ES256)?;
/// let server = TokenClient::builder("https://as.example", "my-client").build(key).await?;
/// let request = server.authorize("https://app.example/callback", Some("notes:read"), Some("https://api.example"))?;
/// println!("open {}", request.url); // the user approves, and the browser returns to the callback
/// let token = server.exchange(&request, redirected_to).await?;
/// let notes = server.http_client(&token).get("https://api.example/notes").send().await?;
/// # drop(notes);
/// # Ok(()) }
/// ```
///
/// # Security
/// Use a separate client with a separate key for each authorization server. With one key for two servers, a malicious
/// server can issue the client a token that was stolen elsewhere. Use a separate key for each resource server too, if
/// resource servers must not recognise the client: a key that is used everywhere identifies the client everywhere (RFC
/// 7800 §5).
#[derive(Debug, Clone)]
pub struct TokenClient {
    server: AuthorizationServer,
    key: DpopKey,
    binding: TokenBinding,
    request_key: Option<TokenRequestKey>,
    decryption_keys: Option<KeyEncryptionKeys>,
    nonces: NonceMemory,
}

impl TokenClientBuilder {
    /// Finds the endpoints and builds a client for DPoP-bound tokens, or for tokens with another
    /// [`binding`](Self::binding).
    ///
    /// # Errors
    /// [`ClientError::Options`], [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Discovery`],
    /// [`ClientError::WrongMetadata`] or [`ClientError::Algorithm`]. [`ClientError::Signature`] if signed token requests
    /// cannot have a key of this kind.
    pub async fn build(self, key: DpopKey) -> Result<TokenClient, ClientError> {
        match &self.request_key {
            Some(_) if self.binding != TokenBinding::HttpSig => {
                return Err(OptionsError::NotHttpSig { option: "sign_token_requests" }.into());
            }
            Some(TokenRequestKey::InRequest) => {
                SignatureKey::from(&key).runtime_key().map_err(ClientError::Signature)?;
            }
            Some(TokenRequestKey::Registered(_)) | None => {}
        }
        let transport = match self.certificate.clone() {
            Some(certificate) => Transport::with_certificate(&self.options, certificate)?,
            None => Transport::new(&self.options)?,
        };
        let (binding, request_key) = (self.binding, self.request_key.clone());
        let decryption_keys = self.decryption_keys.clone();
        let server = self.connect(transport).await?;
        server.check_key(&key)?;
        Ok(TokenClient { server, key, binding, request_key, decryption_keys, nonces: NonceMemory::default() })
    }
}

impl TokenClient {
    /// Starts a builder for a client with other than the default options.
    pub fn builder(issuer: impl Into<String>, client_id: impl Into<String>) -> TokenClientBuilder {
        TokenClientBuilder::new(issuer, client_id)
    }

    /// Finds the endpoints of an issuer (RFC 8414, OpenID Connect Discovery) with the default
    /// [`ClientOptions`](crate::ClientOptions). The metadata must name the requested issuer.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Discovery`], [`ClientError::WrongMetadata`] or
    /// [`ClientError::Algorithm`]. [`ClientError::Options`] for [`ClientAuthentication::TlsCertificate`], which needs
    /// [`discover_mtls`](Self::discover_mtls).
    pub async fn discover(
        issuer: &str,
        client_id: impl Into<String>,
        authentication: ClientAuthentication,
        key: DpopKey,
    ) -> Result<Self, ClientError> {
        Self::builder(issuer, client_id).authentication(authentication).build(key).await
    }

    /// As [`discover`](Self::discover), with a client certificate in TLS. Tokens are bound to the key. If the server is
    /// configured so for this client, they are bound to the certificate as well, or the certificate authenticates the
    /// client. [`http_client`](Self::http_client) then sends the certificate too.
    ///
    /// # Errors
    /// As for [`discover`](Self::discover). [`ClientError::Url`] also when the token endpoint is not https.
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

    /// Returns the key that all tokens are bound to. Tokens with [`TokenBinding::SharedKey`] have other keys.
    #[must_use]
    pub const fn key(&self) -> &DpopKey {
        &self.key
    }

    /// Requests a token for the client itself (RFC 6749 §4.4).
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
        self.request_token(&grant::client_credentials(scope, resource)).await
    }

    /// Starts an authorization code flow with PKCE (S256), `state` and `dpop_jkt` (RFC 9449 §10). If the server
    /// requires pushed authorization requests, call [`push`](Self::push) next.
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
        let jkt = self.key.thumbprint().to_string();
        AuthorizationRequest::new(&self.server, redirect_uri, scope, resource, Some(&jkt))
    }

    /// Pushes the authorization request to the server, with client authentication and a proof (RFC 9126, RFC 9449
    /// §10.1). The URL of the returned request refers to the pushed one. It is valid for a short time only.
    ///
    /// # Errors
    /// [`ClientError::Response`] when the server has no endpoint for pushed requests, and as for every token request.
    pub async fn push(&self, request: AuthorizationRequest) -> Result<AuthorizationRequest, ClientError> {
        let url = self.server.pushed_authorization_endpoint()?;
        let parameters = request.pushed_form();
        let form: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
        let response = self.post(url, &form).await?;
        request.pushed(&self.server, response)
    }

    /// Returns whether the server accepts authorization requests only if they are pushed (RFC 9126 §5).
    #[must_use]
    pub const fn requires_push(&self) -> bool {
        self.server.metadata.requires_push
    }

    /// Exchanges the code in the URL that the browser was redirected to. `state` must match, and `iss` too if it is
    /// present (RFC 9207).
    ///
    /// # Errors
    /// [`ClientError::AuthorizationResponse`], and as for every token request.
    pub async fn exchange(
        &self,
        request: &AuthorizationRequest,
        redirected_to: &str,
    ) -> Result<TokenResponse, ClientError> {
        let code = request.code(&self.server, redirected_to)?;
        self.request_token(&request.code_grant(&code)).await
    }

    /// Requests a new token with a refresh token, with the same key (RFC 9449 §5).
    ///
    /// # Errors
    /// As for every token request.
    pub async fn refresh(&self, refresh_token: &str) -> Result<TokenResponse, ClientError> {
        self.request_token(&grant::refresh_token(refresh_token)).await
    }

    /// Returns a token of this client together with what proves possession of its key.
    ///
    /// # Errors
    /// [`ClientError::Response`] for a response without a usable symmetric key, if the binding is
    /// [`TokenBinding::SharedKey`]. Responses that this client received have been checked.
    pub fn bound_token(&self, token: &TokenResponse) -> Result<BoundToken, ClientError> {
        let key = || self.key.clone();
        let proof = match self.binding {
            TokenBinding::Dpop => ProofMethod::Dpop(key()),
            TokenBinding::HttpSig => ProofMethod::HttpSig(key()),
            TokenBinding::Pop => ProofMethod::Pop(key()),
            TokenBinding::PopThumbprint => ProofMethod::PopThumbprint(key()),
            TokenBinding::SharedKey => ProofMethod::SharedKey(token.shared_key(self.decryption_keys.as_ref())?),
        };
        Ok(BoundToken::new(token.access_token.as_str(), proof))
    }

    /// Returns an HTTP client that presents a token of this server, with the proof that the token needs.
    ///
    /// # Errors
    /// As for [`bound_token`](Self::bound_token).
    pub fn bound_client(&self, token: &TokenResponse) -> Result<BoundClient, ClientError> {
        let token = self.bound_token(token)?;
        Ok(BoundClient::with_transport(self.server.transport.clone(), token, self.nonces.clone()))
    }

    /// Returns an HTTP client that presents a DPoP-bound token of this server. Tokens with another
    /// [`TokenBinding`] need [`bound_client`](Self::bound_client).
    #[must_use]
    pub fn http_client(&self, token: &TokenResponse) -> DpopClient {
        DpopClient::with_transport(
            self.server.transport.clone(),
            self.key.clone(),
            token.access_token.clone(),
            self.nonces.clone(),
        )
    }

    async fn request_token(&self, form: &[(&str, &str)]) -> Result<TokenResponse, ClientError> {
        let response = match &self.request_key {
            Some(named) => {
                let proof = RequestProof::Signature { key: &self.key, keyid: named.keyid() };
                self.server.send(self.server.token_endpoint(), form, proof).await?
            }
            None => {
                let parameters = self.binding.parameters(&self.key);
                let added = parameters.iter().map(|(name, value)| (*name, value.as_str()));
                let form: Vec<_> = form.iter().copied().chain(added).collect();
                self.post(self.server.token_endpoint(), &form).await?
            }
        };
        let mut token = TokenResponse::read(response, self.binding.token_type())?;
        if self.binding == TokenBinding::SharedKey {
            token.keep_shared_key(self.decryption_keys.as_ref())?;
        }
        Ok(token)
    }

    /// Sends a form with a proof, and once more when the server asks for a nonce.
    async fn post(&self, url: &Url, form: &[(&str, &str)]) -> Result<CompleteResponse, ClientError> {
        let origin = origin_of(url)?;
        let mut challenged = false;
        loop {
            let nonce = self.nonces.newest(Role::AuthorizationServer, &origin);
            let proof = Proof::new("POST", url.as_str()).nonce(nonce.as_deref()).sign(&self.key)?;
            let response = self.server.send(url, form, RequestProof::Dpop(proof)).await?;
            let learned = self.nonces.learn(Role::AuthorizationServer, &origin, &response.headers);
            if learned.is_err() {
                // The token or the error in the response matters more than the malformed field.
                tracing::warn!(url = redacted(url), "ignored a malformed DPoP-Nonce");
            }
            let body = response.body.as_deref().unwrap_or_default();
            if !asks_for_nonce(response.status, &response.headers, body) {
                return Ok(response);
            }
            match learned {
                Ok(true) if challenged => return Err(ClientError::NonceLoop),
                Ok(true) => challenged = true,
                Ok(false) | Err(MalformedNonce) => return Err(ClientError::Nonce(MalformedNonce)),
            }
        }
    }
}
