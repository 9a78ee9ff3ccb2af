//! `poplayer serve-as`: the development authorization server of `pop-authserver`.

use std::io::Write;

use clap::Args;
use pop_authserver::StartError;
use pop_authserver::program::{ProgramError, ServerArguments, WARNING};
use serde_json::json;

use crate::Passed;
use crate::failure::{Failure, with_causes};
use crate::output::Output;

/// Starts an authorization server for development. It approves every request. NOT FOR PRODUCTION.
#[derive(Args)]
pub(crate) struct ServeAsArguments {
    #[command(flatten)]
    server: ServerArguments,
}

pub(crate) async fn run(arguments: ServeAsArguments, output: &Output) -> Result<Passed, Failure> {
    let (server, listeners) = arguments.server.listen().await.map_err(|error| match error {
        ProgramError::Start(StartError::Listen { .. }) => Failure::failed(with_causes(&error)),
        _ => Failure::input(with_causes(&error)),
    })?;
    let _ = writeln!(std::io::stderr(), "{WARNING}");
    if output.is_json() {
        output.line(json!({ "issuer": server.issuer() }).to_string());
    } else {
        output.line(format!("ready {}", server.issuer()));
    }
    server.serve(listeners).await.map_err(|error| Failure::failed(with_causes(&error)))?;
    Ok(true)
}
