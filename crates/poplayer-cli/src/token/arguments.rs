//! How the program gets a token and its key: the arguments of `call` and `attack`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pop_client::{Algorithm, DpopKey, ProofMethod};

use crate::key_file;

/// How to get a token.
#[derive(Args)]
#[command(next_help_heading = "The token")]
pub(crate) struct TokenArguments {
    /// The access token, or `@` and a file. Needs --key, or --certificate
    #[arg(long, value_name = "TOKEN", env = "POPLAYER_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// The private key of the client, as `poplayer keygen` writes it [default: a new key for each run]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The signature algorithm [default: the usual one of the key; ES256 for a new key]
    #[arg(long, value_name = "ALG", value_parser = key_file::algorithm)]
    pub(crate) alg: Option<Algorithm>,
    /// How the token is bound to the client
    #[arg(long, value_name = "BINDING", default_value = "dpop")]
    pub(crate) binding: Binding,
    /// The authorization server [default: the one that the metadata of the resource names]
    #[arg(long, value_name = "URL", env = "POPLAYER_ISSUER")]
    pub(crate) issuer: Option<String>,
    /// The identifier of the client
    #[arg(long, value_name = "ID", env = "POPLAYER_CLIENT_ID")]
    pub(crate) client_id: Option<String>,
    /// The secret of the client, or `@` and a file
    #[arg(long, value_name = "SECRET", env = "POPLAYER_CLIENT_SECRET", hide_env_values = true)]
    pub(crate) client_secret: Option<String>,
    /// A private key that authenticates the client (private_key_jwt), instead of a secret
    #[arg(long, value_name = "FILE")]
    pub(crate) client_key: Option<PathBuf>,
    /// The scopes to ask for, separated by spaces
    #[arg(long, value_name = "SCOPES")]
    pub(crate) scope: Option<String>,
    /// The resource to ask for (RFC 8707) [default: the one that the metadata of the resource names]
    #[arg(long, value_name = "URL")]
    pub(crate) resource: Option<String>,
    /// Ask the user in the browser: authorization code with PKCE, instead of client credentials
    #[arg(long, conflicts_with = "token")]
    pub(crate) browser: bool,
    /// The port of the redirect URI, http://127.0.0.1:PORT/callback [default: a free one]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true, requires = "browser")]
    pub(crate) redirect_port: u16,
    /// The client's certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "certificate_key")]
    pub(crate) certificate: Option<PathBuf>,
    /// The private key of the certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) certificate_key: Option<PathBuf>,
    /// Certificates to trust, as PEM, in addition to those of the system
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
}

/// How a token is bound, and what its requests carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Binding {
    /// A DPoP proof (RFC 9449)
    Dpop,
    /// An HTTP message signature (RFC 9421)
    Httpsig,
    /// A signed HTTP request, with the key in the token
    Pop,
    /// A signed HTTP request, with the thumbprint of its key in the token
    PopThumbprint,
    /// The client's certificate (RFC 8705)
    Certificate,
}

impl Binding {
    /// Returns what proves possession of a key; `None` for a certificate, which the connection proves.
    pub(crate) fn proof(self, key: DpopKey) -> Option<ProofMethod> {
        match self {
            Self::Dpop => Some(ProofMethod::Dpop(key)),
            Self::Httpsig => Some(ProofMethod::HttpSig(key)),
            Self::Pop => Some(ProofMethod::Pop(key)),
            Self::PopThumbprint => Some(ProofMethod::PopThumbprint(key)),
            Self::Certificate => None,
        }
    }
}
