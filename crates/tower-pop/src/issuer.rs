//! One authorization server whose tokens are accepted.

use pop_core::policy::TokenAllowances;

use crate::keys::JwksCaching;
use crate::token_source::Introspection;

/// An authorization server: its issuer identifier, where its keys are, and what it may do differently from RFC 9068.
///
/// Strict by default. Every allowance is for this issuer alone.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    pub(crate) issuer: String,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) static_jwks: Option<Vec<u8>>,
    pub(crate) allow: TokenAllowances,
    pub(crate) rsa_leading_zero: bool,
    pub(crate) scope_claim: Option<String>,
    pub(crate) caching: Option<JwksCaching>,
    pub(crate) introspection: Option<Introspection>,
}

impl IssuerConfig {
    /// An issuer, exactly as its tokens spell it in `iss`: trailing slash, case and port are significant. Its keys are
    /// found by discovery: in the first of the well-known URLs of RFC 8414 and of OpenID Connect that has metadata of
    /// exactly this issuer with a `jwks_uri`.
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            jwks_uri: None,
            static_jwks: None,
            allow: TokenAllowances::default(),
            rsa_leading_zero: false,
            scope_claim: None,
            caching: None,
            introspection: None,
        }
    }

    /// Fetches the keys from this URL, without discovery.
    #[must_use]
    pub fn jwks_uri(mut self, uri: impl Into<String>) -> Self {
        self.jwks_uri = Some(uri.into());
        self
    }

    /// Uses this JWK set and fetches nothing. Rotating keys takes a new configuration.
    #[must_use]
    pub fn static_jwks(mut self, jwks: impl Into<Vec<u8>>) -> Self {
        self.static_jwks = Some(jwks.into());
        self
    }

    /// Asks the issuer about tokens (RFC 7662): about all of them, or, with [`Introspection::jwt_first`], about those that
    /// are no JWS. Only one issuer of a configuration can be asked, because an opaque token does not say whose it is.
    #[must_use]
    pub fn introspection(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    /// Replaces the caching times and limits.
    #[must_use]
    pub fn jwks_caching(mut self, caching: JwksCaching) -> Self {
        self.caching = Some(caching);
        self
    }

    /// Accepts RSA keys in this issuer's key set whose modulus is written with a leading zero octet, against RFC 7518
    /// §6.3.1.1. Such keys are skipped by default, and the log says so. Keys in proofs must always be canonical.
    #[must_use]
    pub fn allow_rsa_leading_zero(mut self) -> Self {
        self.rsa_leading_zero = true;
        self
    }

    /// Accepts `typ: JWT` and tokens without `typ`. ID tokens and access tokens of this issuer are then told apart by
    /// their audience, and by the claims `token_use` and `typ` where the issuer writes them: they must name an access token.
    #[must_use]
    pub fn allow_typ_jwt(mut self) -> Self {
        self.allow.typ_jwt = true;
        self
    }

    /// Sets the claim that holds a token's scopes, in JWTs and in introspection responses. Defaults to `scope`, which is a
    /// string (RFC 9068 §2.2.3).
    ///
    /// A claim of another name is not standardised, so it may be a string with spaces (`scp` of Microsoft Entra ID) or an
    /// array of strings with one scope each (`scp` of Okta, `permissions` of Auth0). The name is that of a member of the
    /// outermost object. `scope` is then not looked at: scopes come from one claim alone.
    ///
    /// `build()` rejects the empty name, more than 120 bytes, anything but printable ASCII without spaces, and the name of
    /// a claim that means something else, such as `sub`.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://login.example/tenant/v2.0").scope_claim("scp");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn scope_claim(mut self, name: impl Into<String>) -> Self {
        self.scope_claim = Some(name.into());
        self
    }

    /// Accepts `scope` as an array of strings with one scope each.
    #[must_use]
    pub fn allow_scope_array(mut self) -> Self {
        self.allow.scope_array = true;
        self
    }

    /// Accepts tokens without `sub`.
    #[must_use]
    pub fn allow_missing_sub(mut self) -> Self {
        self.allow.missing_sub = true;
        self
    }

    /// Accepts tokens without `client_id`.
    #[must_use]
    pub fn allow_missing_client_id(mut self) -> Self {
        self.allow.missing_client_id = true;
        self
    }

    /// Accepts tokens without `jti`.
    #[must_use]
    pub fn allow_missing_jti(mut self) -> Self {
        self.allow.missing_jti = true;
        self
    }

    /// Accepts tokens without `iat`.
    #[must_use]
    pub fn allow_missing_iat(mut self) -> Self {
        self.allow.missing_iat = true;
        self
    }
}

impl<S: Into<String>> From<S> for IssuerConfig {
    fn from(issuer: S) -> Self {
        Self::new(issuer)
    }
}
