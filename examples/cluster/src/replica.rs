//! The API that each replica serves.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use clap::Args;
use tokio::net::TcpListener;
use tower_pop::keys::JwksCaching;
use tower_pop::replay::{RedisReplayStore, RedisSetupError};
use tower_pop::{IssuerConfig, PopConfig, PopLayer, VerifiedToken};

/// The response field with the code of a rejection. It is for the table: clients need no codes.
pub const CODE: HeaderName = HeaderName::from_static("pop-code");
/// How long a proof waits for the store.
pub const TIMEOUT: Duration = Duration::from_millis(500);

/// The command line of a replica.
#[derive(Debug, Clone, Args)]
pub struct ReplicaArgs {
    /// The address to listen on.
    #[arg(long)]
    pub listen: SocketAddr,
    /// The URL of the API for clients, which is also its audience.
    #[arg(long)]
    pub public_url: String,
    /// The authorization server.
    #[arg(long)]
    pub issuer: String,
    /// The URL of the store. With --primary or --cluster, URLs of some Sentinels or nodes.
    #[arg(long, required = true)]
    pub redis: Vec<String>,
    /// The name of the primary that Sentinels know.
    #[arg(long)]
    pub primary: Option<String>,
    /// Whether the store is a cluster.
    #[arg(long)]
    pub cluster: bool,
    /// How many replicas of the store must have each proof.
    #[arg(long)]
    pub wait_for_replicas: Option<u32>,
    /// How many live proofs one client may have.
    #[arg(long)]
    pub per_key: Option<usize>,
}

impl ReplicaArgs {
    fn store(&self) -> Result<RedisReplayStore, RedisSetupError> {
        let mut store = match (&self.primary, self.cluster) {
            (Some(primary), _) => RedisReplayStore::sentinel(&self.redis, primary),
            (None, true) => RedisReplayStore::cluster(&self.redis),
            (None, false) => RedisReplayStore::builder(self.redis.concat()),
        };
        if let Some(replicas) = self.wait_for_replicas {
            store = store.wait_for_replicas(replicas);
        }
        if let Some(entries) = self.per_key {
            store = store.per_key(entries);
        }
        store.timeout(TIMEOUT).build()
    }

    fn config(&self) -> Result<PopConfig, Box<dyn Error>> {
        let mut caching = JwksCaching::default(); // everything is quicker here, so that outages can be short
        caching.fresh_for = Duration::from_secs(1);
        caching.stale_for = Duration::from_secs(2);
        caching.cool_down = Duration::from_secs(1);
        caching.refresh_burst = 10;
        caching.retry_after = Duration::from_millis(200);
        caching.timeout = Duration::from_millis(500);
        let issuer = IssuerConfig::new(&self.issuer).jwks_caching(caching);
        let builder = PopConfig::builder(issuer, &self.public_url).public_origin(&self.public_url);
        Ok(builder.replay_store(self.store()?).replay_timeout(2 * TIMEOUT).build()?)
    }

    /// Serves the API until the process ends.
    ///
    /// # Errors
    /// If an argument or the address cannot be used.
    #[allow(clippy::print_stdout)]
    pub async fn serve(&self) -> Result<(), Box<dyn Error>> {
        let cfg = self.config()?;
        cfg.warm_up().await; // what is missing is in the log, and may come later
        let app = Router::new()
            .route("/whoami", get(whoami))
            .layer(PopLayer::new(cfg.clone()))
            .merge(cfg.health_routes())
            .layer(map_response(show_code));
        let listener = TcpListener::bind(self.listen).await?;
        println!("ready {}", listener.local_addr()?);
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        Ok(axum::serve(listener, app).await?)
    }
}

async fn whoami(token: VerifiedToken) -> String {
    token.subject().unwrap_or_default().to_owned()
}

async fn show_code(mut response: Response) -> Response {
    let code = response.extensions().get::<tower_pop::Error>().map(tower_pop::Error::code);
    if let Some(code) = code {
        response.headers_mut().insert(CODE, HeaderValue::from_static(code));
    }
    response
}
