//! The command line tool `poplayer`: makes, explains and attacks requests with proof of possession.
//!
//! Exit status: 0 if all is well, 1 if a check or the network failed, 2 if the input cannot be used.

mod arguments;
mod attack;
mod call;
mod explain;
mod failure;
mod generated;
mod http_client;
mod input;
mod inspect;
mod json;
mod jwks;
mod key_file;
mod keygen;
mod output;
mod serve_as;
mod signed;
mod token;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::output::Output;

/// Whether everything that was checked holds.
type Passed = bool;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return failure::of_arguments(&error),
    };
    let output = Output::new(arguments.json);
    let result = match arguments.command {
        Command::Call(arguments) => call::run(*arguments, &output).await,
        Command::Attack(arguments) => attack::run(*arguments, &output).await,
        Command::Inspect(arguments) => inspect::run(*arguments, &output).await,
        Command::Explain(arguments) => explain::run(&arguments, &output),
        Command::ServeAs(arguments) => serve_as::run(*arguments, &output).await,
        Command::Completions(arguments) => Ok(generated::completions(&arguments, &output)),
        Command::Man(arguments) => generated::man(&arguments, &output),
        Command::Keygen(arguments) => keygen::run(&arguments, &output),
        Command::Jwks(arguments) => jwks::run(&arguments, &output),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => failure.report(),
    }
}
