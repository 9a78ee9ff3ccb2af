//! The token endpoint: where it is, how a client authenticates there, and what it answers.

use std::fmt;

use http::header::AUTHORIZATION;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;

use crate::DpopKey;
use crate::challenge::preferred;
use crate::error::ClientError;
use crate::http::{DPOP, checked_url, sensitive};
use crate::proof::{random_id, unix_now};

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
    /// By the certificate of the TLS connection (RFC 8705 §2): with [`MtlsTokenClient`](crate::MtlsTokenClient).
    TlsCertificate,
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

/// The token endpoint of one issuer, for one client.
#[derive(Debug, Clone)]
pub(crate) struct TokenEndpoint {
    pub(crate) http: reqwest::Client,
    pub(crate) issuer: String,
    pub(crate) url: Url,
    /// The one for requests with a client certificate, where it is another.
    pub(crate) mtls_url: Option<Url>,
    pub(crate) authorization_endpoint: Option<Url>,
    /// Whether every answer of the authorization endpoint names the issuer (RFC 9207 §3).
    pub(crate) sends_iss: bool,
    /// Algorithms for proofs, where the server says which.
    pub(crate) proof_algorithms: Option<Vec<String>>,
    pub(crate) client_id: String,
    pub(crate) authentication: ClientAuthentication,
}

#[derive(Deserialize)]
struct ServerMetadata {
    issuer: String,
    token_endpoint: String,
    authorization_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    dpop_signing_alg_values_supported: Option<Vec<String>>,
    #[serde(default)]
    mtls_endpoint_aliases: EndpointAliases,
}

/// RFC 8705 §5
#[derive(Default, Deserialize)]
struct EndpointAliases {
    token_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct OAuthError {
    error: String,
    error_description: Option<String>,
}

impl TokenEndpoint {
    /// Finds the endpoints of an issuer (RFC 8414) and checks that the metadata is the issuer's.
    pub(crate) async fn discover(
        http: reqwest::Client,
        issuer: &str,
        client_id: String,
        authentication: ClientAuthentication,
    ) -> Result<Self, ClientError> {
        let url = crate::metadata::well_known(&checked_url(issuer)?, "oauth-authorization-server");
        let response = http.get(url).send().await?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Response("no authorization server metadata"));
        }
        let metadata: ServerMetadata = response.json().await?;
        if metadata.issuer != issuer {
            return Err(ClientError::WrongMetadata("issuer"));
        }
        let own = checked_url(issuer)?;
        let endpoint = |url: &str| endpoint_of(&own, url);
        let checked = |url: Option<&str>| url.map(endpoint).transpose();
        Ok(Self {
            http,
            issuer: metadata.issuer,
            url: endpoint(&metadata.token_endpoint)?,
            sends_iss: metadata.authorization_response_iss_parameter_supported,
            proof_algorithms: metadata.dpop_signing_alg_values_supported,
            mtls_url: checked(metadata.mtls_endpoint_aliases.token_endpoint.as_deref())?,
            authorization_endpoint: checked(metadata.authorization_endpoint.as_deref())?,
            client_id,
            authentication,
        })
    }

    /// As [`discover`](Self::discover), for requests over TLS with a client certificate: to the `mtls_endpoint_aliases`
    /// where there are some (RFC 8705 §5), and never without TLS.
    pub(crate) async fn discover_mtls(
        http: reqwest::Client,
        issuer: &str,
        client_id: String,
        authentication: ClientAuthentication,
    ) -> Result<Self, ClientError> {
        let mut endpoint = Self::discover(http, issuer, client_id, authentication).await?;
        if let Some(url) = endpoint.mtls_url.take() {
            endpoint.url = url;
        }
        if endpoint.url.scheme() != "https" {
            return Err(ClientError::Url(endpoint.url.to_string()));
        }
        Ok(endpoint)
    }

    /// Whether the server takes proofs by this key.
    pub(crate) fn accepts(&self, key: &DpopKey) -> Result<(), ClientError> {
        match &self.proof_algorithms {
            Some(names) if !names.iter().any(|name| name == key.algorithm().name()) => {
                Err(ClientError::Algorithm { preferred: preferred(names.iter().map(String::as_str)) })
            }
            _ => Ok(()),
        }
    }

    /// Sends a token request, authenticated.
    pub(crate) async fn send(&self, form: &[(&str, &str)], proof: Option<String>) -> Result<Response, ClientError> {
        let mut form: Vec<(&str, &str)> = form.to_vec();
        let mut request = self.http.post(self.url.clone());
        if let Some(proof) = proof {
            request = request.header(DPOP, sensitive(proof)?);
        }
        let assertion;
        match &self.authentication {
            ClientAuthentication::None | ClientAuthentication::TlsCertificate => {
                form.push(("client_id", &self.client_id));
            }
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

impl TokenResponse {
    /// Reads an answer of the token endpoint; a token of another type is discarded.
    pub(crate) async fn read(status: StatusCode, response: Response, token_type: &str) -> Result<Self, ClientError> {
        let body = response.bytes().await?;
        if status != StatusCode::OK {
            let error: OAuthError = serde_json::from_slice(&body)
                .map_err(|_| ClientError::Response("neither a token nor an OAuth error"))?;
            return Err(ClientError::OAuth { code: error.error, description: error.error_description });
        }
        let token: TokenResponse =
            serde_json::from_slice(&body).map_err(|_| ClientError::Response("not a token response"))?;
        if !token.token_type.eq_ignore_ascii_case(token_type) {
            return Err(ClientError::TokenType);
        }
        Ok(token)
    }
}

/// An endpoint that an issuer's metadata names. An issuer on https keeps to it: its metadata must not send secrets to whoever
/// listens on this machine.
fn endpoint_of(issuer: &Url, url: &str) -> Result<Url, ClientError> {
    match checked_url(url)? {
        endpoint if issuer.scheme() == "https" && endpoint.scheme() != "https" => Err(ClientError::Url(url.to_owned())),
        endpoint => Ok(endpoint),
    }
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
            Self::TlsCertificate => "TlsCertificate",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_13_cli_18_x_64_an_https_issuer_has_no_endpoints_without_tls() {
        let (https, loopback) = (checked_url("https://as.example"), checked_url("http://127.0.0.1:9400"));
        for (issuer, url, accepted) in [
            (&https, "https://as.example/token", true),
            (&https, "https://tokens.example/token", true),
            (&https, "http://127.0.0.1:9400/token", false),
            (&https, "http://as.example/token", false),
            (&loopback, "http://127.0.0.1:9400/token", true),
            (&loopback, "https://as.example/token", true),
            (&loopback, "http://as.example/token", false),
        ] {
            let issuer = issuer.as_ref().unwrap();
            assert_eq!(endpoint_of(issuer, url).is_ok(), accepted, "CLI-13 {issuer} {url}");
        }
    }
}
