//! Registered clients.

use std::fmt;

use pop_core::jose::crypto::{CryptoBackend, VerifyingKey};
use pop_core::jose::{CertThumbprint, JsonLimits, Jwk, Object, RsaLimits};
use serde_json::Value;

/// A registered client. `Debug` hides secrets.
#[derive(Clone)]
pub struct Client {
    pub(crate) id: String,
    pub(crate) authentication: Authentication,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) dpop_required: bool,
    pub(crate) certificate_bound: bool,
    pub(crate) opaque: bool,
    /// The resource about whose tokens this client may ask.
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
    /// A client without authentication; may use every grant, for testing.
    pub fn public(id: impl Into<String>) -> Self {
        Self::new(id.into(), Authentication::None)
    }

    /// A client with a secret (`client_secret_basic` or `client_secret_post`).
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::new(id.into(), Authentication::Secret(secret.into()))
    }

    /// A client that signs assertions with the key of this public JWK (`private_key_jwt`). `None` when the JWK cannot be
    /// used with the algorithm.
    #[must_use]
    pub fn private_key_jwt(id: impl Into<String>, jwk: &Value, algorithm: pop_client::Algorithm) -> Option<Self> {
        let text = jwk.to_string();
        let object = Object::parse(text.as_bytes(), JsonLimits::DOCUMENT).ok()?;
        let jwk = Jwk::parse(&object, RsaLimits::default()).ok()?;
        let key = VerifyingKey::new(jwk.key(), algorithm, CryptoBackend::default()).ok()?;
        Some(Self::new(id.into(), Authentication::PrivateKeyJwt(key)))
    }

    /// A client that authenticates with the very certificate whose DER this is (`self_signed_tls_client_auth`, RFC 8705
    /// §2.2).
    pub fn self_signed_tls(id: impl Into<String>, certificate_der: &[u8]) -> Self {
        Self::new(id.into(), Authentication::Certificate(CertThumbprint::of_der(certificate_der)))
    }

    fn new(id: String, authentication: Authentication) -> Self {
        Self {
            id,
            authentication,
            redirect_uris: Vec::new(),
            scopes: Vec::new(),
            dpop_required: false,
            certificate_bound: false,
            opaque: false,
            introspects: None,
        }
    }

    /// Adds a redirect URI; requests must name it exactly.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Adds scopes, separated by spaces. Without any, every scope is granted.
    #[must_use]
    pub fn scopes(mut self, scopes: &str) -> Self {
        self.scopes.extend(scopes.split_whitespace().map(ToOwned::to_owned));
        self
    }

    /// Sets `dpop_bound_access_tokens`: token requests without a proof are refused (RFC 9449 §5.2).
    #[must_use]
    pub fn dpop_bound_access_tokens(mut self) -> Self {
        self.dpop_required = true;
        self
    }

    /// Sets `tls_client_certificate_bound_access_tokens` (RFC 8705 §3.4): token requests without a client certificate are
    /// refused, and tokens are bound to the one that is shown.
    #[must_use]
    pub fn certificate_bound_access_tokens(mut self) -> Self {
        self.certificate_bound = true;
        self
    }

    /// Issues opaque access tokens instead of JWTs: 256 random bits, known to this server alone.
    #[must_use]
    pub fn opaque_access_tokens(mut self) -> Self {
        self.opaque = true;
        self
    }

    /// Makes this client the resource server of an audience: it may ask about tokens for it, and about no others.
    #[must_use]
    pub fn introspects(mut self, audience: impl Into<String>) -> Self {
        self.introspects = Some(audience.into());
        self
    }

    pub(crate) fn is_public(&self) -> bool {
        matches!(self.authentication, Authentication::None)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}
