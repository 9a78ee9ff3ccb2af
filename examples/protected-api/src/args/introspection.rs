//! Introspection of opaque tokens (RFC 7662).

use clap::Args;
use tower_pop::Introspection;

#[derive(Args)]
pub(crate) struct IntrospectionArgs {
    /// The introspection endpoint of the issuer. Every token is introspected there (RFC 7662).
    #[arg(
        long,
        env = "POP_INTROSPECTION_URL",
        requires = "issuer",
        requires = "introspection_client_id",
        requires = "introspection_client_secret"
    )]
    introspection_url: Option<String>,
    /// The client identifier of this API at the introspection endpoint.
    #[arg(long, env = "POP_INTROSPECTION_CLIENT_ID", requires = "introspection_url")]
    introspection_client_id: Option<String>,
    /// The client secret of this API. The environment variable is safer: other processes can read the command line.
    #[arg(long, env = "POP_INTROSPECTION_CLIENT_SECRET", hide_env_values = true, requires = "introspection_url")]
    introspection_client_secret: Option<String>,
    /// Require signed introspection responses (RFC 9701).
    #[arg(long, env = "POP_INTROSPECTION_JWT", requires = "introspection_url")]
    introspection_jwt: bool,
    /// Verify JWTs locally, and introspect other tokens only.
    #[arg(long, env = "POP_JWT_FIRST", requires = "introspection_url")]
    jwt_first: bool,
}

impl IntrospectionArgs {
    pub(crate) fn introspection(&self) -> Option<Introspection> {
        let id = self.introspection_client_id.as_deref().unwrap_or_default();
        let secret = self.introspection_client_secret.as_deref().unwrap_or_default();
        let mut introspection = Introspection::at(self.introspection_url.as_deref()?).client_secret_basic(id, secret);
        if self.introspection_jwt {
            introspection = introspection.require_signed();
        }
        if self.jwt_first {
            introspection = introspection.jwt_first();
        }
        Some(introspection)
    }
}

impl std::fmt::Debug for IntrospectionArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IntrospectionArgs").field("introspection_url", &self.introspection_url).finish_non_exhaustive()
    }
}
