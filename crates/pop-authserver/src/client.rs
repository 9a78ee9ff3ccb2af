//! Registered clients.

use std::fmt;
use std::sync::Arc;

use pop_client::Algorithm;
use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{AlgorithmSet, CertThumbprint, JsonLimits, JwkError, Object, Recipient, UnusableKey};
use pop_core::proof::ClientKeysError;
use serde_json::Value;

use crate::jwk;
use crate::signature_keys::SignatureKeys;

/// A client of the authorization server. `Debug` hides secrets.
///
/// ```
/// use pop_authserver::{AuthServer, Client};
///
/// let client = Client::confidential("worker", "secret").scopes("notes:read notes:write").dpop_bound_access_tokens();
/// let server = AuthServer::builder().client(client).build("https://as.example")?;
/// # drop(server);
/// # Ok::<(), pop_authserver::StartError>(())
/// ```
#[derive(Clone)]
#[must_use = "register the client with AuthServerBuilder::client"]
pub struct Client {
    pub(crate) id: String,
    pub(crate) authentication: Authentication,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) dpop_required: bool,
    pub(crate) certificate_bound: bool,
    pub(crate) opaque: bool,
    /// The key that symmetric keys are encrypted for.
    pub(crate) encryption_key: Option<Arc<Recipient>>,
    /// The keys that `keyid` of a signed token request can name.
    pub(crate) signature_keys: Option<Arc<SignatureKeys>>,
    /// The audience whose tokens this client may introspect.
    pub(crate) introspects: Option<String>,
}

#[derive(Clone)]
pub(crate) enum Authentication {
    None,
    Secret(String),
    PrivateKeyJwt(VerifyingKey),
    Certificate(CertThumbprint),
}

impl Client {
    /// Describes a client without authentication. It may use every grant, for testing.
    pub fn public(id: impl Into<String>) -> Self {
        Self::new(id.into(), Authentication::None)
    }

