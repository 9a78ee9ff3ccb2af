//! `poplayer jwks`: the public halves of private keys, as a JWK Set (RFC 7517 §5).

use std::path::PathBuf;

use clap::Args;
use pop_client::Algorithm;
use serde_json::{Value, json};

use crate::Passed;
use crate::failure::Failure;
use crate::key_file;
use crate::output::Output;

/// Prints the public keys of private keys as a JWK Set.
#[derive(Debug, Args)]
pub(crate) struct JwksArguments {
    /// Files with private keys, as `poplayer keygen` writes them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The signature algorithm of the keys [default: the usual one of each key]
    #[arg(long, value_name = "ALG", value_parser = key_file::algorithm)]
    alg: Option<Algorithm>,
}

pub(crate) fn run(arguments: &JwksArguments, output: &Output) -> Result<Passed, Failure> {
    let public = |path: &PathBuf| -> Result<Value, Failure> {
        let key = key_file::read(path, arguments.alg)?;
        let mut jwk = key.public_jwk();
        jwk["kid"] = key.thumbprint().to_string().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = key.algorithm().name().into();
        Ok(jwk)
    };
    let keys = arguments.files.iter().map(public).collect::<Result<Vec<_>, _>>()?;
    output.document(&json!({ "keys": keys }));
    Ok(true)
}
