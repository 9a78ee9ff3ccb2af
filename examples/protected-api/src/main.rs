//! `cargo run -p protected-api`: a development authorization server, an API behind `PopLayer`, and a table of what
//! happens to good and bad requests. With `--issuer` only the API, for that authorization server.

mod api;
mod args;
mod demo;
mod serve;
mod whoami;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use pop_authserver::AuthServer;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tower_pop::Mode;
use tracing_subscriber::EnvFilter;

use crate::args::Args;
use crate::demo::Stage;

#[tokio::main]
#[allow(clippy::print_stderr)]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
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
    let tls = args.tls.server_config()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let public_url = args.public_url.clone().unwrap_or(format!("{scheme}://{}", listener.local_addr()?));
    match &args.issuer {
        Some(issuer) => protect(&args, listener, tls, &public_url, issuer).await,
        None => demonstrate(&args, listener, &public_url).await,
    }
}

/// Serves the API for an authorization server that is already there.
#[allow(clippy::print_stdout)]
async fn protect(
    args: &Args,
    listener: TcpListener,
    tls: Option<ServerConfig>,
    public_url: &str,
    issuer: &str,
) -> Result<ExitCode, Box<dyn Error>> {
    let cfg = args.config(args.issuer(issuer)?, args.client_certificates()?, public_url)?;
    let app = api::router(&cfg, args.cors.layer());
    println!("ready {public_url}");
    tokio::select! {
        () = serve::serve(listener, tls, app, args.proxy.is_trusted()) => {}
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts the development authorization server as well, shows the table, and goes on serving.
#[allow(clippy::print_stdout)]
async fn demonstrate(args: &Args, listener: TcpListener, public_url: &str) -> Result<ExitCode, Box<dyn Error>> {
    let audience = args.audience.clone().unwrap_or_else(|| public_url.to_owned());
    let mut builder = AuthServer::builder().mutual_tls().audience(&audience);
    for client in Stage::clients(&audience) {
        builder = builder.client(client);
    }
    let (server, listeners) = builder.listen(args.authserver_listen, None).await?;
    let certificates = Some(Stage::client_certificates());
    let app = api::router(&args.config(Stage::issuer(&server), certificates, public_url)?, args.cors.layer());
    let stage = Stage::new().await?;
    let (tls_url, tls) = (stage.tls_url().to_owned(), stage.server_config()?);
    let authorization_server = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listeners).await }
    });
    let api = tokio::spawn(serve::serve(listener, None, app.clone(), false));
    let api_over_tls = tokio::spawn(serve::serve(stage.listener, Some(tls), app, false));
    println!("authorization server  {}   (for development only: approves everybody)", server.issuer());
    println!("protected API         {public_url}");
    println!("  the same over mTLS  {tls_url}\n");
    let as_expected = if args.mode == Mode::ReportOnly {
        println!("mode report-only lets failures pass: nothing to demonstrate\n");
        true
    } else {
        demo::run(&server, public_url, &tls_url, &stage.certificate).await?
    };
    if args.once {
        return Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    demo::print_how_to_call(&server, public_url);
    tokio::select! {
        served = api => served?,
        served = api_over_tls => served?,
        served = authorization_server => served??,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(ExitCode::SUCCESS)
}
