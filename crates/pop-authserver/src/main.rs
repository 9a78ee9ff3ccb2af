//! The development authorization server as a program.

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
    /// Loopback address to listen on.
    #[arg(long, env = "POP_AS_LISTEN", default_value = "127.0.0.1:9400")]
    listen: SocketAddr,
    /// Issuer identifier [default: http:// and the address].
    #[arg(long, env = "POP_AS_ISSUER")]
    issuer: Option<String>,
    /// Resource that tokens are for; may be repeated, the first one is the default.
    #[arg(long, env = "POP_AS_AUDIENCE", default_value = "http://127.0.0.1:3000")]
    audience: Vec<String>,
    /// Lifetime of access tokens in seconds.
    #[arg(long, env = "POP_AS_TOKEN_LIFETIME", default_value_t = 300)]
    token_lifetime: u64,
    /// Whether proofs at the token endpoint need a nonce.
    #[arg(long, env = "POP_AS_NONCE", default_value = "off")]
    nonce: Nonce,
    /// A client `id` or `id:secret`; may be repeated. Clients redirect to http://127.0.0.1/callback.
    #[arg(long, env = "POP_AS_CLIENT", hide_env_values = true, default_value = "demo")]
    client: Vec<String>,
    /// A public client that gets opaque access tokens; may be repeated.
    #[arg(long, env = "POP_AS_OPAQUE_CLIENT")]
    opaque_client: Vec<String>,
    /// A public client whose tokens are bound to its TLS certificate; may be repeated.
    #[arg(long, env = "POP_AS_MTLS_CLIENT", requires = "mutual_tls")]
    mtls_client: Vec<String>,
    /// A resource server `id:secret` that may ask about tokens for the first audience; may be repeated.
    #[arg(long, env = "POP_AS_RESOURCE_SERVER", hide_env_values = true)]
    resource_server: Vec<String>,
    /// Listen for TLS as well, on a free port, and ask for client certificates there; write the certificate of that port
    /// to this file (PEM), for clients to trust.
    #[arg(long, env = "POP_AS_MUTUAL_TLS", value_name = "FILE")]
    mutual_tls: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Nonce {
    Off,
    Required,
}

#[tokio::main]
#[allow(clippy::print_stderr)]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stderr, clippy::print_stdout)]
async fn run(args: Args) -> Result<(), StartError> {
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
        let (id, secret) = pair.split_once(':').ok_or_else(|| StartError::ResourceServer(pair.clone()))?;
        builder = builder.client(Client::confidential(id, secret).introspects(&resource));
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
    if let (Some(path), Some(pem)) = (&args.mutual_tls, server.tls_certificate_pem()) {
        std::fs::write(path, pem)?;
    }
    eprintln!("*** DEVELOPMENT AUTHORIZATION SERVER: approves everybody, forgets its keys. NOT FOR PRODUCTION. ***");
    println!("ready {}", server.issuer());
    server.serve(listeners).await?;
    Ok(())
}
