//! The arguments of `poplayer attack`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pop_client::reqwest::Url;

use crate::http_client::resource_url;
use crate::token::TokenArguments;

/// Attacks a resource server, in any language, as thieves of tokens and proofs do, and reports what it accepts.
///
/// Sends about 50 requests with DPoP proofs or, with --binding certificate, about 25 over mutual TLS, one after the other. Good
/// requests are among them: a server that rejects everything fails, too. The route must answer the good requests in the same way
/// each time, without harm. Exit status: 0 if the server accepts what it must and rejects what it must, 1 if not, 2 if the input
/// cannot be used.
#[derive(Args)]
pub(crate) struct AttackArguments {
    /// The URL of a protected route
    #[arg(value_name = "URL", value_parser = resource_url, required_unless_present = "list")]
    pub(super) url: Option<Url>,
    /// The method of the requests
    #[arg(long, short = 'X', value_name = "METHOD", default_value = "GET")]
    pub(super) request: String,
    /// A command that prints an access token. The environment has the public key to bind it to, POPLAYER_JWK and POPLAYER_JKT,
    /// and the thumbprint of the certificate, POPLAYER_X5T_S256
    #[arg(long, value_name = "COMMAND")]
    pub(super) token_command: Option<String>,
    /// Attack a host beyond this machine. Do that only to hosts that are yours
    #[arg(long)]
    pub(super) i_own_this_host: bool,
    /// Write a report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// The time to wait for each response, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = crate::call::seconds)]
    pub(super) max_time: Duration,
    /// The time between two requests, in milliseconds, up to 10000
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub(super) pause: u64,
    /// List the requests, and send nothing
    #[arg(long)]
    pub(super) list: bool,
    #[command(flatten)]
    pub(super) token: TokenArguments,
}
