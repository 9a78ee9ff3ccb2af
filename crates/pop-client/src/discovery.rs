//! The metadata of authorization servers (RFC 8414, OpenID Connect Discovery), or endpoints given by hand.

use reqwest::Url;

use crate::error::{ClientError, DiscoveryError, UrlError, shown, shown_text};
use crate::json::{self, Document, WrongType};
use crate::transport::Transport;
use crate::url::checked_url;

/// The endpoints of an authorization server, given by hand: for servers without metadata, or behind other names than
/// their metadata says. Nothing is fetched then.
///
/// ```
/// use pop_client::Endpoints;
///
/// let endpoints = Endpoints::new("https://as.example/token").authorization("https://as.example/authorize");
/// # let _ = endpoints;
/// ```
#[derive(Debug, Clone)]
#[must_use = "endpoints are given to a TokenClientBuilder"]
pub struct Endpoints {
    token: String,
    authorization: Option<String>,
    pushed_authorization: Option<String>,
    sends_iss: bool,
}

impl Endpoints {
    /// A server with this token endpoint.
    pub fn new(token: impl Into<String>) -> Self {
        Self { token: token.into(), authorization: None, pushed_authorization: None, sends_iss: false }
    }

    /// Sets the authorization endpoint. Defaults to none.
    pub fn authorization(mut self, url: impl Into<String>) -> Self {
        self.authorization = Some(url.into());
        self
    }

    /// Sets the endpoint for pushed authorization requests (RFC 9126). Defaults to none.
    pub fn pushed_authorization(mut self, url: impl Into<String>) -> Self {
        self.pushed_authorization = Some(url.into());
        self
    }

    /// Rejects authorization responses without `iss`, as those of a server whose metadata has
    /// `authorization_response_iss_parameter_supported` (RFC 9207 §2.4). Off by default; an `iss` that is present must
    /// always be right.
    pub const fn requires_iss(mut self) -> Self {
        self.sends_iss = true;
        self
    }
}

/// What a client needs to know of an authorization server.
#[derive(Debug, Clone)]
pub(crate) struct ServerMetadata {
    pub(crate) token: Url,
    pub(crate) authorization: Option<Url>,
    pub(crate) pushed_authorization: Option<Url>,
    /// The ones for requests with a client certificate, where they are others (RFC 8705 §5).
    pub(crate) mtls_token: Option<Url>,
    pub(crate) mtls_pushed_authorization: Option<Url>,
    /// Whether every answer of the authorization endpoint names the issuer (RFC 9207 §3).
    pub(crate) sends_iss: bool,
    /// Whether authorization requests must be pushed (RFC 9126 §5).
    pub(crate) requires_push: bool,
    /// Algorithms for proofs, where the server says which.
    pub(crate) proof_algorithms: Option<Vec<String>>,
}

impl ServerMetadata {
    /// Reads the metadata at the first of the issuer's well-known URLs where it is usable.
    pub(crate) async fn discover(transport: &Transport, issuer: &str) -> Result<Self, ClientError> {
        let own = issuer_url(issuer, transport.options.allow_http)?;
        let mut attempts = Vec::new();
        for url in well_known_urls(&own) {
            let found = match transport.document(url.clone()).await {
                Ok(document) => Self::read(&document, issuer, &own, transport.options.allow_http),
                Err(error) => Err(error),
            };
            match found {
                Ok(metadata) => return Ok(metadata),
                // All of them are at the same server.
                Err(ClientError::Http(error)) if error.is_connect() => return Err(error.into()),
                Err(error) => {
                    tracing::info!(issuer, url = url.as_str(), %error, "no usable metadata here");
                    attempts.push((url.to_string(), error));
                }
            }
        }
        let error = DiscoveryError { issuer: issuer.to_owned(), attempts };
        tracing::warn!(%error, "discovery failed");
        let wrong = error.attempts.iter().find_map(|(_, error)| match error {
            ClientError::WrongMetadata(what) => Some(*what),
            _ => None,
        });
        Err(wrong.map_or(error.into(), ClientError::WrongMetadata))
    }

    /// Endpoints given by hand: the caller vouches for them.
    pub(crate) fn given(endpoints: &Endpoints, allow_http: bool) -> Result<Self, ClientError> {
        let checked = |url: &Option<String>| url.as_deref().map(|url| checked_url(url, allow_http)).transpose();
        Ok(Self {
            token: checked_url(&endpoints.token, allow_http)?,
            authorization: checked(&endpoints.authorization)?,
            pushed_authorization: checked(&endpoints.pushed_authorization)?,
            mtls_token: None,
            mtls_pushed_authorization: None,
            sends_iss: endpoints.sends_iss,
            requires_push: false,
            proof_algorithms: None,
        })
    }

