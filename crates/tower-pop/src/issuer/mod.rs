//! The configuration of one issuer.

mod profiles;

use std::fmt;

use pop_core::policy::{IssuerProfile, TokenAllowances};

use crate::keys::JwksCaching;
use crate::token_source::Introspection;

/// An authorization server: its issuer identifier, where its keys are, and how its tokens may deviate from RFC 9068.
///
/// Strict by default. Every allowance applies to this issuer alone. For products with known deviations there are constructors,
/// such as [`IssuerConfig::keycloak`], which allow what is needed there.
#[derive(Clone)]
pub struct IssuerConfig {
    pub(crate) issuer: String,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) static_jwks: Option<Vec<u8>>,
    pub(crate) profile: IssuerProfile,
    pub(crate) allow: TokenAllowances,
    pub(crate) rsa_leading_zero: bool,
    pub(crate) scope_claim: Option<String>,
    pub(crate) client_id_claim: Option<String>,
    pub(crate) caching: Option<JwksCaching>,
    pub(crate) introspection: Option<Introspection>,
}

impl IssuerConfig {
    /// Creates a configuration from the issuer identifier, exactly as in `iss` of its tokens: trailing slash, case and port are
    /// significant. Its keys are found by discovery: at the first well-known URL of RFC 8414 or OpenID Connect whose metadata
    /// names this issuer and a `jwks_uri`.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://as.example");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            jwks_uri: None,
            static_jwks: None,
            profile: IssuerProfile::default(),
            allow: TokenAllowances::default(),
            rsa_leading_zero: false,
            scope_claim: None,
            client_id_claim: None,
            caching: None,
            introspection: None,
        }
    }

    /// Fetches the keys from this URL, without discovery.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://as.example").jwks_uri("https://as.example/keys");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn jwks_uri(mut self, uri: impl Into<String>) -> Self {
        self.jwks_uri = Some(uri.into());
        self
    }

    /// Uses this JWK set and fetches nothing. To rotate keys, create a new configuration. Contradicts
    /// [`jwks_uri`](Self::jwks_uri) and [`jwks_caching`](Self::jwks_caching).
    ///
    /// ```
    /// use tower_pop::IssuerConfig;
    ///
    /// let issuer = IssuerConfig::new("https://as.example").static_jwks(r#"{"keys":[]}"#);
    /// ```
    #[must_use]
    pub fn static_jwks(mut self, jwks: impl Into<Vec<u8>>) -> Self {
        self.static_jwks = Some(jwks.into());
        self
    }

    /// Introspects tokens (RFC 7662): all of them or, with [`Introspection::jwt_first`], those that are not a JWS. Only one issuer of
    /// a configuration can have introspection, because an opaque token does not name its issuer.
    ///
    /// ```
    /// use tower_pop::{Introspection, IssuerConfig, PopConfig};
    ///
    /// let introspection = Introspection::at("https://as.example/introspect").client_secret_basic("api", "secret");
    /// let issuer = IssuerConfig::new("https://as.example").introspection(introspection);
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn introspection(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    /// Replaces the caching times and limits of fetched keys. Defaults to [`JwksCaching::default`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_pop::keys::JwksCaching;
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let mut caching = JwksCaching::default();
    /// caching.fresh_for = Duration::from_secs(600);
    /// let issuer = IssuerConfig::new("https://as.example").jwks_caching(caching);
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn jwks_caching(mut self, caching: JwksCaching) -> Self {
        self.caching = Some(caching);
        self
    }

    /// Accepts RSA keys of this issuer whose modulus has a leading zero octet, against RFC 7518 §6.3.1.1. Off by default: such keys
    /// are skipped, and the log says so. Keys in proofs must always be canonical.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://as.example").allow_rsa_leading_zero();
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn allow_rsa_leading_zero(mut self) -> Self {
        self.rsa_leading_zero = true;
        self
    }

    /// Accepts `typ: JWT` and tokens without `typ`. Off by default.
    ///
    /// # Security
    /// ID tokens are then told apart from access tokens by their audience, and by the claims `token_use` and `typ` if the issuer
    /// writes them: they must name an access token. Tokens with `at_hash`, `c_hash` or `events` are rejected.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://as.example").allow_typ_jwt();
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn allow_typ_jwt(mut self) -> Self {
        self.allow.typ_jwt = true;
        self
    }

    /// Sets the claim that holds a token's scopes, in JWTs and in introspection responses. Defaults to `scope`, which is a
    /// string (RFC 9068 §2.2.3).
    ///
    /// A claim with another name is not standardised: it may be a string with spaces (`scp` of Microsoft Entra ID) or an array with
    /// one scope in each string (`scp` of Okta). The name is that of a member of the outermost object.
    /// `scope` is then ignored: scopes come from one claim only.
    ///
    /// `build()` rejects the empty name, more than 120 bytes, anything but printable ASCII without spaces, and the name of
    /// a claim with another meaning, such as `sub`.
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

    /// Sets the claim that identifies the client, such as `azp`, in JWTs and in introspection responses. A token without it must have
    /// `client_id`.
    ///
    /// `build()` rejects the names that [`scope_claim`](Self::scope_claim) rejects, except `azp` and `appid`.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://login.example").client_id_claim("azp");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn client_id_claim(mut self, name: impl Into<String>) -> Self {
        self.client_id_claim = Some(name.into());
        self
    }

    /// Accepts `scope` as an array with one scope in each string. Off by default.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://as.example").allow_scope_array();
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn allow_scope_array(mut self) -> Self {
        self.allow.scope_array = true;
        self
    }

    /// Accepts tokens without `sub`. Off by default.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://as.example").allow_missing_sub();
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn allow_missing_sub(mut self) -> Self {
        self.allow.missing_sub = true;
        self
    }

    /// Accepts tokens without `client_id`. Off by default.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://as.example").allow_missing_client_id();
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn allow_missing_client_id(mut self) -> Self {
        self.allow.missing_client_id = true;
        self
    }

    /// Accepts tokens without `jti`. Off by default.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://as.example").allow_missing_jti();
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn allow_missing_jti(mut self) -> Self {
        self.allow.missing_jti = true;
        self
    }

    /// Accepts tokens without `iat`. Off by default.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::new("https://as.example").allow_missing_iat();
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
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

/// Shows the length of static keys, not their content.
impl fmt::Debug for IssuerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerConfig")
            .field("issuer", &self.issuer)
            .field("jwks_uri", &self.jwks_uri)
            .field("static_jwks", &self.static_jwks.as_ref().map(|jwks| format!("{} bytes", jwks.len())))
            .field("profile", &self.profile)
            .field("allow", &self.allow)
            .field("introspection", &self.introspection)
            .finish_non_exhaustive()
    }
}
