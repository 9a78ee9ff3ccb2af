//! Token requests with DPoP (RFC 9449 §5): client credentials, authorization code with PKCE, refresh.

use std::fmt;

use http::header::AUTHORIZATION;
use pop_core::jose::encode;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::ClientError;
use crate::http::{DPOP, DpopClient, checked_url, http_client, origin_of, sensitive};
use crate::key::DpopKey;
use crate::nonce::{NonceMemory, Role};
use crate::proof::{Proof, random_id, unix_now};

/// How a client authenticates at the token endpoint. `Debug` shows the kind only.
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// A public client.
    None,
    /// `client_secret_basic`.
    SecretBasic(String),
    /// `private_key_jwt`; the assertion's sole audience is the issuer.
    PrivateKeyJwt(DpopKey),
}

/// Requests DPoP-bound tokens from one authorization server, all with one key. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TokenClient {
    http: reqwest::Client,
    issuer: String,
    token_endpoint: Url,
    authorization_endpoint: Option<Url>,
    client_id: String,
    authentication: ClientAuthentication,
    key: DpopKey,
    nonces: NonceMemory,
}

/// A token response. The access token is opaque to clients and never looked into. `Debug` hides all tokens.
#[derive(Clone, Deserialize)]
#[non_exhaustive]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// Lifetime in seconds.
    pub expires_in: Option<u64>,
    /// The refresh token.
    pub refresh_token: Option<String>,
    /// The scopes, where they differ from those asked for.
    pub scope: Option<String>,
    token_type: String,
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

#[derive(Deserialize)]
struct ServerMetadata {
    issuer: String,
    token_endpoint: String,
    authorization_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct OAuthError {
    error: String,
    error_description: Option<String>,
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
        let http = http_client()?;
        let url = crate::metadata::well_known(&checked_url(issuer)?, "oauth-authorization-server");
        let response = http.get(url).send().await?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Response("no authorization server metadata"));
        }
        let metadata: ServerMetadata = response.json().await?;
        if metadata.issuer != issuer {
            return Err(ClientError::WrongMetadata("issuer"));
        }
        let authorization_endpoint = metadata.authorization_endpoint.as_deref().map(checked_url).transpose()?;
        Ok(Self {
            http,
            issuer: metadata.issuer,
            token_endpoint: checked_url(&metadata.token_endpoint)?,
            authorization_endpoint,
            client_id: client_id.into(),
            authentication,
            key,
            nonces: NonceMemory::default(),
        })
    }

    /// The key that all tokens are bound to.
    #[must_use]
    pub const fn key(&self) -> &DpopKey {
        &self.key
    }

    /// Requests a token for the client itself.
    ///
    /// # Errors
    /// As for every token request: [`ClientError::OAuth`], [`ClientError::NotDpopBound`], [`ClientError::NonceLoop`],
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
        let endpoint = self.authorization_endpoint.clone();
        let mut url = endpoint.ok_or(ClientError::Response("the server has no authorization endpoint"))?;
        let (state, verifier) = (random_id()?, random_id()? + &random_id()?);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
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
        if parameter("iss").is_some_and(|issuer| issuer != self.issuer) {
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
        DpopClient::with(self.http.clone(), self.key.clone(), token.access_token.clone(), self.nonces.clone())
    }

    async fn request(&self, form: &[(&str, &str)]) -> Result<TokenResponse, ClientError> {
        let origin = origin_of(&self.token_endpoint)?;
        for _ in 0..2 {
            let nonce = self.nonces.newest(Role::AuthorizationServer, &origin);
            let proof = Proof::new("POST", self.token_endpoint.as_str()).nonce(nonce.as_deref()).sign(&self.key)?;
            let response = self.send(form, proof).await?;
            let status = response.status();
            let renewed = self.nonces.learn(Role::AuthorizationServer, &origin, response.headers())?;
            match read(status, response).await {
                Err(ClientError::OAuth { code, .. }) if code == "use_dpop_nonce" && renewed => {}
                answer => return answer,
            }
        }
        Err(ClientError::NonceLoop)
    }

    async fn send(&self, form: &[(&str, &str)], proof: String) -> Result<Response, ClientError> {
        let mut form: Vec<(&str, &str)> = form.to_vec();
        let mut request = self.http.post(self.token_endpoint.clone()).header(DPOP, sensitive(proof)?);
        let assertion;
        match &self.authentication {
            ClientAuthentication::None => form.push(("client_id", &self.client_id)),
            ClientAuthentication::SecretBasic(secret) => {
                request = request.header(AUTHORIZATION, sensitive(basic(&self.client_id, secret))?);
            }
            ClientAuthentication::PrivateKeyJwt(key) => {
                assertion = self.assertion(key)?;
                form.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
                form.push(("client_assertion", &assertion));
            }
        }
        Ok(request.form(&form).send().await?)
    }

    /// RFC 7523, with the issuer as the sole audience: an assertion for one server is of no use at another.
    fn assertion(&self, key: &DpopKey) -> Result<String, ClientError> {
        let now = unix_now();
        let header = json!({ "typ": "client-authentication+jwt", "alg": key.algorithm().name() });
        let claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": self.issuer,
            "iat": now, "exp": now + 60, "jti": random_id()?,
        });
        Ok(key.sign_jws(&header.to_string(), &claims.to_string())?)
    }
}

async fn read(status: StatusCode, response: Response) -> Result<TokenResponse, ClientError> {
    let body = response.bytes().await?;
    if status != StatusCode::OK {
        let error: OAuthError =
            serde_json::from_slice(&body).map_err(|_| ClientError::Response("neither a token nor an OAuth error"))?;
        return Err(ClientError::OAuth { code: error.error, description: error.error_description });
    }
    let token: TokenResponse =
        serde_json::from_slice(&body).map_err(|_| ClientError::Response("not a token response"))?;
    if !token.token_type.eq_ignore_ascii_case("DPoP") {
        return Err(ClientError::NotDpopBound);
    }
    Ok(token)
}

/// RFC 6749 §2.3.1: both parts form-encoded, then Basic.
fn basic(client_id: &str, secret: &str) -> String {
    let encode_part = |part: &str| -> String {
        let mut pair = Url::parse("x:?").map_or_else(
            |_| String::new(),
            |mut url| {
                url.query_pairs_mut().append_pair("", part);
                url.query().unwrap_or_default().to_owned()
            },
        );
        pair.split_off(pair.find('=').map_or(0, |at| at + 1))
    };
    let pair = format!("{}:{}", encode_part(client_id), encode_part(secret));
    format!("Basic {}", pop_core::jose::encode_standard(pair))
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::SecretBasic(_) => "SecretBasic(..)",
            Self::PrivateKeyJwt(_) => "PrivateKeyJwt(..)",
        })
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}
