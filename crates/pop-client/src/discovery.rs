//! The metadata of authorization servers (RFC 8414, OpenID Connect Discovery).

use reqwest::Url;

use crate::endpoints::Endpoints;
use crate::error::{ClientError, DiscoveryError, UrlError, UrlSyntaxError, with_causes};
use crate::json::{self, Document, WrongType};
use crate::redaction::{redacted, redacted_str};
use crate::transport::Transport;
use crate::url::checked_url;

/// What a client needs to know about an authorization server.
#[derive(Debug, Clone)]
pub(crate) struct ServerMetadata {
    pub(crate) token: Url,
    pub(crate) authorization: Option<Url>,
    pub(crate) pushed_authorization: Option<Url>,
    /// The endpoint for requests with a client certificate, if it differs (RFC 8705 §5).
    mtls_token: Option<Url>,
    mtls_pushed_authorization: Option<Url>,
    /// Whether every authorization response names the issuer (RFC 9207 §3).
    pub(crate) sends_iss: bool,
    /// Whether authorization requests must be pushed (RFC 9126 §5).
    pub(crate) requires_push: bool,
    /// The algorithms for proofs, if the server lists them.
    pub(crate) proof_algorithms: Option<Vec<String>>,
}

impl ServerMetadata {
    /// Fetches the metadata from the well-known URLs of the issuer, and returns the first that is usable.
    pub(crate) async fn discover(transport: &Transport, issuer: &str) -> Result<Self, ClientError> {
        let issuer_url = issuer_url(issuer, transport.options.allow_http)?;
        let mut attempts = Vec::new();
        for url in well_known_urls(&issuer_url) {
            let found = match transport.fetch_document(url.clone()).await {
                Ok(document) => Self::from_document(&document, issuer, &issuer_url, transport.options.allow_http),
                Err(error) => Err(error),
            };
            match found {
                Ok(metadata) => return Ok(metadata),
                // All well-known URLs are at the same server, so the others fail in the same way.
                Err(ClientError::Http(error)) if error.is_connect() => return Err(error.into()),
                Err(error) => {
                    tracing::info!(
                        issuer,
                        url = url.as_str(),
                        error = with_causes(&error),
                        "no usable metadata at this URL"
                    );
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

    /// Uses endpoints that the application set. It is responsible for them.
    pub(crate) fn from_endpoints(endpoints: &Endpoints, allow_http: bool) -> Result<Self, ClientError> {
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

    /// Uses the endpoints for requests with a client certificate, if the server has some (RFC 8705 §5).
    pub(crate) fn with_mtls_aliases(mut self) -> Self {
        self.token = self.mtls_token.take().unwrap_or(self.token);
        self.pushed_authorization = self.mtls_pushed_authorization.take().or(self.pushed_authorization);
        self
    }

    fn from_document(
        document: &Document,
        issuer: &str,
        issuer_url: &Url,
        allow_http: bool,
    ) -> Result<Self, ClientError> {
        if document.get("issuer").and_then(serde_json::Value::as_str) != Some(issuer) {
            return Err(ClientError::WrongMetadata("issuer"));
        }
        let wrong = |_: WrongType| ClientError::Response("a member of the metadata has a wrong type");
        let endpoint = |document: &Document, name: &str| -> Result<Option<Url>, ClientError> {
            let url = json::string(document, name).map_err(wrong)?;
            url.map(|url| endpoint_of(issuer_url, &url, allow_http)).transpose()
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
            proof_algorithms: json::strings(document, "dpop_signing_alg_values_supported").map_err(wrong)?,
        })
    }
}

/// Returns the URL of an issuer, which must not have a query or a fragment (RFC 8414 §2).
fn issuer_url(issuer: &str, allow_http: bool) -> Result<Url, UrlError> {
    let url = checked_url(issuer, allow_http)?;
    if url.query().is_some() || url.fragment().is_some() {
        let source = UrlSyntaxError::issuer_with_query();
        return Err(UrlError::Syntax { url: redacted_str(issuer), source });
    }
    Ok(url)
}

/// Returns the URLs where the metadata of an issuer may be, in the order of RFC 8414 §3.1, §5 and OpenID Connect
/// Discovery §4.
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

/// Inserts a well-known name between host and path (RFC 8414 §3.1, RFC 9728 §3.1).
pub(crate) fn well_known(url: &Url, name: &str) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    let mut url = url.clone();
    url.set_path(&format!("/.well-known/{name}{path}"));
    url.set_fragment(None);
    url
}

/// Appends a well-known name to the path (OpenID Connect Discovery §4).
fn appended(url: &Url, name: &str) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    let mut url = url.clone();
    url.set_path(&format!("{path}/.well-known/{name}"));
    url
}

/// Returns a URL that the metadata of an issuer or a resource names. The URLs of an https issuer must be https too:
/// otherwise its metadata could send secrets to a process that listens on this machine.
pub(crate) fn endpoint_of(issuer: &Url, url: &str, allow_http: bool) -> Result<Url, ClientError> {
    let endpoint = checked_url(url, allow_http)?;
    if issuer.scheme() == "https" && endpoint.scheme() != "https" {
        return Err(UrlError::NotHttps { url: redacted(&endpoint) }.into());
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
