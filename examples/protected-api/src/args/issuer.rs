//! The issuer, and how its tokens may deviate from RFC 9068.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tower_pop::{IssuerConfig, IssuerProfile};

use super::introspection::IntrospectionArgs;
use super::names::by_name;

#[derive(Debug, Args)]
pub(crate) struct IssuerArgs {
    /// The issuer whose tokens the API accepts. The development authorization server and the demonstration do not
    /// start.
    #[arg(id = "issuer", long = "issuer", env = "POP_ISSUER")]
    pub(crate) url: Option<String>,
    /// The product that the issuer is: accepts the known deviations of its tokens.
    #[arg(long, env = "POP_ISSUER_PROFILE", requires = "issuer", default_value = "rfc9068", value_parser = by_name::<IssuerProfile>(IssuerProfile::ALL.iter().map(|profile| profile.name())))]
    issuer_profile: IssuerProfile,
    /// A file with the JWK set of the issuer, instead of discovery.
    #[arg(long, env = "POP_JWKS_FILE", requires = "issuer")]
    jwks_file: Option<PathBuf>,
    /// The URL of the JWK set of the issuer, instead of discovery.
    #[arg(long, env = "POP_JWKS_URI", requires = "issuer", conflicts_with = "jwks_file")]
    jwks_uri: Option<String>,
    /// Accept tokens with `typ: JWT` or without `typ`.
    #[arg(long, env = "POP_ALLOW_TYP_JWT", requires = "issuer")]
    allow_typ_jwt: bool,
    /// Accept tokens without these claims, separated by commas.
    #[arg(long, env = "POP_ALLOW_MISSING", requires = "issuer", value_delimiter = ',', value_name = "CLAIM")]
    allow_missing: Vec<MissingClaim>,
    /// Accept `scope` as an array.
    #[arg(long, env = "POP_ALLOW_SCOPE_ARRAY", requires = "issuer")]
    allow_scope_array: bool,
    /// The claim that has the scopes of a token, such as scp [default: scope].
    #[arg(long, env = "POP_SCOPE_CLAIM", requires = "issuer")]
    scope_claim: Option<String>,
    /// The claim that identifies the client if a token has no `client_id`, such as azp.
    #[arg(long, env = "POP_CLIENT_ID_CLAIM", requires = "issuer")]
    client_id_claim: Option<String>,
    #[command(flatten)]
    introspection: IntrospectionArgs,
}

/// A claim that tokens may lack.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum MissingClaim {
    Sub,
    ClientId,
    Jti,
    Iat,
}

impl IssuerArgs {
    /// Returns the issuer with its keys and its introspection endpoint.
    ///
    /// # Errors
    /// The file with the keys cannot be read.
    pub(crate) fn config(&self, issuer: &str) -> Result<IssuerConfig, Box<dyn Error>> {
        let mut issuer = IssuerConfig::with_profile(issuer, self.issuer_profile);
        if let Some(path) = &self.jwks_file {
            issuer = issuer.static_jwks(std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?);
        }
        if let Some(uri) = &self.jwks_uri {
            issuer = issuer.jwks_uri(uri);
        }
        if self.allow_typ_jwt {
            issuer = issuer.allow_typ_jwt();
        }
        if self.allow_scope_array {
            issuer = issuer.allow_scope_array();
        }
        if let Some(claim) = &self.scope_claim {
            issuer = issuer.scope_claim(claim);
        }
        if let Some(claim) = &self.client_id_claim {
            issuer = issuer.client_id_claim(claim);
        }
        if let Some(introspection) = self.introspection.introspection() {
            issuer = issuer.introspection(introspection);
        }
        Ok(self.allow_missing.iter().fold(issuer, |issuer, claim| match claim {
            MissingClaim::Sub => issuer.allow_missing_sub(),
            MissingClaim::ClientId => issuer.allow_missing_client_id(),
            MissingClaim::Jti => issuer.allow_missing_jti(),
            MissingClaim::Iat => issuer.allow_missing_iat(),
        }))
    }
}
