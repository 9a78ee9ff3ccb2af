//! The options of a client of an authorization server. The functions that build are beside the clients:
//! [`TokenClient`](crate::TokenClient), [`MtlsTokenClient`](crate::MtlsTokenClient).

use pop_core::jose::KeyEncryptionKeys;

use crate::authorization_server::AuthorizationServer;
use crate::bound_token::TokenBinding;
use crate::client_authentication::ClientAuthentication;
use crate::client_certificate::ClientCertificate;
use crate::discovery::ServerMetadata;
use crate::endpoints::Endpoints;
use crate::error::{ClientError, OptionsError, UrlError};
use crate::options::ClientOptions;
use crate::redaction::redacted;
use crate::token_request_key::TokenRequestKey;
use crate::transport::Transport;

/// Builds a [`TokenClient`](crate::TokenClient) or an [`MtlsTokenClient`](crate::MtlsTokenClient).
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
#[must_use = "call build() or build_certificate_bound()"]
pub struct TokenClientBuilder {
    issuer: String,
    client_id: String,
    authentication: ClientAuthentication,
    pub(crate) options: ClientOptions,
    endpoints: Option<Endpoints>,
    pub(crate) certificate: Option<ClientCertificate>,
    pub(crate) binding: TokenBinding,
    pub(crate) request_key: Option<TokenRequestKey>,
    pub(crate) decryption_keys: Option<KeyEncryptionKeys>,
}

