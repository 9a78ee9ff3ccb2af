//! The metadata of protected resources (RFC 9728), to find the authorization server of a resource.

use serde::Deserialize;

use crate::discovery::well_known;
use crate::error::{ClientError, shown};
use crate::json::{self, Document, WrongType};
use crate::options::ClientOptions;
use crate::transport::Transport;
use crate::url::checked_url;

/// What a resource says about itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Document")]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// Its identifier, to be sent as `resource` in token requests.
    pub resource: String,
    /// Issuers of the tokens it accepts.
    pub authorization_servers: Vec<String>,
    /// Its scopes.
    pub scopes_supported: Vec<String>,
    /// Algorithms it accepts for proofs.
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// Whether it accepts DPoP-bound tokens only.
    pub dpop_bound_access_tokens_required: bool,
}

impl ResourceMetadata {
    /// Fetches the metadata of a resource and checks that it is that resource's. Has the default [`ClientOptions`].
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Http`], [`ClientError::Status`], [`ClientError::TooLarge`],
    /// [`ClientError::Response`] or [`ClientError::WrongMetadata`].
    pub async fn fetch(resource: &str) -> Result<Self, ClientError> {
        Self::fetch_with_options(resource, &ClientOptions::default()).await
    }

    /// As [`fetch`](Self::fetch), with limits and settings of your own.
    ///
    /// # Errors
    /// As for [`fetch`](Self::fetch), and [`ClientError::Options`].
    pub async fn fetch_with_options(resource: &str, options: &ClientOptions) -> Result<Self, ClientError> {
        let url = well_known(&checked_url(resource, options.allow_http)?, "oauth-protected-resource");
        let found = Transport::new(options)?.document(url.clone()).await.and_then(|document| {
            let metadata = Self::try_from(document).map_err(ClientError::Response)?;
            if metadata.resource == resource { Ok(metadata) } else { Err(ClientError::WrongMetadata("resource")) }
        });
        if let Err(error) = &found {
            tracing::warn!(url = shown(&url), %error, "no usable metadata here");
        }
        found
    }
}

/// Members that are `null` or empty count as absent.
impl TryFrom<Document> for ResourceMetadata {
    type Error = &'static str;

    fn try_from(document: Document) -> Result<Self, &'static str> {
        let wrong = |_: WrongType| "a member of the metadata has another type";
        let texts = |name: &str| json::texts(&document, name).map(Option::unwrap_or_default).map_err(wrong);
        let resource = json::text(&document, "resource").map_err(wrong)?;
        Ok(Self {
            resource: resource.ok_or("metadata without a resource")?,
            authorization_servers: texts("authorization_servers")?,
            scopes_supported: texts("scopes_supported")?,
            dpop_signing_alg_values_supported: texts("dpop_signing_alg_values_supported")?,
            dpop_bound_access_tokens_required: json::flag(&document, "dpop_bound_access_tokens_required")
                .map_err(wrong)?,
        })
    }
}
