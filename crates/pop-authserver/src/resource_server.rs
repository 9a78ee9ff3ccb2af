//! Resource servers: what tokens are for, and the keys of their servers.

use std::fmt;
use std::sync::Arc;

use pop_core::jose::{Json, JsonLimits, Jwk, JwkError, Object, Recipient, RsaLimits};
use serde_json::Value;

use crate::error::ResourceKeysError;

/// A resource that tokens can be requested for (RFC 8707), with the keys of its server. `Debug` shows no keys.
///
/// A symmetric proof-of-possession key is encrypted for one resource server. Its key-encryption key is, in this order:
///
/// 1. the first usable key of [`key_encryption_keys`](Self::key_encryption_keys);
/// 2. the first usable key at the `jwks_uri` of its metadata (RFC 9728), which is fetched for each token. `use` of the key
///    must be `enc`.
///
/// ```
/// use pop_authserver::{AuthServer, ResourceServer};
///
/// let kek = r#"{"keys": [{"kty": "oct", "kid": "2026", "alg": "A256KW",
///     "k": "GawgguFyGrWKav7AX4VKUgGawgguFyGrWKav7AX4VKU"}]}"#;
/// let api = ResourceServer::new("https://api.example").key_encryption_keys(kek)?;
/// let server = AuthServer::builder().resource(api).build("https://as.example")?;
/// # drop(server);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "register the resource with AuthServerBuilder::resource"]
pub struct ResourceServer {
    pub(crate) identifier: String,
    pub(crate) recipient: Option<Arc<Recipient>>,
    pub(crate) public_key: Option<Value>,
    pub(crate) is_group: bool,
    pub(crate) introspects_keys: bool,
}

impl ResourceServer {
    /// Describes a resource with this identifier.
    pub fn new(identifier: impl Into<String>) -> Self {
        Self {
            identifier: identifier.into(),
            recipient: None,
            public_key: None,
            is_group: false,
            introspects_keys: false,
        }
    }

    /// Sets the key-encryption keys: a JWK Set with public keys, or with symmetric keys that both servers have. Each usable
    /// key has `kid` and `alg`. Others are skipped. Defaults to none: then the keys are fetched.
    ///
    /// # Errors
    /// [`ResourceKeysError`] when the set has no usable key.
    pub fn key_encryption_keys(mut self, jwks: &str) -> Result<Self, ResourceKeysError> {
        let document = Object::parse(jwks.as_bytes(), JsonLimits::DOCUMENT).map_err(|_| ResourceKeysError)?;
        self.recipient = Some(Arc::new(first_recipient(&document, |_| true)?));
        Ok(self)
    }

    /// Sets the public key that the server proves its identity with. Token responses with a key of the client have it as
    /// `rs_cnf` (RFC 9201 §3.2). Defaults to none.
    ///
    /// # Errors
    /// [`JwkError`] when it is not a public JWK.
    pub fn public_key(mut self, jwk: &Value) -> Result<Self, JwkError> {
        let json = jwk.to_string();
        let object = Object::parse(json.as_bytes(), JsonLimits::PROOF).map_err(|_| JwkError::NotObject)?;
        Jwk::parse(&object, RsaLimits::default())?;
        self.public_key = Some(jwk.clone());
        Ok(self)
    }

    /// Declares that the identifier stands for several servers. Then there are no symmetric keys, which all of them
    /// would have, and no `rs_cnf` (RFC 9201 §5). Off by default.
    ///
    /// ```
    /// # use pop_authserver::ResourceServer;
    /// let sensors = ResourceServer::new("https://sensors.example").group();
    /// # drop(sensors);
    /// ```
    pub fn group(mut self) -> Self {
        self.is_group = true;
        self
    }

    /// Gives the server the symmetric keys of opaque tokens in introspection responses, as `cnf.jwk`, instead of
    /// encrypted as `cnf.jwe`. Off by default.
    ///
    /// # Security
    /// Nothing but TLS protects the keys on their way. Introspection always requires client authentication.
    ///
    /// ```
    /// # use pop_authserver::ResourceServer;
    /// let api = ResourceServer::new("https://api.example").keys_by_introspection();
    /// # drop(api);
    /// ```
    pub fn keys_by_introspection(mut self) -> Self {
        self.introspects_keys = true;
        self
    }
}

/// Returns the first key of a set that content can be encrypted for.
pub(crate) fn first_recipient(
    jwks: &Object<'_>,
    is_eligible: impl Fn(&Object<'_>) -> bool,
) -> Result<Recipient, ResourceKeysError> {
    let keys = jwks.get("keys").and_then(Json::as_array).unwrap_or_default();
    let mut eligible = keys.iter().filter_map(Json::as_object).filter(|key| is_eligible(key));
    eligible.find_map(|key| Recipient::parse(key).ok()).ok_or(ResourceKeysError)
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer").field("identifier", &self.identifier).finish_non_exhaustive()
    }
}