impl TokenClientBuilder {
    /// Starts with a public client of this issuer.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            client_id: client_id.into(),
            authentication: ClientAuthentication::None,
            options: ClientOptions::default(),
            endpoints: None,
            certificate: None,
            binding: TokenBinding::Dpop,
            request_key: None,
            decryption_keys: None,
        }
    }

    /// Sets how the client authenticates. Defaults to [`ClientAuthentication::None`].
    ///
    /// ```
    /// use pop_client::{Algorithm, ClientAuthentication, DpopKey, TokenClient};
    ///
    /// let key = DpopKey::generate(Algorithm::ES256)?; // not the key of the proofs
    /// let builder = TokenClient::builder("https://as.example", "my-client")
    ///     .authentication(ClientAuthentication::PrivateKeyJwtWithKid { key, kid: "2026".to_owned() });
    /// # drop(builder);
    /// # Ok::<(), pop_client::KeyError>(())
    /// ```
    pub fn authentication(mut self, authentication: ClientAuthentication) -> Self {
        self.authentication = authentication;
        self
    }

    /// Sets timeouts, limits and HTTP settings. [`TokenClient::http_client`](crate::TokenClient::http_client) and
    /// [`MtlsTokenClient::http_client`](crate::MtlsTokenClient::http_client) use them too. Defaults to
    /// [`ClientOptions::new`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use pop_client::{ClientOptions, TokenClient};
    ///
    /// let options = ClientOptions::new().token_timeout(Duration::from_secs(5));
    /// let builder = TokenClient::builder("https://as.example", "my-client").options(options);
    /// # drop(builder);
    /// ```
    pub fn options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    /// Uses these endpoints, and does not fetch the metadata of the issuer. Defaults to discovery. See [`Endpoints`]
    /// for an example.
    pub fn endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = Some(endpoints);
        self
    }

    /// Sends this certificate in TLS. Requests go to the `mtls_endpoint_aliases` of the server, if it has some (RFC
    /// 8705 §5). The token endpoint must be https then. Defaults to none.
    ///
    /// ```no_run
    /// # async fn call() -> Result<(), Box<dyn std::error::Error>> {
    /// use pop_client::{ClientAuthentication, ClientCertificate, TokenClient};
    ///
    /// let (chain, key) = (std::fs::read_to_string("client.pem")?, std::fs::read_to_string("client.key")?);
    /// let client = TokenClient::builder("https://as.example", "my-client")
    ///     .authentication(ClientAuthentication::TlsCertificate)
    ///     .certificate(ClientCertificate::from_pem(&chain, &key)?)
    ///     .build_certificate_bound()
    ///     .await?;
    /// # drop(client);
    /// # Ok(()) }
    /// ```
    pub fn certificate(mut self, certificate: ClientCertificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Sets how tokens are bound. A token of another type is rejected. [`TokenClient::bound_token`] returns what proves
    /// possession. Defaults to [`TokenBinding::Dpop`]. Certificate-bound clients have no other binding.
    ///
    /// [`TokenClient::bound_token`]: crate::TokenClient::bound_token
    ///
    /// ```no_run
    /// # async fn call() -> Result<(), pop_client::ClientError> {
    /// use pop_client::{Algorithm, DpopKey, TokenBinding, TokenClient};
    ///
    /// let client = TokenClient::builder("https://as.example", "my-client")
    ///     .binding(TokenBinding::HttpSig)
    ///     .build(DpopKey::generate(Algorithm::Ed25519)?)
    ///     .await?;
    /// let token = client.client_credentials(Some("notes:read"), Some("https://api.example")).await?;
    /// assert_eq!(client.bound_token(&token)?.proof().scheme(), "HTTPSig");
    /// # Ok(()) }
    /// ```
    pub const fn binding(mut self, binding: TokenBinding) -> Self {
        self.binding = binding;
        self
    }

    /// Asks for [`TokenBinding::HttpSig`] by a message signature on each token request, instead of a DPoP proof with
    /// `req_cnf` (draft-richer-oauth-httpsig). The signature covers the method, the URL, the form and the client
    /// authentication. Pushed authorization requests have a DPoP proof all the same. Off by default: a server that does
    /// not know such signatures issues a token of another type, which is rejected.
    ///
    /// ```no_run
    /// # async fn call() -> Result<(), pop_client::ClientError> {
    /// use pop_client::{Algorithm, DpopKey, TokenBinding, TokenClient, TokenRequestKey};
    ///
    /// let client = TokenClient::builder("https://as.example", "my-client")
    ///     .binding(TokenBinding::HttpSig)
    ///     .sign_token_requests(TokenRequestKey::InRequest)
    ///     .build(DpopKey::generate(Algorithm::Ed25519)?)
    ///     .await?;
    /// # drop(client);
    /// # Ok(()) }
    /// ```
    pub fn sign_token_requests(mut self, key: TokenRequestKey) -> Self {
        self.request_key = Some(key);
        self
    }

    /// Sets the private keys that the server encrypts symmetric keys for ([`TokenBinding::SharedKey`]). The server must
    /// know the public keys: [`KeyEncryptionKeys::public_jwks`]. Defaults to none: then the server must send the key as
    /// a JWK, which TLS alone protects.
    ///
    /// ```
    /// use pop_client::{KeyEncryptionKeys, TokenBinding, TokenClient};
    ///
    /// # fn builder(jwks: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = TokenClient::builder("https://as.example", "my-client")
    ///     .binding(TokenBinding::SharedKey)
    ///     .decryption_keys(KeyEncryptionKeys::parse(jwks)?);
    /// # drop(builder);
    /// # Ok(()) }
    /// ```
    pub fn decryption_keys(mut self, keys: KeyEncryptionKeys) -> Self {
        self.decryption_keys = Some(keys);
        self
    }

    /// Finds the endpoints.
    pub(crate) async fn connect(self, transport: Transport) -> Result<AuthorizationServer, ClientError> {
        if self.certificate.is_none() && matches!(self.authentication, ClientAuthentication::TlsCertificate) {
            return Err(OptionsError::NoCertificate { option: "ClientAuthentication::TlsCertificate" }.into());
        }
        let mut metadata = match &self.endpoints {
            Some(endpoints) => ServerMetadata::from_endpoints(endpoints, transport.options.allow_http)?,
            None => ServerMetadata::discover(&transport, &self.issuer).await?,
        };
        if self.certificate.is_some() {
            metadata = metadata.with_mtls_aliases();
            let used = [Some(&metadata.token), metadata.pushed_authorization.as_ref()];
            if let Some(url) = used.into_iter().flatten().find(|url| url.scheme() != "https") {
                return Err(UrlError::NotHttps { url: redacted(url) }.into());
            }
        }
        let Self { issuer, client_id, authentication, .. } = self;
        Ok(AuthorizationServer { transport, issuer, metadata, client_id, authentication })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `pop-authserver/tests/pushed_requests.rs` has the accepting twin with a certificate.
    #[tokio::test]
    async fn rejects_authentication_by_certificate_when_no_certificate_is_set() {
        let transport = || Transport::new(&ClientOptions::new()).unwrap();
        let builder = TokenClientBuilder::new("https://as.example", "my-client");
        let builder = builder.endpoints(Endpoints::new("https://as.example/token"));
        builder.clone().connect(transport()).await.unwrap();
        let rejected = builder.authentication(ClientAuthentication::TlsCertificate).connect(transport()).await;
        let expected = OptionsError::NoCertificate { option: "ClientAuthentication::TlsCertificate" };
        assert!(matches!(rejected, Err(ClientError::Options(error)) if error == expected));
    }
}
