//! Symmetric proof-of-possession keys (draft-ietf-oauth-pop-key-distribution-07 §3, RFC 9201 §3.2). Every token has a new
//! key of 256 bits, so that no two resource servers, clients or grants share one.
//!
//! The resource server finds the key in the token: encrypted, as `cnf.jwe`. The client finds it in the token response: as
//! `cnf.jwk`, or as `cnf.jwe` if the client is registered with an encryption key.

use pop_client::ResourceMetadata;
use pop_core::jose::{ContentEncryption, EncryptError, Json, JsonLimits, Object, Recipient, SharedKey};
use serde_json::Value;

use crate::client::Client;
use crate::cnf::{self, Cnf};
use crate::grant::Grant;
use crate::oauth_error::OAuthError;
use crate::random::random_key;
use crate::resource_server::{ResourceServer, first_recipient};
use crate::server::AuthServer;

/// A symmetric key as both sides get it.
pub(super) struct DistributedKey {
    /// For the resource server.
    pub(super) token_cnf: Cnf,
    /// For the client.
    pub(super) response_cnf: Cnf,
}

impl DistributedKey {
    /// Generates a key for one client and the one resource server of a grant.
    pub(super) async fn generate(server: &AuthServer, client: &Client, grant: &Grant) -> Result<Self, OAuthError> {
        let resource = server.inner.resources.iter().find(|resource| resource.identifier == grant.audience);
        let resource = resource.ok_or_else(|| OAuthError::invalid_target("the resource is unknown"))?;
        if !grant.names_resource {
            return Err(OAuthError::invalid_request("a symmetric key is for one resource server: resource is missing"));
        }
        if resource.is_group {
            return Err(OAuthError::invalid_target("a symmetric key is for one resource server, not for a group"));
        }
        let key = random_key();
        let token_cnf = if client.opaque && resource.introspects_keys {
            // These claims stay here. Introspection returns them to the authenticated resource server.
            cnf::oct(&key)
        } else {
            let encrypted = match &resource.recipient {
                Some(recipient) => encrypt(&key, recipient),
                None => encrypt(&key, &fetch_recipient(server, resource).await?),
            };
            encrypted.map_err(|_| OAuthError::invalid_target("no key can be encrypted for this resource"))?
        };
        let response_cnf = match &client.encryption_key {
            Some(recipient) => encrypt(&key, recipient)
                .map_err(|_| OAuthError::invalid_request("no key can be encrypted for this client"))?,
            None => cnf::oct(&key),
        };
        Ok(Self { token_cnf, response_cnf })
    }
}

fn encrypt(key: &SharedKey, recipient: &Recipient) -> Result<Cnf, EncryptError> {
    recipient.encrypt(key.to_jwk().as_bytes(), ContentEncryption::A256Gcm).map(cnf::jwe)
}

/// Fetches the key-encryption key of a resource server: the first usable key at the `jwks_uri` of its metadata (RFC 9728
/// §2) whose `use` is `enc`. It is fetched for each token, so that a new key is used at once.
async fn fetch_recipient(server: &AuthServer, resource: &ResourceServer) -> Result<Recipient, OAuthError> {
    let unusable = || OAuthError::invalid_target("the resource server has no usable key-encryption key");
    // `pop-client` logs why there is no document.
    let options = &server.inner.http_options;
    let metadata = ResourceMetadata::fetch_with_options(&resource.identifier, options).await.map_err(|_| unusable())?;
    let jwks = Value::Object(metadata.fetch_jwks(options).await.map_err(|_| unusable())?).to_string();
    let jwks = Object::parse(jwks.as_bytes(), JsonLimits::DOCUMENT).map_err(|_| unusable())?;
    // A symmetric key that is published is no secret.
    let member = |key: &Object<'_>, name| key.get(name).and_then(Json::as_str).map(str::to_owned);
    let is_for_encryption =
        |key: &Object<'_>| member(key, "use").as_deref() == Some("enc") && member(key, "kty").as_deref() != Some("oct");
    first_recipient(&jwks, is_for_encryption).map_err(|_| {
        tracing::warn!(resource = resource.identifier, "no usable key-encryption key at the jwks_uri of this resource");
        unusable()
    })
}
