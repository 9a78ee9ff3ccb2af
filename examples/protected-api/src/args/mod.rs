//! The command line, and the configuration that it describes.

mod algorithms;
mod cors;
mod introspection;
mod issuer;
mod names;
mod proxy;
mod replicas;
mod signatures;
mod tls;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use tower_pop::{ClientCertificates, IssuerConfig, Mode, NoncePolicy, PopConfig, PopConfigBuilder, Preset};

use self::algorithms::AlgorithmArgs;
use self::cors::CorsArgs;
use self::issuer::IssuerArgs;
use self::names::by_name;
use self::proxy::ProxyArgs;
use self::replicas::ReplicaArgs;
pub(crate) use self::replicas::nonce_keys;
use self::signatures::SignatureArgs;
pub(crate) use self::signatures::key_encryption_keys;
use self::tls::TlsArgs;

/// An API behind PopLayer. Without --issuer, it also starts a development authorization server and shows which requests
/// the API rejects.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The address to listen on.
    #[arg(long, env = "POP_LISTEN", default_value = "127.0.0.1:3000")]
    pub(crate) listen: SocketAddr,
    /// The URL of the API for clients [default: http:// and the address, or https:// with --tls-cert].
    #[arg(long, env = "POP_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    #[command(flatten)]
    pub(crate) issuer: IssuerArgs,
    /// The identifier of the API that tokens must have in `aud` [default: the public URL].
    #[arg(long, env = "POP_AUDIENCE")]
    pub(crate) audience: Option<String>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,
    #[command(flatten)]
    pub(crate) signatures: SignatureArgs,
    #[command(flatten)]
    pub(crate) replicas: ReplicaArgs,
    #[command(flatten)]
    pub(crate) cors: CorsArgs,
    /// The profile whose settings the API uses.
    #[arg(long, env = "POP_PRESET", default_value = "rfc9449", value_parser = by_name::<Preset>(Preset::ALL.iter().map(|preset| preset.name())))]
    pub(crate) preset: Preset,
    #[command(flatten)]
    pub(crate) algorithms: AlgorithmArgs,
    /// The maximum age of a proof in seconds [default: that of the preset].
    #[arg(long, env = "POP_PROOF_MAX_AGE")]
    pub(crate) proof_max_age: Option<u64>,
    /// The maximum time in seconds that a proof may be dated in the future [default: that of the preset].
    #[arg(long, env = "POP_CLOCK_SKEW")]
    pub(crate) clock_skew: Option<u64>,
    /// Whether proofs need a nonce.
    #[arg(long, env = "POP_NONCE", default_value = "off", value_parser = by_name::<NoncePolicy>(NoncePolicy::NAMES))]
    pub(crate) nonce: NoncePolicy,
    /// Which requests the layer lets pass.
    #[arg(long, env = "POP_MODE", default_value = "required", value_parser = by_name::<Mode>(Mode::ALL.iter().map(|mode| mode.name())))]
    pub(crate) mode: Mode,
    /// Explain rejections in the response. For development only.
    #[arg(long, env = "POP_EXPLAIN")]
    explain: bool,
    /// The address that the development authorization server listens on.
    #[arg(long, env = "POP_AUTHSERVER_LISTEN", default_value = "127.0.0.1:9400")]
    pub(crate) authserver_listen: SocketAddr,
    /// Exit after the demonstration. The exit code is an error if a line is not as expected.
    #[arg(long)]
    pub(crate) once: bool,
}

impl Args {
    /// Returns the configuration of the API, which is checked when it is built.
    ///
    /// # Errors
    /// The message names the file that cannot be used, and the entry in it.
    pub(crate) fn config(
        &self,
        issuer: IssuerConfig,
        certificates: Option<ClientCertificates>,
        public_url: &str,
    ) -> Result<PopConfigBuilder, Box<dyn Error>> {
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
        self.signatures.add_to(self.replicas.add_to(self.algorithms.add_to(builder))?)
    }

    /// Returns the sources of client certificates, if there are any.
    pub(crate) fn client_certificates(&self) -> Result<Option<ClientCertificates>, Box<dyn Error>> {
        let from_connection = self.tls.requests_certificates().then(ClientCertificates::from_connection);
        self.proxy.add_to(from_connection)
    }
}
