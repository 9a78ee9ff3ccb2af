//! The arguments of `poplayer call`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pop_client::reqwest::Url;

use crate::http_client::resource_url;
use crate::token::TokenArguments;

/// Calls an API with a token and a proof of possession.
///
/// Finds the authorization server by the metadata of the resource, gets a token, signs the request, and repeats it once if the
/// server wants a nonce. `-X`, `-H`, `-d`, `-i`, `-o`, `-f` and `-v` are those of curl. Redirects are not followed.
#[derive(Args)]
pub(crate) struct CallArguments {
    /// The URL
    #[arg(value_name = "URL", value_parser = resource_url)]
    pub(super) url: Url,
    /// The method [default: GET, or POST with content]
    #[arg(long, short = 'X', value_name = "METHOD")]
    pub(super) request: Option<String>,
    /// A header line, such as `Content-Type: text/plain`. Repeatable
    #[arg(long, short = 'H', value_name = "LINE")]
    pub(super) header: Vec<String>,
    /// Content, or `@` and a file, whose line breaks are removed. Repeatable: joined with `&`
    #[arg(long, short, value_name = "CONTENT")]
    pub(super) data: Vec<String>,
    /// Content, or `@` and a file, as it is
    #[arg(long, value_name = "CONTENT", conflicts_with = "data")]
    pub(super) data_binary: Option<String>,
    /// Show the requests and responses, with token and proof decoded, on standard error
    #[arg(long, short)]
    pub(super) verbose: bool,
    /// Print the header of the response, too
    #[arg(long, short)]
    pub(super) include: bool,
    /// Write the content of the response to a file
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Exit with status 1 if the response has status 400 or higher
    #[arg(long, short)]
    pub(super) fail: bool,
    /// Print the header lines that prove possession, and send nothing: for `curl -H @-`
    #[arg(long, conflicts_with_all = ["include", "output", "fail"])]
    pub(super) print_headers: bool,
    /// The nonce of the first proof, if the server wants one
    #[arg(long, value_name = "NONCE")]
    pub(super) nonce: Option<String>,
    /// The time to wait for each response, in seconds
    #[arg(long, short, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(super) max_time: Duration,
    #[command(flatten)]
    pub(super) token: TokenArguments,
}

pub(crate) fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or("expected 1 to 3600 seconds")
}