    /// Describes a client with a secret (`client_secret_basic` or `client_secret_post`).
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::new(id.into(), Authentication::Secret(secret.into()))
    }

    /// Describes a client that signs assertions with the key of this public JWK (`private_key_jwt`).
    ///
    /// ```
    /// use pop_authserver::{Algorithm, Client, DpopKey};
    ///
    /// let key = DpopKey::generate(Algorithm::ES256)?;
    /// let client = Client::private_key_jwt("worker", &key.public_jwk(), key.algorithm())?;
    /// # drop(client);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`JwkError`] when the JWK is not a public key for the algorithm, or the server accepts no assertions with it: it
    /// accepts those of [`AlgorithmSet::PROOF`](pop_core::jose::AlgorithmSet::PROOF).
    pub fn private_key_jwt(id: impl Into<String>, jwk: &Value, algorithm: Algorithm) -> Result<Self, JwkError> {
        if !AlgorithmSet::PROOF.contains(algorithm) {
            return Err(JwkError::Algorithm);
        }
        let key = VerifyingKey::new(jwk::read(jwk)?.key(), algorithm, CryptoBackend::default())?;
        Ok(Self::new(id.into(), Authentication::PrivateKeyJwt(key)))
    }

    /// Describes a client that authenticates with the certificate that has this DER encoding
    /// (`self_signed_tls_client_auth`, RFC 8705 §2.2).
    pub fn self_signed_tls(id: impl Into<String>, certificate_der: &[u8]) -> Self {
        Self::new(id.into(), Authentication::Certificate(CertThumbprint::of_der(certificate_der)))
    }

    const fn new(id: String, authentication: Authentication) -> Self {
        Self {
            id,
            authentication,
            redirect_uris: Vec::new(),
            scopes: Vec::new(),
            dpop_required: false,
            certificate_bound: false,
            opaque: false,
            encryption_key: None,
            signature_keys: None,
            introspects: None,
        }
    }

    /// Adds a redirect URI. Requests must name it exactly; with `http://127.0.0.1/…` and `http://[::1]/…`, they may add a port
    /// (RFC 8252 §7.3). Defaults to none.
    ///
    /// ```
    /// # use pop_authserver::Client;
    /// let client = Client::public("app").redirect_uri("http://127.0.0.1/callback");
    /// # drop(client);
    /// ```
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Adds scopes, separated by spaces. Defaults to none: then every scope is granted.
    ///
    /// ```
    /// # use pop_authserver::Client;
    /// let client = Client::public("app").scopes("notes:read notes:write");
    /// # drop(client);
    /// ```
    pub fn scopes(mut self, scopes: &str) -> Self {
        self.scopes.extend(scopes.split_whitespace().map(ToOwned::to_owned));
        self
    }

    /// Sets `dpop_bound_access_tokens` (RFC 9449 §5.2): token requests without a proof are rejected. Off by default.
    ///
    /// ```
    /// # use pop_authserver::Client;
    /// let client = Client::public("app").dpop_bound_access_tokens();
    /// # drop(client);
    /// ```
    pub fn dpop_bound_access_tokens(mut self) -> Self {
        self.dpop_required = true;
        self
    }

    /// Sets `tls_client_certificate_bound_access_tokens` (RFC 8705 §3.4): token requests without a client certificate
    /// are rejected, and tokens are bound to the certificate of the connection. Off by default. Needs
    /// [`AuthServerBuilder::mutual_tls`](crate::AuthServerBuilder::mutual_tls).
    ///
    /// ```
    /// # use pop_authserver::Client;
    /// let client = Client::public("app").certificate_bound_access_tokens();
    /// # drop(client);
    /// ```
    pub fn certificate_bound_access_tokens(mut self) -> Self {
        self.certificate_bound = true;
        self
    }

    /// Issues opaque access tokens instead of JWTs: 256 random bits that only this server can introspect. Off by
    /// default.
    ///
    /// ```
    /// # use pop_authserver::Client;
    /// let client = Client::public("app").opaque_access_tokens();
    /// # drop(client);
    /// ```
    pub fn opaque_access_tokens(mut self) -> Self {
        self.opaque = true;
        self
    }

    /// Sets the public key that symmetric proof-of-possession keys are encrypted for in token responses: a JWK with `kid`
    /// and `alg`. Defaults to none: then they are sent as JWKs, which TLS alone protects.
    ///
    /// # Errors
    /// [`UnusableKey`] when nothing can be encrypted for the key.
    pub fn encryption_key(mut self, jwk: &Value) -> Result<Self, UnusableKey> {
        let json = jwk.to_string();
        let object = Object::parse(json.as_bytes(), JsonLimits::DOCUMENT);
        let object = object.map_err(|_| UnusableKey::Jwk(JwkError::NotObject))?;
        self.encryption_key = Some(Arc::new(Recipient::parse(&object)?));
        Ok(self)
    }

    /// Registers the keys of this JWK Set for message signatures on token requests (draft-richer-oauth-httpsig). `keyid`
    /// names a key of the set. Each key has a `kid` and a fully specified `alg`. Replaces an earlier set. Defaults to
    /// none: then the key must come with the request, which every client may do.
    ///
    /// ```
    /// use pop_authserver::{Algorithm, Client, DpopKey};
    /// use serde_json::json;
    ///
    /// let key = DpopKey::generate(Algorithm::PS512)?;
    /// let mut jwk = key.public_jwk();
    /// jwk["kid"] = "2026".into();
    /// jwk["alg"] = "PS512".into();
    /// let client = Client::public("app").signature_keys(&json!({ "keys": [jwk] }))?;
    /// # drop(client);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ClientKeysError`] names the first key that is not usable.
    pub fn signature_keys(mut self, jwks: &Value) -> Result<Self, ClientKeysError> {
        self.signature_keys = Some(Arc::new(SignatureKeys::parse(&self.id, jwks)?));
        Ok(self)
    }

    /// Allows this client to introspect tokens for this audience, and no others. Replaces an earlier audience. Off by
    /// default. The client must be confidential: introspection requests of a public client are rejected.
    ///
    /// ```
    /// # use pop_authserver::Client;
    /// let api = Client::confidential("api", "secret").introspects("https://api.example");
    /// # drop(api);
    /// ```
    pub fn introspects(mut self, audience: impl Into<String>) -> Self {
        self.introspects = Some(audience.into());
        self
    }

    pub(crate) const fn is_public(&self) -> bool {
        matches!(self.authentication, Authentication::None)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}
