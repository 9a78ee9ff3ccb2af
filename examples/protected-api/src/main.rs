//! An API behind `PopLayer`.
//!
//! `cargo run -p protected-api` also starts a development authorization server, sends valid requests and attacks, and
//! prints a table of the responses. With `--issuer` it runs only the API, for that authorization server.

mod api;
mod args;
mod demo;
mod metrics;
mod page;
mod serve;
mod whoami;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use pop_authserver::{AuthServer, ResourceServer};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tower_pop::{Mode, PopConfig};
use tracing_subscriber::EnvFilter;

use crate::args::Args;
use crate::demo::TlsSetup;

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
            for cause in std::iter::successors(error.source(), |&error| error.source()) {
                eprintln!("caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(address) = args.replicas.metrics_listen {
        metrics::serve(address).await?;
    }
    let listener = TcpListener::bind(args.listen).await?;
    let tls = args.tls.server_config()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let public_url = args.public_url.clone().unwrap_or(format!("{scheme}://{}", listener.local_addr()?));
    match &args.issuer.url {
        Some(issuer) => protect(&args, listener, tls, &public_url, issuer).await,
        None => demonstrate(&args, listener, &public_url).await,
    }
}

/// Serves the API for another authorization server.
#[allow(clippy::print_stdout)]
async fn protect(
    args: &Args,
    listener: TcpListener,
    tls: Option<ServerConfig>,
    public_url: &str,
    issuer: &str,
) -> Result<ExitCode, Box<dyn Error>> {
    let builder = args.config(args.issuer.config(issuer)?, args.client_certificates()?, public_url)?;
    let cfg = args.replicas.add_store_to(builder).await?.build()?;
    let app = api::router(&cfg, args.signatures.cover_content(), args.cors.layer());
    let hangups = signal(SignalKind::hangup())?;
    println!("ready {public_url}");
    tokio::select! {
        () = serve::serve(listener, tls, app, args.proxy.is_trusted()) => {}
        () = reload_keys(&cfg, args, hangups) => {}
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the files with keys again on each SIGHUP. Keys that cannot be used change nothing.
async fn reload_keys(cfg: &PopConfig, args: &Args, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        if let Some(path) = args.signatures.kek_file.as_deref() {
            let keys = args::key_encryption_keys(path).map(|keys| cfg.set_key_encryption_keys(keys));
            report_reload("key-encryption keys", keys);
        }
        if let Some(path) = args.replicas.nonce_keys_file.as_deref() {
            report_reload("nonce keys", args::nonce_keys(path).and_then(|keys| Ok(cfg.set_nonce_keys(keys)?)));
        }
    }
}

fn report_reload(what: &str, result: Result<(), Box<dyn Error>>) {
    match result {
        Ok(()) => tracing::info!("the {what} were read again"),
        Err(error) => tracing::error!(%error, "the {what} cannot be used; the earlier ones stay"),
    }
}

/// Starts the development authorization server too, prints the table, and continues to serve.
#[allow(clippy::print_stdout)]
async fn demonstrate(args: &Args, listener: TcpListener, public_url: &str) -> Result<ExitCode, Box<dyn Error>> {
    let audience = args.audience.clone().unwrap_or_else(|| public_url.to_owned());
    let kek = demo::key_encryption_key()?;
    let resource = ResourceServer::new(&audience).key_encryption_keys(&kek)?;
    let mut builder = AuthServer::builder().mutual_tls().resource(resource);
    for client in demo::clients(&audience) {
        builder = builder.client(client);
    }
    builder = builder.client(page::client(public_url, args.cors.origins())).cors_origin(public_url);
    for origin in args.cors.origins() {
        builder = builder.cors_origin(origin);
    }
    let (server, listeners) = builder.listen(args.authserver_listen, None).await?;
    let certificates = Some(demo::client_certificates());
    let builder = args.config(demo::issuer(&server), certificates, public_url)?;
    let cfg = demo::config(args.replicas.add_store_to(builder).await?, &kek)?;
    let app = demo::router(&cfg, args.cors.layer()).merge(page::router(server.issuer())?);
    let setup = TlsSetup::new().await?;
    let (tls_url, tls) = (setup.url().to_owned(), setup.server_config()?);
    let authorization_server = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listeners).await }
    });
    let api = tokio::spawn(serve::serve(listener, None, app.clone(), false));
    let api_over_tls = tokio::spawn(serve::serve(setup.listener, Some(tls), app, false));
    println!("authorization server  {}   (for development only: approves every request)", server.issuer());
    println!("protected API         {public_url}");
    println!("  a page to try it    {public_url}/demo");
    println!("  the same over mTLS  {tls_url}\n");
    let as_expected = if args.mode == Mode::ReportOnly {
        println!("mode report-only lets invalid requests pass, so there is no demonstration\n");
        true
    } else {
        demo::run(&server, &audience, public_url, &tls_url, &setup.certificate).await?
    };
    if args.once {
        return Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    demo::print_commands(&server, public_url);
    tokio::select! {
        served = api => served?,
        served = api_over_tls => served?,
        served = authorization_server => served??,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(ExitCode::SUCCESS)
}
