//! `cargo run -p protected-api`: a development authorization server, an API behind `PopLayer`, and a table of what
//! happens to good and bad requests. With `--issuer` only the API, for that authorization server.

mod api;
mod args;
mod demo;
mod serve;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use pop_authserver::{AuthServer, Client};
use tokio::net::TcpListener;
use tower_pop::{IssuerConfig, Mode};
use tracing_subscriber::EnvFilter;

use crate::args::Args;

#[tokio::main]
#[allow(clippy::print_stderr)]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error")))
        .init();
    match run(Args::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind(args.listen).await?;
    let public_url = args.public_url.clone().unwrap_or(format!("http://{}", listener.local_addr()?));
    match &args.issuer {
        Some(issuer) => protect(&args, listener, &public_url, issuer).await,
        None => demonstrate(&args, listener, &public_url).await,
    }
}

/// Serves the API for an authorization server that is already there.
#[allow(clippy::print_stdout)]
async fn protect(
    args: &Args,
    listener: TcpListener,
    public_url: &str,
    issuer: &str,
) -> Result<ExitCode, Box<dyn Error>> {
    let issuer = match &args.jwks_file {
        Some(path) => IssuerConfig::new(issuer).static_jwks(std::fs::read(path)?),
        None => IssuerConfig::new(issuer),
    };
    let app = api::router(&args.config(issuer, public_url)?);
    println!("ready {public_url}");
    tokio::select! {
        served = serve::serve(listener, app) => served?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts the development authorization server as well, shows the table, and goes on serving.
#[allow(clippy::print_stdout)]
async fn demonstrate(args: &Args, listener: TcpListener, public_url: &str) -> Result<ExitCode, Box<dyn Error>> {
    let audience = args.audience.clone().unwrap_or_else(|| public_url.to_owned());
    let server = AuthServer::builder()
        .client(Client::public("demo").redirect_uri("http://127.0.0.1/callback").scopes("notes:read notes:write"))
        .audience(audience);
    let (server, as_listener) = server.listen(args.authserver_listen, None).await?;
    let app = api::router(&args.config(IssuerConfig::new(server.issuer()), public_url)?);
    let authorization_server = tokio::spawn({
        let server = server.clone();
        async move { server.serve(as_listener).await }
    });
    let api = tokio::spawn(serve::serve(listener, app));
    println!("authorization server  {}   (for development only: approves everybody)", server.issuer());
    println!("protected API         {public_url}\n");
    let as_expected = if args.mode == Mode::ReportOnly {
        println!("mode report-only lets failures pass: nothing to demonstrate\n");
        true
    } else {
        demo::run(&server, public_url).await?
    };
    if args.once {
        return Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    demo::print_how_to_call(&server, public_url);
    tokio::select! {
        served = api => served??,
        served = authorization_server => served?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(ExitCode::SUCCESS)
}
