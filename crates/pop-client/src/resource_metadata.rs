//! The metadata of protected resources (RFC 9728), to find the authorization servers of a resource.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::discovery::{endpoint_of, well_known};
use crate::error::{ClientError, with_causes};
use crate::json::{self, Document, WrongType};
use crate::options::ClientOptions;
use crate::redaction::redacted;
use crate::transport::Transport;
use crate::url::checked_url;

/// The metadata of a protected resource. Optional members that are `null` or empty count as absent.
///
/// ```no_run
/// # async fn call() -> Result<(), Box<dyn std::error::Error>> {
/// use pop_client::{Algorithm, DpopKey, ResourceMetadata, TokenClient};
///
/// let metadata = ResourceMetadata::fetch("https://api.example").await?;
/// let issuer = metadata.authorization_servers.first().ok_or("no authorization server")?;
/// let server = TokenClient::builder(issuer, "my-client").build(DpopKey::generate(Algorithm::ES256)?).await?;
/// let token = server.client_credentials(Some("notes:read"), Some(&metadata.resource)).await?;
/// # drop(token);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// The identifier of the resource, to be sent as `resource` in token requests (RFC 8707).
    pub resource: String,
    /// The issuers whose tokens the resource accepts.
    pub authorization_servers: Vec<String>,
    /// The scopes of the resource.
    pub scopes_supported: Vec<String>,
    /// The algorithms that the resource accepts for proofs.
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// Whether the resource accepts DPoP-bound tokens only.
    pub dpop_bound_access_tokens_required: bool,
    /// The URL of the public keys of the resource server. [`fetch_jwks`](Self::fetch_jwks) fetches them.
    pub jwks_uri: Option<String>,
}

impl ResourceMetadata {
    /// Fetches the metadata of a resource with the default [`ClientOptions`]. The metadata must name the requested
    /// resource (RFC 9728 §3.3).
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Status`], [`ClientError::TooLarge`],
    /// [`ClientError::Response`] or [`ClientError::WrongMetadata`].
    pub async fn fetch(resource: &str) -> Result<Self, ClientError> {
        Self::fetch_with_options(resource, &ClientOptions::default()).await
    }

    /// As [`fetch`](Self::fetch), with these options.
    ///
    /// # Errors
    /// As for [`fetch`](Self::fetch), and [`ClientError::Options`].
    pub async fn fetch_with_options(resource: &str, options: &ClientOptions) -> Result<Self, ClientError> {
        let url = well_known(&checked_url(resource, options.allow_http)?, "oauth-protected-resource");
        let found = Transport::new(options)?.fetch_document(url.clone()).await.and_then(|document| {
            let metadata = Self::from_document(&document).map_err(ClientError::Response)?;
            if metadata.resource == resource { Ok(metadata) } else { Err(ClientError::WrongMetadata("resource")) }
        });
        if let Err(error) = &found {
            tracing::warn!(url = redacted(&url), error = with_causes(error), "no usable metadata at this URL");
        }
        found
    }

    /// Fetches the public keys of the resource server: the JWK Set at [`jwks_uri`](Self::jwks_uri), as the server sent
    /// it. That URL must be https if the resource is.
    ///
    /// # Errors
    /// [`ClientError::Response`] when the metadata has no `jwks_uri`, and as for
    /// [`fetch_with_options`](Self::fetch_with_options).
    pub async fn fetch_jwks(&self, options: &ClientOptions) -> Result<serde_json::Map<String, Value>, ClientError> {
        let url = self.jwks_uri.as_deref().ok_or(ClientError::Response("the resource has no jwks_uri"))?;
        let resource = checked_url(&self.resource, options.allow_http)?;
        let url = endpoint_of(&resource, url, options.allow_http)?;
        let found = Transport::new(options)?.fetch_document(url.clone()).await;
        if let Err(error) = &found {
            tracing::warn!(url = redacted(&url), error = with_causes(error), "no key set at this URL");
        }
        found
    }

    fn from_document(document: &Document) -> Result<Self, &'static str> {
        let wrong = |_: WrongType| "a member of the metadata has a wrong type";
        let strings = |name: &str| json::strings(document, name).map(Option::unwrap_or_default).map_err(wrong);
        let resource = json::string(document, "resource").map_err(wrong)?;
        Ok(Self {
            resource: resource.ok_or("metadata without a resource")?,
            authorization_servers: strings("authorization_servers")?,
            scopes_supported: strings("scopes_supported")?,
            dpop_signing_alg_values_supported: strings("dpop_signing_alg_values_supported")?,
            dpop_bound_access_tokens_required: json::flag(document, "dpop_bound_access_tokens_required")
                .map_err(wrong)?,
            jwks_uri: json::string(document, "jwks_uri").map_err(wrong)?,
        })
    }
}

impl<'de> Deserialize<'de> for ResourceMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_document(&Document::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
