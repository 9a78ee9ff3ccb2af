//! The development authorization server as a program.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use pop_authserver::{AuthServer, Client, StartError};

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
    #[arg(long, env = "POP_AS_CLIENT", default_value = "demo")]
    client: Vec<String>,
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
    for audience in args.audience {
        builder = builder.audience(audience);
    }
    for client in args.client {
        let client = match client.split_once(':') {
            Some((id, secret)) => Client::confidential(id, secret),
            None => Client::public(client),
        };
        builder = builder.client(client.redirect_uri("http://127.0.0.1/callback"));
    }
    if args.nonce == Nonce::Required {
        builder = builder.require_nonce();
    }
    let (server, listener) = builder.listen(args.listen, args.issuer).await?;
    eprintln!("*** DEVELOPMENT AUTHORIZATION SERVER: approves everybody, forgets its keys. NOT FOR PRODUCTION. ***");
    println!("ready {}", server.issuer());
    server.serve(listener).await;
    Ok(())
}
