//! Proofs over the request itself: HTTP message signatures, signed HTTP requests, and symmetric keys.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use tower_pop::{
    CryptoBackend, EnvelopeClaims, KeyEncryptionKeys, PopConfigBuilder, ProofKind, SignedContent, StaticClientKeys,
};

#[derive(Debug, Args)]
pub(crate) struct SignatureArgs {
    /// The kinds of proof that are accepted, separated by commas. The certificate options add mtls.
    #[arg(long, env = "POP_PROOFS", value_delimiter = ',', default_value = "dpop")]
    proofs: Vec<Kind>,
    /// A file with the private key-encryption keys of this API as a JWK Set, for tokens with symmetric keys. It is read again on
    /// SIGHUP.
    #[arg(long, env = "POP_KEK_FILE")]
    pub(crate) kek_file: Option<PathBuf>,
    /// Whether a request with content must cover it [default: required, off with --preset entra].
    #[arg(long, env = "POP_SIGNED_BODY", value_enum)]
    signed_body: Option<Rule>,
    /// What signed HTTP requests must cover, of m,u,p,q,h,b [default: m,u,p, and q if the request has a query; nothing with
    /// --preset entra].
    #[arg(long, env = "POP_COVER", value_delimiter = ',')]
    pop_cover: Option<Vec<Claim>>,
    /// The maximum length in bytes of content that is verified.
    #[arg(long, env = "POP_BODY_LIMIT", default_value_t = 1 << 20)]
    body_limit: u64,
    /// Whether requests with DPoP-bound and certificate-bound tokens must carry an HTTP message signature as well.
    #[arg(long, env = "POP_MESSAGE_SIGNATURE", value_enum, default_value = "off")]
    message_signature: Demand,
    /// A file with the keys that clients registered for such signatures: a JSON object of JWK Sets by client_id.
    #[arg(long, env = "POP_CLIENT_KEYS")]
    client_keys: Option<PathBuf>,
    /// The maximum age of signatures in seconds [default: 60; 300 for signed HTTP requests with --preset entra].
    #[arg(long, env = "POP_SIGNATURE_MAX_AGE")]
    signature_max_age: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Dpop,
    Mtls,
    Httpsig,
    Pop,
    Hmac,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rule {
    Required,
    IfPresent,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Demand {
    Off,
    Required,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Claim {
    M,
    U,
    P,
    Q,
    H,
    B,
}

impl SignatureArgs {
    /// Returns whether requests are accepted whose proof covers their content.
    pub(crate) fn cover_content(&self) -> bool {
        self.message_signature == Demand::Required
            || self.proofs.iter().any(|kind| matches!(kind, Kind::Httpsig | Kind::Pop | Kind::Hmac))
    }

    /// Adds the options to a configuration.
    pub(crate) fn add_to(&self, builder: PopConfigBuilder) -> Result<PopConfigBuilder, Box<dyn Error>> {
        let kinds = self.proofs.iter().map(|kind| match kind {
            Kind::Dpop => ProofKind::Dpop,
            Kind::Mtls => ProofKind::MutualTls,
            Kind::Httpsig => ProofKind::HttpSig,
            Kind::Pop => ProofKind::SignedRequest,
            Kind::Hmac => ProofKind::Hmac,
        });
        if self.proofs.contains(&Kind::Hmac) && self.kek_file.is_none() {
            return Err("--proofs hmac needs --kek-file".into());
        }
        let mut builder = builder.proofs(kinds).content_limit(self.body_limit);
        if let Some(rule) = self.signed_body {
            builder = builder.signed_content(match rule {
                Rule::Required => SignedContent::Required,
                Rule::IfPresent => SignedContent::IfPresent,
                Rule::Off => SignedContent::Off,
            });
        }
        if let Some(claims) = &self.pop_cover {
            builder = builder.signed_request_claims(claims.iter().fold(EnvelopeClaims::EMPTY, |all, claim| {
                all.with(match claim {
                    Claim::M => EnvelopeClaims::M,
                    Claim::U => EnvelopeClaims::U,
                    Claim::P => EnvelopeClaims::P,
                    Claim::Q => EnvelopeClaims::Q,
                    Claim::H => EnvelopeClaims::H,
                    Claim::B => EnvelopeClaims::B,
                })
            }));
        }
        if let Some(seconds) = self.signature_max_age {
            builder = builder.signature_max_age(Duration::from_secs(seconds));
        }
        if self.message_signature == Demand::Required {
            builder = builder.require_message_signature();
        }
        if let Some(path) = &self.client_keys {
            let json = read(path)?;
            let keys = StaticClientKeys::parse(&json, Default::default(), CryptoBackend::default());
            builder = builder.client_keys(keys.map_err(|error| format!("{}: {error}", path.display()))?);
        }
        if let Some(path) = &self.kek_file {
            builder = builder.key_encryption_keys(key_encryption_keys(path)?);
        }
        Ok(builder)
    }
}

/// Reads the key-encryption keys of this API.
///
/// # Errors
/// The message names the file, and the entry that cannot be used.
pub(crate) fn key_encryption_keys(path: &Path) -> Result<KeyEncryptionKeys, Box<dyn Error>> {
    Ok(KeyEncryptionKeys::parse(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
