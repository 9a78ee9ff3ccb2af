//! The metadata of protected resources (RFC 9728), to find the authorization server of a resource.

use reqwest::{StatusCode, Url};
use serde::Deserialize;

use crate::error::ClientError;
use crate::http::{checked_url, http_client};

/// What a resource says about itself.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// Its identifier, to be sent as `resource` in token requests.
    pub resource: String,
    /// Issuers of the tokens it accepts.
    #[serde(default)]
    pub authorization_servers: Vec<String>,
    /// Its scopes.
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    /// Algorithms it accepts for proofs.
    #[serde(default)]
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// Whether it accepts DPoP-bound tokens only.
    #[serde(default)]
    pub dpop_bound_access_tokens_required: bool,
}

impl ResourceMetadata {
    /// Fetches the metadata of a resource and checks that it is that resource's.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Response`] or [`ClientError::WrongMetadata`].
    pub async fn fetch(resource: &str) -> Result<Self, ClientError> {
        let url = well_known(&checked_url(resource)?, "oauth-protected-resource");
        let response = http_client()?.get(url).send().await?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Response("no protected resource metadata"));
        }
        let metadata: Self = response.json().await?;
        if metadata.resource != resource {
            return Err(ClientError::WrongMetadata("resource"));
        }
        Ok(metadata)
    }
}

/// Puts a well-known name between host and path (RFC 8414 §3.1, RFC 9728 §3.1).
pub(crate) fn well_known(url: &Url, name: &str) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    let mut url = url.clone();
    url.set_path(&format!("/.well-known/{name}{path}"));
    url
}
