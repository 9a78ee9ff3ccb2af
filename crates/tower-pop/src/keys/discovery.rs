//! From an issuer to the URL of its keys (RFC 8414 §3, OpenID Connect Discovery §4).

use pop_core::jose::{Json, JsonLimits, Object};
use pop_core::target::Origin;

use super::fetch::exchange;
use super::{FetchError, FetchRequest, FetchResponse, HttpFetch, JwksCaching};

/// Where an issuer's keys are to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyLocation {
    /// In the issuer's metadata.
    Discovery,
    /// At this URL.
    Uri(String),
}

/// Whether keys may be fetched from a URL: https, or http on loopback, or any http where that was allowed expressly.
pub(crate) fn is_acceptable(url: &str, allow_http: bool) -> bool {
    Origin::of(url).is_ok_and(|origin| origin.is_https() || origin.is_loopback() || allow_http)
}

/// Finds the `jwks_uri` of an issuer: in the first of its well-known URLs that has metadata of this very issuer with an
/// acceptable `jwks_uri`. Whatever is wrong with one of them, the next one may be right: servers answer unknown paths with
/// 403, with a redirect or with a page for people. Each attempt may take the time-out of one fetch.
pub(crate) async fn find_jwks_uri(
    issuer: &str,
    fetch: &dyn HttpFetch,
    caching: &JwksCaching,
    allow_http: bool,
) -> Result<String, FetchError> {
    let mut failures = Vec::new();
    for url in metadata_urls(issuer).ok_or(FetchError::Url)? {
        match jwks_uri_at(&url, issuer, fetch, caching, allow_http).await {
            Ok(uri) => {
                for (url, error) in failures {
                    tracing::info!(issuer, %url, %error, "no usable metadata of the issuer at this URL; found at another");
                }
                return Ok(uri);
            }
            Err(error) => failures.push((url, error)),
        }
    }
    for (url, error) in failures {
        tracing::warn!(issuer, %url, %error, "no usable metadata of the issuer at this URL");
    }
    Err(FetchError::Document("no well-known URL of the issuer has usable metadata"))
}

async fn jwks_uri_at(
    url: &str,
    issuer: &str,
    fetch: &dyn HttpFetch,
    caching: &JwksCaching,
    allow_http: bool,
) -> Result<String, FetchError> {
    let document = get(fetch, url.to_owned(), caching).await?;
    let metadata = Object::parse(&document.body, JsonLimits::DOCUMENT)
        .map_err(|_| FetchError::Document("the metadata is not strict JSON"))?;
    if metadata.get("issuer").and_then(Json::as_str) != Some(issuer) {
        return Err(FetchError::Document("the metadata names another issuer"));
    }
    let uri = metadata.get("jwks_uri").and_then(Json::as_str).unwrap_or_default();
    // Metadata from the network must not send us to plain http when the issuer itself is reached by https.
    let http_is_fine = allow_http || Origin::of(issuer).is_ok_and(|origin| !origin.is_https());
    let https_only = Origin::of(uri).is_ok_and(|origin| origin.is_https());
    if https_only || (http_is_fine && is_acceptable(uri, allow_http)) {
        Ok(uri.to_owned())
    } else {
        Err(FetchError::Document("the metadata has no acceptable jwks_uri"))
    }
}

pub(crate) async fn get(
    fetch: &dyn HttpFetch,
    url: String,
    caching: &JwksCaching,
) -> Result<FetchResponse, FetchError> {
    let JwksCaching { max_len, timeout, .. } = *caching;
    let accept = "application/json, application/jwk-set+json";
    exchange(fetch, FetchRequest { url, accept, authorization: None, form: None, max_len, timeout }).await
}

/// The well-known URLs of an issuer. RFC 8414 §3 puts the name between host and path, for the OpenID document too (§5);
/// OpenID Connect Discovery §4 appends it, and so do servers that take the one for the other.
fn metadata_urls(issuer: &str) -> Option<Vec<String>> {
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    const OPENID: &str = "/.well-known/openid-configuration";
    let host_at = issuer.find("://")? + 3;
    let path_at = issuer.get(host_at..)?.find('/').map_or(issuer.len(), |at| host_at + at);
    let (origin, path) = issuer.split_at_checked(path_at)?;
    let path = path.trim_end_matches('/');
    let mut urls = vec![format!("{origin}{OAUTH}{path}"), format!("{origin}{OPENID}{path}")];
    if !path.is_empty() {
        urls.extend([format!("{origin}{path}{OPENID}"), format!("{origin}{path}{OAUTH}")]);
    }
    Some(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// META-17: RFC 8414 §3, then the places of other servers.
    #[test]
    fn puts_the_well_known_name_before_the_path_of_the_issuer() {
        assert_eq!(
            metadata_urls("https://as.example/tenant").unwrap(),
            [
                "https://as.example/.well-known/oauth-authorization-server/tenant",
                "https://as.example/.well-known/openid-configuration/tenant",
                "https://as.example/tenant/.well-known/openid-configuration",
                "https://as.example/tenant/.well-known/oauth-authorization-server",
            ]
        );
        for issuer in ["https://as.example", "https://as.example/"] {
            assert_eq!(
                metadata_urls(issuer).unwrap(),
                [
                    "https://as.example/.well-known/oauth-authorization-server",
                    "https://as.example/.well-known/openid-configuration",
                ]
            );
        }
    }

    /// ATK-25: unless a dangerous option allows plain http.
    #[test]
    fn accepts_https_and_loopback_only() {
        for url in ["https://as.example/jwks", "http://127.0.0.1:9400/jwks", "http://[::1]/jwks", "http://localhost/j"]
        {
            assert!(is_acceptable(url, false), "{url}");
        }
        for url in ["http://as.example/jwks", "http://169.254.169.254/", "file:///etc/passwd", "jwks", ""] {
            assert!(!is_acceptable(url, false), "{url}");
        }
        assert!(is_acceptable("http://as.example/jwks", true));
    }
}
