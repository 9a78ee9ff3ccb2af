//! Discovery of the URL of an issuer's keys (RFC 8414 §3, OpenID Connect Discovery §4).

use pop_core::jose::{Json, JsonLimits, Object};
use pop_core::target::Origin;

use super::caching::JwksCaching;
use super::fetch::{FetchError, FetchRequest, FetchResponse, HttpFetch, exchange};

/// Where the keys of an issuer are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyLocation {
    /// At the `jwks_uri` of the issuer's metadata.
    Discovery,
    /// At this URL.
    Uri(String),
}

/// Returns whether a URL may be fetched: https, http on loopback, or any http if the configuration allows it.
pub(crate) fn is_acceptable(url: &str, allow_http: bool) -> bool {
    Origin::of(url).is_ok_and(|origin| origin.is_https() || origin.is_loopback() || allow_http)
}

/// Returns the `jwks_uri` of an issuer, from the first of its well-known URLs whose metadata names this issuer and has an
/// acceptable `jwks_uri`. Any failure at one URL leads to the next: servers respond to unknown paths with 403, with a
/// redirect or with an HTML page. Each attempt may take the timeout of one fetch.
pub(super) async fn find_jwks_uri(
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
                    tracing::info!(issuer, %url, %error, "no usable metadata of the issuer at this URL; it was found at another URL");
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
    // Metadata must not lead to plain http if the issuer itself uses https.
    let http_is_allowed = allow_http || Origin::of(issuer).is_ok_and(|origin| !origin.is_https());
    let is_https = Origin::of(uri).is_ok_and(|origin| origin.is_https());
    if is_https || (http_is_allowed && is_acceptable(uri, allow_http)) {
        Ok(uri.to_owned())
    } else {
        Err(FetchError::Document("the metadata has no acceptable jwks_uri"))
    }
}

/// Fetches a JSON document within the limits.
pub(super) async fn get(
    fetch: &dyn HttpFetch,
    url: String,
    caching: &JwksCaching,
) -> Result<FetchResponse, FetchError> {
    let JwksCaching { max_len, timeout, .. } = *caching;
    let accept = "application/json, application/jwk-set+json";
    exchange(fetch, FetchRequest { url, accept, authorization: None, form: None, max_len, timeout }).await
}

/// Returns the well-known URLs of an issuer. RFC 8414 §3 puts the name between host and path, for the OpenID document too
/// (§5). OpenID Connect Discovery §4 appends it, and some servers append the OAuth name in the same way.
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
