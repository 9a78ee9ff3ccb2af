//! The development authorization server as a program.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use pop_authserver::{AuthServer, Client, StartError};

const CALLBACK: &str = "http://127.0.0.1/callback";

/// A development authorization server for proof-of-possession tokens. NOT FOR PRODUCTION.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
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
enum ProgramError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("--resource-server {0:?} is not id:secret")]
    ResourceServer(String),
    #[error("cannot write the certificate to {}", path.display())]
    Certificate { path: PathBuf, source: std::io::Error },
}

#[tokio::main]
#[allow(clippy::print_stderr)]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            for cause in std::iter::successors(error.source(), |&error| error.source()) {
                eprintln!("caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stderr, clippy::print_stdout)]
async fn run(args: Args) -> Result<(), ProgramError> {
    let mut builder = AuthServer::builder().token_lifetime(Duration::from_secs(args.token_lifetime));
    let resource = args.audience.first().cloned().unwrap_or_default();
    for audience in args.audience {
        builder = builder.audience(audience);
    }
    for id in args.opaque_client {
        builder = builder.client(Client::public(id).opaque_access_tokens().redirect_uri(CALLBACK));
    }
    for id in args.mtls_client {
        builder = builder.client(Client::public(id).certificate_bound_access_tokens().redirect_uri(CALLBACK));
    }
    for pair in args.resource_server {
        let (id, secret) = pair.split_once(':').ok_or_else(|| ProgramError::ResourceServer(pair.clone()))?;
        builder = builder.client(Client::confidential(id, secret).introspects(&resource));
    }
    for origin in args.cors_origin {
        builder = builder.cors_origin(origin);
    }
    if args.mutual_tls.is_some() {
        builder = builder.mutual_tls();
    }
    for client in args.client {
        let client = match client.split_once(':') {
            Some((id, secret)) => Client::confidential(id, secret),
            None => Client::public(client),
        };
        builder = builder.client(client.redirect_uri(CALLBACK));
    }
    if args.nonce == Nonce::Required {
        builder = builder.require_nonce();
    }
    let (server, listeners) = builder.listen(args.listen, args.issuer).await?;
    if let (Some(path), Some(pem)) = (args.mutual_tls, server.tls_certificate_pem()) {
        std::fs::write(&path, pem).map_err(|source| ProgramError::Certificate { path, source })?;
    }
    eprintln!("*** DEVELOPMENT AUTHORIZATION SERVER: approves every request, loses its keys. NOT FOR PRODUCTION. ***");
    println!("ready {}", server.issuer());
    server.serve(listeners).await?;
    Ok(())
}
