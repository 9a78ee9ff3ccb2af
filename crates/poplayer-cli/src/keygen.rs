//! `poplayer keygen`: generates a private key.

use std::path::PathBuf;

use clap::Args;
use pop_client::{Algorithm, DpopKey};
use serde_json::json;

use crate::Passed;
use crate::failure::Failure;
use crate::key_file;
use crate::output::Output;

/// Generates a private key.
#[derive(Debug, Args)]
pub(crate) struct KeygenArguments {
    /// The signature algorithm
    #[arg(long, value_name = "ALG", default_value = "ES256", value_parser = key_file::algorithm)]
    alg: Algorithm,
    /// The file to write the key to, as PEM, readable by its owner only
    #[arg(long, short, value_name = "FILE", required_unless_present = "print_private_key")]
    out: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long, requires = "out")]
    force: bool,
    /// Print the private key instead of writing it to a file
    #[arg(long, conflicts_with_all = ["out", "json"])]
    print_private_key: bool,
}

pub(crate) fn run(arguments: &KeygenArguments, output: &Output) -> Result<Passed, Failure> {
    let key = DpopKey::generate(arguments.alg).map_err(|error| Failure::failed(error.to_string()))?;
    let pem = key_file::to_pem(&key)?;
    if let Some(path) = &arguments.out {
        key_file::write_secret(path, &pem, arguments.force)?;
    }
    if arguments.print_private_key {
        output.line(pem.trim_end());
        return Ok(true);
    }
    let (algorithm, thumbprint) = (key.algorithm().name(), key.thumbprint().to_string());
    if output.is_json() {
        let file = arguments.out.as_ref().map(|path| path.display().to_string());
        output.document(&json!({ "file": file, "alg": algorithm, "jkt": thumbprint, "jwk": key.public_jwk() }));
    } else {
        output.line(format!("alg  {algorithm}\njkt  {thumbprint}\njwk  {}", key.public_jwk()));
    }
    Ok(true)
}