    fn read(document: &Document, issuer: &str, own: &Url, allow_http: bool) -> Result<Self, ClientError> {
        if document.get("issuer").and_then(serde_json::Value::as_str) != Some(issuer) {
            return Err(ClientError::WrongMetadata("issuer"));
        }
        let wrong = |_: WrongType| ClientError::Response("a member of the metadata has another type");
        let endpoint = |document: &Document, name: &str| -> Result<Option<Url>, ClientError> {
            let url = json::text(document, name).map_err(wrong)?;
            url.map(|url| endpoint_of(own, &url, allow_http)).transpose()
        };
        let none = Document::new();
        let aliases = match json::member(document, "mtls_endpoint_aliases") {
            None => &none,
            Some(aliases) => aliases.as_object().ok_or(WrongType).map_err(wrong)?,
        };
        let token = endpoint(document, "token_endpoint")?;
        Ok(Self {
            token: token.ok_or(ClientError::Response("metadata without a token endpoint"))?,
            authorization: endpoint(document, "authorization_endpoint")?,
            pushed_authorization: endpoint(document, "pushed_authorization_request_endpoint")?,
            mtls_token: endpoint(aliases, "token_endpoint")?,
            mtls_pushed_authorization: endpoint(aliases, "pushed_authorization_request_endpoint")?,
            sends_iss: json::flag(document, "authorization_response_iss_parameter_supported").map_err(wrong)?,
            requires_push: json::flag(document, "require_pushed_authorization_requests").map_err(wrong)?,
            proof_algorithms: json::texts(document, "dpop_signing_alg_values_supported").map_err(wrong)?,
        })
    }
}

/// An issuer has no query and no fragment (RFC 8414 §2).
fn issuer_url(issuer: &str, allow_http: bool) -> Result<Url, UrlError> {
    let url = checked_url(issuer, allow_http)?;
    if url.query().is_some() || url.fragment().is_some() {
        let reason = "an issuer has neither query nor fragment".to_owned();
        return Err(UrlError::Syntax { url: shown_text(issuer), reason });
    }
    Ok(url)
}

/// Where the metadata of an issuer may be, the standard's place first: RFC 8414 §3.1, §5, OpenID Connect Discovery §4.
fn well_known_urls(issuer: &Url) -> Vec<Url> {
    let (oauth, oidc) = ("oauth-authorization-server", "openid-configuration");
    let mut urls: Vec<Url> = Vec::new();
    for url in [well_known(issuer, oauth), well_known(issuer, oidc), appended(issuer, oidc), appended(issuer, oauth)] {
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// Puts a well-known name between host and path (RFC 8414 §3.1, RFC 9728 §3.1).
pub(crate) fn well_known(url: &Url, name: &str) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    let mut url = url.clone();
    url.set_path(&format!("/.well-known/{name}{path}"));
    url.set_fragment(None);
    url
}

fn appended(url: &Url, name: &str) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    let mut url = url.clone();
    url.set_path(&format!("{path}/.well-known/{name}"));
    url
}

/// An endpoint that an issuer's metadata names. An issuer on https keeps to it: its metadata must not send secrets to a
/// process that listens on this machine.
fn endpoint_of(issuer: &Url, url: &str, allow_http: bool) -> Result<Url, ClientError> {
    let endpoint = checked_url(url, allow_http)?;
    if issuer.scheme() == "https" && endpoint.scheme() != "https" {
        return Err(UrlError::NotHttps { url: shown(&endpoint) }.into());
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-13, CLI-18, X-64: the option for plain http does not change that.
    #[test]
    fn an_https_issuer_has_no_endpoints_without_tls() {
        let (https, loopback) = ("https://as.example", "http://127.0.0.1:9400");
        for (issuer, url, accepted) in [
            (https, "https://as.example/token", true),
            (https, "https://tokens.example/token", true),
            (https, "http://127.0.0.1:9400/token", false),
            (https, "http://as.example/token", false),
            (loopback, "http://127.0.0.1:9400/token", true),
            (loopback, "https://as.example/token", true),
            (loopback, "http://as.example/token", false),
        ] {
            let own = checked_url(issuer, false).unwrap();
            assert_eq!(endpoint_of(&own, url, false).is_ok(), accepted, "CLI-13 {issuer} {url}");
        }
        let own = checked_url(https, true).unwrap();
        assert!(endpoint_of(&own, "http://as.example/token", true).is_err(), "CLI-18 even with the option");
        let own = checked_url("http://as.example", true).unwrap();
        assert!(endpoint_of(&own, "http://as.example/token", true).is_ok(), "CLI-18 the option's purpose");
    }

    /// CLI-23: at two for an issuer without a path.
    #[test]
    fn looks_for_metadata_at_four_places() {
        let at = |issuer: &str| -> Vec<String> {
            well_known_urls(&issuer_url(issuer, false).unwrap()).iter().map(Url::to_string).collect()
        };
        let root = [
            "https://as.example/.well-known/oauth-authorization-server",
            "https://as.example/.well-known/openid-configuration",
        ];
        assert_eq!(at("https://as.example"), root, "CLI-23");
        assert_eq!(at("https://as.example/"), root, "CLI-23");
        let tenant = [
            "https://as.example/.well-known/oauth-authorization-server/tenant/1",
            "https://as.example/.well-known/openid-configuration/tenant/1",
            "https://as.example/tenant/1/.well-known/openid-configuration",
            "https://as.example/tenant/1/.well-known/oauth-authorization-server",
        ];
        assert_eq!(at("https://as.example/tenant/1"), tenant, "CLI-23");
        assert_eq!(at("https://as.example/tenant/1/"), tenant, "CLI-23");
        for issuer in ["https://as.example/?a", "https://as.example/#a"] {
            assert!(matches!(issuer_url(issuer, false), Err(UrlError::Syntax { .. })), "CLI-23 {issuer}");
        }
    }
}
