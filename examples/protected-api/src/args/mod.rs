//! The command line, and the configuration it makes.

mod certificates;
mod cors;
mod introspection;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Parser, builder::TypedValueParser};
use tower_pop::{ClientCertificates, IssuerConfig, Mode, NoncePolicy, PopConfig, Preset, UnknownName};

use self::certificates::{ProxyArgs, TlsArgs};
use self::cors::CorsArgs;
use self::introspection::IntrospectionArgs;

/// An API behind PopLayer. Without --issuer it brings a development authorization server and shows what it refuses.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// Address to listen on.
    #[arg(long, env = "POP_LISTEN", default_value = "127.0.0.1:3000")]
    pub(crate) listen: SocketAddr,
    /// URL under which clients reach the API [default: http:// or, with --tls-cert, https:// and the address].
    #[arg(long, env = "POP_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// Accept tokens of this issuer, and start neither the development server nor the demonstration.
    #[arg(long, env = "POP_ISSUER")]
    pub(crate) issuer: Option<String>,
    /// Identifier of the API that must be in `aud` [default: the public URL].
    #[arg(long, env = "POP_AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// A JWK set to use instead of discovery.
    #[arg(long, env = "POP_JWKS_FILE", requires = "issuer")]
    pub(crate) jwks_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,
    #[command(flatten)]
    introspection: IntrospectionArgs,
    #[command(flatten)]
    pub(crate) cors: CorsArgs,
    /// Settings that belong together.
    #[arg(long, env = "POP_PRESET", default_value = "rfc9449", value_parser = by_name::<Preset>(Preset::ALL.iter().map(|preset| preset.name())))]
    pub(crate) preset: Preset,
    /// How old a proof may be, in seconds [default: the preset's].
    #[arg(long, env = "POP_PROOF_MAX_AGE")]
    pub(crate) proof_max_age: Option<u64>,
    /// How far ahead a proof may be, in seconds [default: the preset's].
    #[arg(long, env = "POP_CLOCK_SKEW")]
    pub(crate) clock_skew: Option<u64>,
    /// Whether proofs need a nonce.
    #[arg(long, env = "POP_NONCE", default_value = "off", value_parser = by_name::<NoncePolicy>(NoncePolicy::NAMES))]
    pub(crate) nonce: NoncePolicy,
    /// Which requests may pass.
    #[arg(long, env = "POP_MODE", default_value = "required", value_parser = by_name::<Mode>(Mode::ALL.iter().map(|mode| mode.name())))]
    pub(crate) mode: Mode,
    /// Claim that the issuer writes scopes into, such as scp [default: scope].
    #[arg(long, env = "POP_SCOPE_CLAIM", requires = "issuer")]
    scope_claim: Option<String>,
    /// Put the reason of a rejection into the response: for development only.
    #[arg(long, env = "POP_EXPLAIN")]
    explain: bool,
    /// Where the development authorization server listens.
    #[arg(long, env = "POP_AUTHSERVER_LISTEN", default_value = "127.0.0.1:9400")]
    pub(crate) authserver_listen: SocketAddr,
    /// Exit after the demonstration, with an error if any line is not as expected.
    #[arg(long)]
    pub(crate) once: bool,
}

impl Args {
    /// The configuration of the API.
    ///
    /// # Errors
    /// A sentence that names the flag or the value at fault.
    pub(crate) fn config(
        &self,
        issuer: IssuerConfig,
        certificates: Option<ClientCertificates>,
        public_url: &str,
    ) -> Result<PopConfig, Box<dyn Error>> {
        let audience = self.audience.clone().unwrap_or_else(|| public_url.to_owned());
        let mut builder = PopConfig::builder(issuer, audience)
            .preset(self.preset)
            .mode(self.mode)
            .nonce(self.nonce.clone())
            .public_origin(public_url)
            .resource_name("Notes")
            .scopes_supported(["notes:read", "notes:write"]);
        if let Some(seconds) = self.proof_max_age {
            builder = builder.proof_max_age(Duration::from_secs(seconds));
        }
        if let Some(seconds) = self.clock_skew {
            builder = builder.clock_skew(Duration::from_secs(seconds));
        }
        if let Some(certificates) = certificates {
            builder = builder.client_certificates(certificates);
        }
        if self.explain {
            builder = builder.explain_rejections();
        }
        Ok(builder.build()?)
    }

    /// The issuer of `--issuer`, with its keys and its introspection.
    pub(crate) fn issuer(&self, issuer: &str) -> Result<IssuerConfig, Box<dyn Error>> {
        let issuer = match &self.jwks_file {
            Some(path) => IssuerConfig::new(issuer).static_jwks(std::fs::read(path)?),
            None => IssuerConfig::new(issuer),
        };
        let issuer = match &self.scope_claim {
            Some(claim) => issuer.scope_claim(claim),
            None => issuer,
        };
        Ok(match self.introspection.introspection() {
            Some(introspection) => issuer.introspection(introspection),
            None => issuer,
        })
    }

    /// Where client certificates come from, if from anywhere.
    pub(crate) fn client_certificates(&self) -> Result<Option<ClientCertificates>, Box<dyn Error>> {
        let from_connection = self.tls.asks_for_certificates().then(ClientCertificates::from_connection);
        self.proxy.add_to(from_connection)
    }
}

/// A setting by its name; `--help` lists the names.
pub(super) fn by_name<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownName> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}
