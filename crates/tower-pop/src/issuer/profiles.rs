//! Constructors for authorization servers that many people use.

use pop_core::policy::IssuerProfile;

use super::IssuerConfig;

impl IssuerConfig {
    /// Creates a configuration with the deviations of a product, for a profile that comes from a file or a command line. In code,
    /// [`IssuerConfig::keycloak`] and the like are shorter.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, IssuerProfile};
    ///
    /// let profile: IssuerProfile = "keycloak".parse()?;
    /// let issuer = IssuerConfig::with_profile("https://login.example/realms/acme", profile);
    /// # Ok::<(), tower_pop::UnknownName>(())
    /// ```
    #[must_use]
    pub fn with_profile(issuer: impl Into<String>, profile: IssuerProfile) -> Self {
        let mut issuer = issuer.into();
        if profile == IssuerProfile::Auth0 && !issuer.ends_with('/') {
            issuer.push('/');
        }
        Self { profile, allow: profile.allowances(), ..Self::new(issuer) }
    }

    /// Keycloak: the issuer is the URL of a realm.
    ///
    /// ```text
    /// {"alg":"RS256","typ":"JWT","kid":"uV3a"}
    /// {"iss":"https://login.example/realms/acme","aud":"https://api.example","sub":"5f2c","typ":"DPoP","azp":"shop",
    ///  "iat":1800000000,"exp":1800000300,"jti":"0b9d","scope":"notes:read","realm_access":{"roles":["editor"]},
    ///  "cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
    /// ```
    ///
    /// Accepts `typ: JWT`, and reads the client from `azp`. A client needs an audience mapper for this resource: by default `aud`
    /// is `account` or missing. The client scope `basic` writes `sub`. Roles: `RequireClaim::any("realm_access.roles", ["editor"])`.
    ///
    /// # Security
    /// The claim `typ` must be present. It is `ID`, `Refresh`, `Offline` or `Logout` in the other tokens of Keycloak.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::keycloak("https://login.example/realms/acme");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn keycloak(realm: impl Into<String>) -> Self {
        Self::with_profile(realm, IssuerProfile::Keycloak)
    }

    /// Auth0: the issuer is the URL of a tenant or of its custom domain. It ends with a slash, which is added if it is missing.
    ///
    /// ```text
    /// {"alg":"RS256","typ":"JWT","kid":"Nc1z"}
    /// {"iss":"https://acme.eu.auth0.com/","aud":["https://api.example","https://acme.eu.auth0.com/userinfo"],
    ///  "sub":"auth0|5f2c","azp":"shop","iat":1800000000,"exp":1800086400,"scope":"openid notes:read",
    ///  "cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
    /// ```
    ///
    /// Accepts `typ: JWT` and tokens without `jti`, and reads the client from `azp`. With Role-Based Access Control, `permissions` has
    /// what the user may do, whatever the client asked for: require it in addition to scopes, not instead of them. Without an
    /// `audience` in the request, Auth0 issues opaque tokens, which only its own endpoints accept.
    ///
    /// # Security
    /// ID tokens have the client identifier as `aud`, and no `azp`, which must be present. The token profile of RFC 9068, which names the kind in `typ`,
    /// is the better choice for a new API; it is accepted as well.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::auth0("https://acme.eu.auth0.com/");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn auth0(tenant: impl Into<String>) -> Self {
        Self::with_profile(tenant, IssuerProfile::Auth0)
    }

    /// Microsoft Entra ID, tokens of version 2.0: the tenant is its identifier, a GUID. `build()` rejects names such as `common`,
    /// because no token has them in `iss`. For several tenants, add several issuers.
    ///
    /// ```text
    /// {"alg":"RS256","typ":"JWT","kid":"Xv0k"}
    /// {"iss":"https://login.microsoftonline.com/2c3e8f4a-91d7-4c0b-8a51-6f0d1b7e9c34/v2.0",
    ///  "aud":"7b1f0c52-3d84-4e6a-b0f9-25a8c4d6e713","sub":"Kq7w","azp":"e4d909c2-90d0-4b1c-b7a3-1f5a2c8d6e04",
    ///  "iat":1800000000,"nbf":1800000000,"exp":1800003600,"scp":"Notes.Read","roles":["Editor"],"ver":"2.0",
    ///  "cnf":{"kid":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
    /// ```
    ///
    /// Accepts `typ: JWT` and tokens without `jti`, reads the client from `azp` and the scopes from `scp`. The audience is the
    /// identifier of the API's app registration, a GUID. For other clouds there is [`with_profile`](Self::with_profile). Which version a token has depends on `requestedAccessTokenVersion` of that
    /// registration: for version 1.0 there is [`entra_v1`](Self::entra_v1), and both can be configured beside each other. Roles:
    /// `RequireClaim::any("roles", ["Editor"])`.
    ///
    /// # Security
    /// A client that is also an API gets ID tokens with the same `aud` as access tokens. They have no `azp`, which must be present,
    /// whatever else is allowed.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig, Preset, ProofKind};
    ///
    /// let issuer = IssuerConfig::entra("2c3e8f4a-91d7-4c0b-8a51-6f0d1b7e9c34");
    /// let cfg = PopConfig::builder(issuer, "7b1f0c52-3d84-4e6a-b0f9-25a8c4d6e713")
    ///     .preset(Preset::Entra)
    ///     .proofs([ProofKind::SignedRequest])
    ///     .public_origin("https://api.example")
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn entra(tenant: impl AsRef<str>) -> Self {
        let tenant = tenant.as_ref().to_ascii_lowercase();
        let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        Self::with_profile(issuer, IssuerProfile::Entra)
    }

    /// Microsoft Entra ID, tokens of version 1.0: as [`entra`](Self::entra), with the issuer `https://sts.windows.net/{tenant}/` and
    /// the client in `appid`. The keys are at `login.microsoftonline.com`; other clouds need `.jwks_uri(..)`. The audience is the identifier of the API's app registration or its URI, as the client requested it.
    ///
    /// ```text
    /// {"alg":"RS256","typ":"JWT","kid":"Xv0k","x5t":"Xv0k"}
    /// {"iss":"https://sts.windows.net/2c3e8f4a-91d7-4c0b-8a51-6f0d1b7e9c34/","aud":"api://notes","sub":"Kq7w",
    ///  "appid":"e4d909c2-90d0-4b1c-b7a3-1f5a2c8d6e04","iat":1800000000,"nbf":1800000000,"exp":1800003600,
    ///  "scp":"Notes.Read","ver":"1.0","cnf":{"kid":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
    /// ```
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let tenant = "2c3e8f4a-91d7-4c0b-8a51-6f0d1b7e9c34";
    /// let cfg = PopConfig::builder(IssuerConfig::entra(tenant), "7b1f0c52-3d84-4e6a-b0f9-25a8c4d6e713")
    ///     .issuer(IssuerConfig::entra_v1(tenant))
    ///     .audience("api://notes")
    ///     .public_origin("https://api.example")
    ///     .build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn entra_v1(tenant: impl AsRef<str>) -> Self {
        let tenant = tenant.as_ref().to_ascii_lowercase();
        Self::with_profile(format!("https://sts.windows.net/{tenant}/"), IssuerProfile::EntraV1)
    }

    /// Okta: the issuer is the URL of a custom authorization server, such as `https://acme.okta.com/oauth2/default`. Tokens of the
    /// organization's own server, without `/oauth2/` in its URL, are for Okta alone.
    ///
    /// ```text
    /// {"alg":"RS256","kid":"gT5s"}
    /// {"iss":"https://acme.okta.com/oauth2/default","aud":"https://api.example","sub":"alice@acme.example","cid":"shop",
    ///  "uid":"00u1","ver":1,"jti":"AT.0b9d","iat":1800000000,"exp":1800003600,"scp":["notes:read"],
    ///  "cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
    /// ```
    ///
    /// Accepts tokens without `typ`, reads the client from `cid` and the scopes from `scp`.
    ///
    /// # Security
    /// ID tokens have the client identifier as `aud`, and no `cid`, which must be present.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::okta("https://acme.okta.com/oauth2/default");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn okta(issuer: impl Into<String>) -> Self {
        Self::with_profile(issuer, IssuerProfile::Okta)
    }

    /// Amazon Cognito: the issuer is the URL of a user pool.
    ///
    /// ```text
    /// {"alg":"RS256","kid":"hW2d"}
    /// {"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI","aud":"https://api.example","sub":"5f2c",
    ///  "client_id":"shop","token_use":"access","jti":"0b9d","iat":1800000000,"exp":1800003600,"scope":"notes/read",
    ///  "cognito:groups":["editor"]}
    /// ```
    ///
    /// Accepts tokens without `typ`. Cognito writes `aud` only if the client names this API as the `resource` of its authorization
    /// request. Tokens without `aud` are rejected: they are for every API of the pool. Roles:
    /// `RequireClaim::any("cognito:groups", ["editor"])`.
    ///
    /// # Security
    /// The claim `token_use` must be present, and `access`. In ID tokens it is `id`.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::cognito("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn cognito(user_pool: impl Into<String>) -> Self {
        Self::with_profile(user_pool, IssuerProfile::Cognito)
    }

    /// PingOne and PingFederate: the issuer is the URL of an environment's authorization server, or that of PingFederate. If tokens
    /// can have `typ: at+jwt`, switch that on.
    ///
    /// ```text
    /// {"alg":"RS256","kid":"default"}
    /// {"iss":"https://auth.pingone.eu/2c3e8f4a/as","aud":["https://api.example"],"sub":"5f2c","client_id":"shop",
    ///  "iat":1800000000,"exp":1800003600,"scope":"notes:read",
    ///  "cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
    /// ```
    ///
    /// Accepts tokens without `typ`, with `typ: JWT`, without `jti`, and without `sub`: a client that acts for itself has none. `scope`
    /// may be an array, as PingFederate writes it unless it is told otherwise. Its access token manager must write `iss`, `aud` and
    /// `iat`. A manager with a signing certificate of its own publishes its keys at its own path: `.jwks_uri(..)`.
    ///
    /// # Security
    /// ID tokens have the client identifier as `aud`, and no `client_id`, which must be present. Refresh tokens of PingOne can be JWTs:
    /// choose opaque ones, or `typ: at+jwt` for access tokens and [`IssuerConfig::new`].
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::ping("https://auth.pingone.eu/2c3e8f4a/as");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn ping(issuer: impl Into<String>) -> Self {
        Self::with_profile(issuer, IssuerProfile::Ping)
    }

    /// ZITADEL: the issuer is the URL of an instance. Applications must be set to issue JWTs.
    ///
    /// ```text
    /// {"alg":"RS256","kid":"2719","typ":"JWT"}
    /// {"iss":"https://acme.zitadel.cloud","aud":["271900@notes","https://api.example"],"sub":"2718","client_id":"shop",
    ///  "jti":"V2_0b9d","iat":1800000000,"nbf":1800000000,"exp":1800043200,
    ///  "urn:zitadel:iam:org:project:271900:roles":{"editor":{"2717":"acme.example"}}}
    /// ```
    ///
    /// Accepts tokens without `typ`, and with `typ: JWT`. Tokens may lack `scope`: require roles, of the API's own project:
    /// `RequireClaim::any("urn:zitadel:iam:org:project:271900:roles", ["editor"])`. The claim without the number has the roles in the
    /// project of the client, which another team may own.
    ///
    /// # Security
    /// ID tokens may have the project as `aud`, too. They have no `jti`, which must be present, whatever else is allowed.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::zitadel("https://acme.zitadel.cloud");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn zitadel(instance: impl Into<String>) -> Self {
        Self::with_profile(instance, IssuerProfile::Zitadel)
    }

    /// Duende IdentityServer.
    ///
    /// ```text
    /// {"alg":"RS256","kid":"9A0C","typ":"at+jwt"}
    /// {"iss":"https://login.example","aud":"https://api.example","sub":"5f2c","client_id":"shop","jti":"0B9D",
    ///  "iat":1800000000,"nbf":1800000000,"exp":1800003600,"scope":["notes:read"],
    ///  "cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
    /// ```
    ///
    /// Accepts `scope` as an array, and tokens without `sub`: a client that acts for itself has none.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::duende("https://login.example");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn duende(issuer: impl Into<String>) -> Self {
        Self::with_profile(issuer, IssuerProfile::Duende)
    }

    /// The npm package `oidc-provider`, with `accessTokenFormat: 'jwt'` for this resource.
    ///
    /// ```text
    /// {"alg":"RS256","kid":"r1Lk","typ":"at+jwt"}
    /// {"iss":"https://login.example","aud":"https://api.example","sub":"5f2c","client_id":"shop","jti":"0b9d",
    ///  "iat":1800000000,"exp":1800003600,"scope":"notes:read",
    ///  "cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
    /// ```
    ///
    /// Its tokens follow RFC 9068: this is the same as [`IssuerConfig::new`].
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// let issuer = IssuerConfig::oidc_provider("https://login.example");
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[must_use]
    pub fn oidc_provider(issuer: impl Into<String>) -> Self {
        Self::with_profile(issuer, IssuerProfile::OidcProvider)
    }
}
