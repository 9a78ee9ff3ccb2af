//! Options for several replicas of the API.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tower_pop::replay::RedisReplayStore;
use tower_pop::{PopConfigBuilder, nonce_keys_from_text};

/// How long a proof may wait for Redis.
const TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct ReplicaArgs {
    /// Where used proofs are recorded: memory, or the URL of a Redis or Valkey that replicas share.
    #[arg(
        long,
        env = "POP_REPLAY",
        hide_env_values = true,
        default_value = "memory",
        value_name = "memory|redis://…|rediss://…"
    )]
    replay: Place,
    /// How long a proof may wait for Redis, in milliseconds [default: 500].
    #[arg(long, env = "POP_REPLAY_TIMEOUT", value_name = "MILLISECONDS")]
    replay_timeout: Option<u64>,
    /// A file with the keys of nonces that replicas share: base64url of 32 bytes a line, the first one creates nonces. Read
    /// again on SIGHUP. Needs --nonce required.
    #[arg(long, env = "POP_NONCE_KEYS_FILE", value_name = "FILE")]
    pub(crate) nonce_keys_file: Option<PathBuf>,
    /// The address where Prometheus finds metrics, at /metrics. They name issuers: keep it inside.
    #[arg(long, env = "POP_METRICS_LISTEN", value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,
}

/// `Debug` hides the URL, which can have a password.
#[derive(Clone)]
enum Place {
    Memory,
    Redis(String),
}

impl std::str::FromStr for Place {
    type Err = &'static str;

    fn from_str(place: &str) -> Result<Self, Self::Err> {
        match place {
            "memory" => Ok(Self::Memory),
            url if url.starts_with("redis://") || url.starts_with("rediss://") => Ok(Self::Redis(url.to_owned())),
            _ => Err("neither memory nor a URL that begins with redis:// or rediss://"),
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory => "Memory",
            Self::Redis(_) => "Redis",
        })
    }
}

impl ReplicaArgs {
    /// # Errors
    /// The message names the value that cannot be used, without credentials.
    pub(super) fn add_to(&self, builder: PopConfigBuilder) -> Result<PopConfigBuilder, Box<dyn Error>> {
        match &self.nonce_keys_file {
            Some(path) => Ok(builder.nonce_keys(nonce_keys(path)?)),
            None => Ok(builder),
        }
    }

    /// Adds the replay store that replicas share, if there is one. A server that is not there yet is waited for with each request;
    /// one that answers, and cannot be used as it is, is an error.
    ///
    /// # Errors
    /// The message names the value that cannot be used, without credentials.
    pub(crate) async fn add_store_to(&self, builder: PopConfigBuilder) -> Result<PopConfigBuilder, Box<dyn Error>> {
        let Place::Redis(url) = &self.replay else {
            let contradicts = self.replay_timeout.is_some();
            return if contradicts { Err("--replay-timeout needs --replay with a URL".into()) } else { Ok(builder) };
        };
        let timeout = self.replay_timeout.map_or(TIMEOUT, Duration::from_millis);
        let store = RedisReplayStore::builder(url).timeout(timeout).build()?;
        match store.connect().await {
            Err(error) if error.needs_repair() => return Err(error.into()),
            Ok(()) | Err(_) => {} // logged
        }
        // The store answers first, with a reason.
        Ok(builder.replay_store(store).replay_timeout(timeout.saturating_mul(2).min(Duration::from_secs(60))))
    }
}

/// Reads the keys of nonces.
///
/// # Errors
/// The message names the file, and the line in it.
pub(crate) fn nonce_keys(path: &Path) -> Result<Vec<[u8; 32]>, Box<dyn Error>> {
    let in_file = |error: &dyn Error| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| in_file(&error))?;
    Ok(nonce_keys_from_text(&text).map_err(|error| in_file(&error))?)
}
