//! The development authorization server as a program.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use pop_authserver::program::{ProgramError, ServerArguments, WARNING};

/// A development authorization server for proof-of-possession tokens. NOT FOR PRODUCTION.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    server: ServerArguments,
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
    let (server, listeners) = args.server.listen().await?;
    eprintln!("{WARNING}");
    println!("ready {}", server.issuer());
    server.serve(listeners).await?;
    Ok(())
}
