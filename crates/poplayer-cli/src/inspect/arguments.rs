//! The arguments of `poplayer inspect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pop_core::policy::{Mode, Preset};
use tower_pop::{Algorithm, IssuerProfile, ProofKind};

use super::time;

/// Checks a token and its proof, and says what is wrong: the answer to "why 401?"
///
/// The request comes from standard input (its header lines, as `curl -v` or `poplayer call --print-headers` prints them), or from
/// flags. The checks are those of the layer `PopLayer` for axum and tower, in its order. Exit status: 0 if the request passes, 1 if
/// a check fails, 2 if the input cannot be used.
#[derive(Args)]
pub(crate) struct InspectArguments {
    /// The URL that the client requested [default: from the request line and `Host` on standard input]
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// The method of the request [default: from the request line on standard input, or GET]
    #[arg(long, short = 'X', value_name = "METHOD")]
    pub(super) method: Option<String>,
    /// The access token, or `@` and a file
    #[arg(long, value_name = "TOKEN")]
    pub(super) token: Option<String>,
    /// The DPoP proof, or `@` and a file
    #[arg(long, value_name = "PROOF")]
    pub(super) proof: Option<String>,
    /// The scheme of `Authorization`
    #[arg(long, value_name = "SCHEME", default_value = "DPoP")]
    pub(super) scheme: String,
    /// A header line of the request, such as `Content-Type: text/plain`. Repeatable
    #[arg(long, short = 'H', value_name = "LINE")]
    pub(super) header: Vec<String>,
    /// The content of the request, or `@` and a file
    #[arg(long, short, value_name = "CONTENT")]
    pub(super) data: Option<String>,
    /// The time of the request: seconds since the epoch, or such as 2026-01-31T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub(super) at: Option<u64>,
    /// The keys of the issuer: a file with a JWK Set, or its URL [default: from the metadata of the issuer]
    #[arg(long, value_name = "FILE|URL")]
    pub(super) jwks: Option<String>,
    /// The issuer that must have signed the token [with --jwks, default: whatever the token names]
    #[arg(long, value_name = "URL", required_unless_present = "jwks")]
    pub(super) issuer: Option<String>,
    /// The audience that the token must name [default: the origin of the URL]
    #[arg(long, value_name = "AUDIENCE")]
    pub(super) audience: Option<String>,
    /// The client's certificate, as PEM
    #[arg(long, value_name = "FILE")]
    pub(super) certificate: Option<PathBuf>,
    #[command(flatten)]
    pub(super) server: ServerArguments,
}

/// What the server is configured to accept.
#[derive(Debug, Args)]
#[command(next_help_heading = "The settings of the server")]
pub(super) struct ServerArguments {
    /// The preset
    #[arg(long, value_name = "PRESET", default_value = "rfc9449")]
    pub(super) preset: Preset,
    /// The mode
    #[arg(long, value_name = "MODE", default_value = "required")]
    pub(super) mode: Mode,
    /// The accepted kinds of proof: dpop, httpsig, pop, hmac, mtls [default: all, and hmac with --kek]
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = kind)]
    pub(super) proofs: Vec<ProofKind>,
    /// The accepted algorithms of proofs [default: those of the preset]
    #[arg(long, value_name = "ALGS", value_delimiter = ',')]
    pub(super) proof_algorithms: Vec<Algorithm>,
    /// The accepted algorithms of access tokens [default: those of the preset]
    #[arg(long, value_name = "ALGS", value_delimiter = ',')]
    pub(super) token_algorithms: Vec<Algorithm>,
    /// The maximum age of a proof, in seconds [default: that of the preset]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) proof_max_age: Option<Duration>,
    /// How far a proof may be in the future, in seconds [default: that of the preset]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) clock_skew: Option<Duration>,
    /// The keys of the server's nonces: proofs need a nonce that one of them made
    #[arg(long, value_name = "FILE")]
    pub(super) nonce_keys: Option<PathBuf>,
    /// The key-encryption keys of the server, for tokens with a symmetric key
    #[arg(long, value_name = "FILE")]
    pub(super) kek: Option<PathBuf>,
    /// Requires a message signature in addition to DPoP or a certificate
    #[arg(long)]
    pub(super) require_signature: bool,
    /// The registered signature keys of clients: a JSON object of JWK Sets by `client_id`
    #[arg(long, value_name = "FILE")]
    pub(super) client_keys: Option<PathBuf>,
    /// The field in which a trusted proxy passes on client certificates, such as Client-Cert
    #[arg(long, value_name = "FIELD")]
    pub(super) certificate_field: Option<String>,
    /// The maximum length of the content, in bytes
    #[arg(long, value_name = "BYTES")]
    pub(super) content_limit: Option<u64>,
    /// Rejects `access_token` in the query
    #[arg(long)]
    pub(super) reject_token_in_query: bool,
    /// Rejects TLS early data
    #[arg(long)]
    pub(super) reject_early_data: bool,
    /// The product that the issuer is, such as keycloak: accepts the known deviations of its tokens
    #[arg(long, value_name = "PRODUCT", default_value = "rfc9068", value_parser = profile)]
    pub(super) issuer_profile: IssuerProfile,
    /// Deviations of the issuer from RFC 9068: typ-jwt, scope-array, missing-sub, missing-client-id, missing-jti, missing-iat
    #[arg(long, value_name = "DEVIATIONS", value_delimiter = ',', value_parser = deviation)]
    pub(super) allow: Vec<String>,
    /// Scopes that the route requires
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    pub(super) require_scope: Vec<String>,
    /// Authentication context classes of which the route requires one
    #[arg(long, value_name = "ACRS", value_delimiter = ',')]
    pub(super) require_acr: Vec<String>,
    /// The maximum time since the user's authentication that the route accepts, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) require_max_age: Option<Duration>,
    /// A value that the route requires of a claim, as `claim=value`. Repeatable
    #[arg(long, value_name = "CLAIM=VALUE")]
    pub(super) require_claim: Vec<String>,
}

const KINDS: [ProofKind; 5] =
    [ProofKind::Dpop, ProofKind::HttpSig, ProofKind::SignedRequest, ProofKind::Hmac, ProofKind::MutualTls];

fn kind(name: &str) -> Result<ProofKind, &'static str> {
    let found = KINDS.into_iter().find(|kind| kind.as_str() == name);
    found.ok_or("expected dpop, httpsig, pop, hmac or mtls")
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    text.parse().map(Duration::from_secs).map_err(|_| "expected a number of seconds")
}

pub(super) const DEVIATIONS: [&str; 6] =
    ["typ-jwt", "scope-array", "missing-sub", "missing-client-id", "missing-jti", "missing-iat"];

fn deviation(name: &str) -> Result<String, String> {
    let found = DEVIATIONS.contains(&name).then(|| name.to_owned());
    found.ok_or_else(|| format!("expected {}", DEVIATIONS.join(", ")))
}

fn profile(name: &str) -> Result<IssuerProfile, tower_pop::UnknownName> {
    name.parse()
}
