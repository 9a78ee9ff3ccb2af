//! Token requests with DPoP (RFC 9449 §5): client credentials, authorization code with PKCE, refresh.

use std::fmt;

use pop_core::jose::encode;
use reqwest::Url;
use sha2::{Digest, Sha256};

use crate::DpopKey;
use crate::error::ClientError;
use crate::http::{DpopClient, http_client, origin_of};
use crate::nonce::{NonceMemory, Role};
use crate::proof::{Proof, random_id};
use crate::token_endpoint::{ClientAuthentication, TokenEndpoint, TokenResponse};

/// Requests DPoP-bound tokens from one authorization server, all with one key. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TokenClient {
    endpoint: TokenEndpoint,
    key: DpopKey,
    nonces: NonceMemory,
}

/// An authorization request and what is needed to check its answer. `Debug` hides the PKCE verifier.
#[derive(Clone)]
pub struct AuthorizationRequest {
    /// Where to send the user's browser.
    pub url: Url,
    redirect_uri: String,
    state: String,
    verifier: String,
}

impl TokenClient {
    /// Finds the endpoints of an issuer (RFC 8414) and checks that the metadata is the issuer's.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Response`] or [`ClientError::WrongMetadata`].
    pub async fn discover(
        issuer: &str,
        client_id: impl Into<String>,
        authentication: ClientAuthentication,
        key: DpopKey,
    ) -> Result<Self, ClientError> {
        let endpoint = TokenEndpoint::discover(http_client()?, issuer, client_id.into(), authentication).await?;
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
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scope.map(|scope| ("scope", scope)));
        form.extend(resource.map(|resource| ("resource", resource)));
        self.request(&form).await
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
        let endpoint = self.endpoint.authorization_endpoint.clone();
        let mut url = endpoint.ok_or(ClientError::Response("the server has no authorization endpoint"))?;
        let (state, verifier) = (random_id()?, random_id()? + &random_id()?);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.endpoint.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", &state)
            .append_pair("code_challenge", &encode(Sha256::digest(&verifier)))
            .append_pair("code_challenge_method", "S256")
            .append_pair("dpop_jkt", &self.key.thumbprint().to_string())
            .extend_pairs(scope.map(|scope| ("scope", scope)))
            .extend_pairs(resource.map(|resource| ("resource", resource)));
        Ok(AuthorizationRequest { url, redirect_uri: redirect_uri.to_owned(), state, verifier })
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
        let refused = ClientError::AuthorizationResponse;
        let url = Url::parse(redirected_to).map_err(|_| refused("not a URL"))?;
        let parameter =
            |name: &str| url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned());
        if parameter("state").as_ref() != Some(&request.state) {
            return Err(refused("state differs"));
        }
        if parameter("iss").is_some_and(|issuer| issuer != self.endpoint.issuer) {
            return Err(refused("iss differs"));
        }
        if let Some(code) = parameter("error") {
            return Err(ClientError::OAuth { code, description: parameter("error_description") });
        }
        let code = parameter("code").ok_or_else(|| refused("no code"))?;
        self.request(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &request.redirect_uri),
            ("code_verifier", &request.verifier),
        ])
        .await
    }

    /// Requests a new token with a refresh token, with the same key (RFC 9449 §5).
    ///
    /// # Errors
    /// As for every token request.
    pub async fn refresh(&self, refresh_token: &str) -> Result<TokenResponse, ClientError> {
        self.request(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
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

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}
