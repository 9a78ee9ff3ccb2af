//! The command line.

use clap::{Parser, Subcommand};

use crate::attack::AttackArguments;
use crate::call::CallArguments;
use crate::explain::ExplainArguments;
use crate::generated::{CompletionsArguments, ManArguments};
use crate::inspect::InspectArguments;
use crate::jwks::JwksArguments;
use crate::keygen::KeygenArguments;
use crate::serve_as::ServeAsArguments;

/// Makes, explains and attacks requests with proof of possession.
///
/// Exit status: 0 if all is well, 1 if a check or the network failed, 2 if the input cannot be used.
#[derive(Parser)]
#[command(name = "poplayer", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Call an API with a token and a proof of possession
    Call(Box<CallArguments>),
    /// Check a token and its proof, and say what is wrong: the answer to "why 401?"
    Inspect(Box<InspectArguments>),
    /// Attack a resource server, and report which bad requests it accepts
    Attack(Box<AttackArguments>),
    /// Explain a code of a rejection, such as `proof.htu_mismatch`
    Explain(ExplainArguments),
    /// Generate a private key
    Keygen(KeygenArguments),
    /// Print the public keys of private keys as a JWK Set
    Jwks(JwksArguments),
    /// Start an authorization server for development. NOT FOR PRODUCTION
    ServeAs(Box<ServeAsArguments>),
    /// Print the completions for a shell
    Completions(CompletionsArguments),
    /// Print the manual page, or write one for each command
    Man(ManArguments),
}
