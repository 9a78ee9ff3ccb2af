//! The options of the program `pop-authserver`, for programs that contain the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::client::Client;
use crate::error::StartError;
use crate::listeners::Listeners;
use crate::server::AuthServer;

const CALLBACK: &str = "http://127.0.0.1/callback";

/// What the program prints before it serves.
pub const WARNING: &str =
    "*** DEVELOPMENT AUTHORIZATION SERVER: approves every request, loses its keys. NOT FOR PRODUCTION. ***";

/// The command line options of the server, for `#[command(flatten)]`. `--help` describes each.
#[derive(Args)]
pub struct ServerArguments {
    /// The loopback address to listen on.
    #[arg(long, env = "POP_AS_LISTEN", default_value = "127.0.0.1:9400")]
    listen: SocketAddr,
    /// The issuer identifier [default: http:// and the address].
    #[arg(long, env = "POP_AS_ISSUER")]
    issuer: Option<String>,
    /// A resource that tokens can be requested for. Repeatable. The first is the default.
    #[arg(long, env = "POP_AS_AUDIENCE", default_value = "http://127.0.0.1:3000")]
    audience: Vec<String>,
    /// The lifetime of access tokens in seconds.
    #[arg(long, env = "POP_AS_TOKEN_LIFETIME", default_value_t = 300)]
    token_lifetime: u64,
    /// Whether proofs at the token endpoint need a nonce.
    #[arg(long, env = "POP_AS_NONCE", default_value = "off")]
    nonce: Nonce,
    /// A client: `id`, or `id:secret`. Repeatable. Its redirect URI is http://127.0.0.1/callback.
    #[arg(long, env = "POP_AS_CLIENT", hide_env_values = true, default_value = "demo")]
    client: Vec<String>,
    /// The identifier of a public client that gets opaque access tokens. Repeatable.
    #[arg(long, env = "POP_AS_OPAQUE_CLIENT")]
    opaque_client: Vec<String>,
    /// The identifier of a public client whose tokens are bound to its TLS certificate. Repeatable.
    #[arg(long, env = "POP_AS_MTLS_CLIENT", requires = "mutual_tls")]
    mtls_client: Vec<String>,
    /// A resource server that may introspect tokens for the first audience: `id:secret`. Repeatable.
    #[arg(long, env = "POP_AS_RESOURCE_SERVER", hide_env_values = true)]
    resource_server: Vec<String>,
    /// The origin of web pages that may request tokens, such as http://127.0.0.1:3000. Repeatable.
    #[arg(long, env = "POP_AS_CORS_ORIGIN", value_delimiter = ',')]
    cors_origin: Vec<String>,
    /// Listen for TLS too, on a free port, and request client certificates there. The certificate of that port is
    /// written to this file (PEM). Clients must trust it.
    #[arg(long, env = "POP_AS_MUTUAL_TLS", value_name = "FILE")]
    mutual_tls: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Nonce {
    Off,
    Required,
}

/// Why the program stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The server cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Not an identifier and a secret. The text is not shown: it may be a secret.
    #[error("a value of --resource-server is not id:secret")]
    ResourceServer,
    /// The certificate of the TLS listener cannot be written.
    #[error("cannot write the certificate to {}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl ServerArguments {
    /// Binds the listeners, and writes the certificate of the TLS listener to its file if there is one. Serve with
    /// [`AuthServer::serve`].
    ///
    /// # Errors
    /// [`ProgramError`] names the option that cannot be used.
    pub async fn listen(self) -> Result<(AuthServer, Listeners), ProgramError> {
        let mut builder = AuthServer::builder().token_lifetime(Duration::from_secs(self.token_lifetime));
        let resource = self.audience.first().cloned().unwrap_or_default();
        for audience in self.audience {
            builder = builder.audience(audience);
        }
        for id in self.opaque_client {
            builder = builder.client(Client::public(id).opaque_access_tokens().redirect_uri(CALLBACK));
        }
        for id in self.mtls_client {
            builder = builder.client(Client::public(id).certificate_bound_access_tokens().redirect_uri(CALLBACK));
        }
        for pair in self.resource_server {
            let (id, secret) = pair.split_once(':').ok_or(ProgramError::ResourceServer)?;
            builder = builder.client(Client::confidential(id, secret).introspects(&resource));
        }
        for origin in self.cors_origin {
            builder = builder.cors_origin(origin);
        }
        if self.mutual_tls.is_some() {
            builder = builder.mutual_tls();
        }
        for client in self.client {
            let client = match client.split_once(':') {
                Some((id, secret)) => Client::confidential(id, secret),
                None => Client::public(client),
            };
            builder = builder.client(client.redirect_uri(CALLBACK));
        }
        if self.nonce == Nonce::Required {
            builder = builder.require_nonce();
        }
        let (server, listeners) = builder.listen(self.listen, self.issuer).await?;
        if let (Some(path), Some(pem)) = (self.mutual_tls, server.tls_certificate_pem()) {
            std::fs::write(&path, pem).map_err(|source| ProgramError::Certificate { path, source })?;
        }
        Ok((server, listeners))
    }
}

/// Shows no secret.
impl std::fmt::Debug for ServerArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerArguments").field("listen", &self.listen).finish_non_exhaustive()
    }
}
