//! Which authorization server issues tokens for a URL: by the challenge of the resource (RFC 9728 §5.1), or by its well-known URL.

use pop_client::reqwest::Url;
use pop_client::{Challenge, ClientError, ClientOptions, ResourceMetadata};

use crate::failure::{Failure, with_causes};
use crate::http_client::HttpClient;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Finds the metadata of the resource that a URL belongs to.
pub(super) async fn find(url: &Url, http: &HttpClient, options: &ClientOptions) -> Result<ResourceMetadata, Failure> {
    let mut candidates = Vec::new();
    if let Ok(response) = http.client.get(url.clone()).send().await {
        let challenges = Challenge::from_headers(response.headers());
        let named = challenges.iter().filter_map(|challenge| challenge.parameter("resource_metadata"));
        candidates.extend(named.filter_map(|named| Url::parse(named).ok()).flat_map(|named| resources(&named)));
    }
    let origin = url.origin().ascii_serialization();
    candidates.extend([origin.clone(), format!("{origin}{}", url.path())]);
    let mut seen = Vec::new();
    let (mut last, mut elsewhere) = (None, None);
    for resource in candidates {
        // Another origin must not name the server that gets a token for this one (RFC 9728 §7.3).
        match Url::parse(&resource) {
            Ok(resource) if resource.origin() != url.origin() => {
                elsewhere = Some(resource.origin().ascii_serialization());
                continue;
            }
            Ok(_) if !seen.contains(&resource) => {}
            _ => continue,
        }
        match ResourceMetadata::fetch_with_options(&resource, options).await {
            Ok(metadata) => return Ok(metadata),
            // A resource that does not answer has no metadata at another URL either.
            Err(ClientError::Http(error)) => return Err(Failure::failed(with_causes(&error))),
            Err(error) => last = Some(error),
        }
        seen.push(resource);
    }
    if let Some(elsewhere) = elsewhere {
        let text = format!("a challenge of {origin} names {elsewhere}: use that in the URL, or --issuer");
        return Err(Failure::failed(text));
    }
    let cause = last.map(|error| format!(": {}", with_causes(&error))).unwrap_or_default();
    Err(Failure::failed(format!("{origin} has no metadata that names an authorization server (use --issuer){cause}")))
}

/// Returns the resources whose metadata is at this URL (RFC 9728 §3.1).
fn resources(metadata: &Url) -> Vec<String> {
    let Some(path) = metadata.path().strip_prefix(WELL_KNOWN) else {
        return Vec::new();
    };
    let origin = metadata.origin().ascii_serialization();
    if path.is_empty() { vec![origin.clone(), format!("{origin}/")] } else { vec![format!("{origin}{path}")] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_in_the_url_of_its_metadata() {
        let of = |url: &str| resources(&Url::parse(url).unwrap());
        let root = "https://api.example/.well-known/oauth-protected-resource";
        assert_eq!(of(root), ["https://api.example", "https://api.example/"]);
        assert_eq!(of(&format!("{root}/v1/notes")), ["https://api.example/v1/notes"]);
        assert!(of("https://api.example/metadata").is_empty());
    }
}
