//! What is missing before requests can be verified.

use std::fmt;

use futures_util::future::join_all;

use crate::config::PopConfig;

/// What a configuration lacks to verify requests: see [`PopConfig::warm_up`]. `Display` names it in one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    missing: Vec<Missing>,
}

/// Something without which requests are rejected with 503.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The keys of an issuer cannot be fetched, or are too old to use.
    Keys {
        /// The issuer.
        issuer: String,
    },
    /// The replay store cannot be used.
    ReplayStore {
        /// Why: the error and its causes.
        reason: String,
    },
}

impl Readiness {
    /// Returns whether nothing is missing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing.is_empty()
    }

    /// Returns what is missing.
    #[must_use]
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_ready() {
            return f.write_str("ready");
        }
        f.write_str("missing: ")?;
        for (at, missing) in self.missing.iter().enumerate() {
            let separator = if at > 0 { "; " } else { "" };
            write!(f, "{separator}{missing}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys { issuer } => write!(f, "keys of {issuer}"),
            Self::ReplayStore { reason } => write!(f, "replay store: {reason}"),
        }
    }
}

impl PopConfig {
    /// Fetches the keys of issuers that are not in memory, and asks the replay store whether it can be used. Requests do so by
    /// themselves: this is for the start of a program, so that the first request need not wait, and for a readiness check. While
    /// all is well it costs one question to the store. It takes as long as the timeouts of keys and of the store.
    ///
    /// A program need not stop if something is missing: requests are rejected with 503 until it comes.
    ///
    /// ```
    /// use tower_pop::{IssuerConfig, PopConfig};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower_pop::ConfigError> {
    /// let keys = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    /// let issuer = IssuerConfig::new("https://as.example").static_jwks(keys);
    /// let cfg = PopConfig::builder(issuer, "https://api.example").build()?;
    /// let readiness = cfg.warm_up().await;
    /// assert!(readiness.is_ready(), "{readiness}");
    /// # Ok(()) }
    /// ```
    pub async fn warm_up(&self) -> Readiness {
        let issuers = self.state.tokens.issuers.iter().filter(|issuer| issuer.verifies_locally());
        let keys = join_all(issuers.map(|issuer| async {
            let has_keys = issuer.keys.load().await;
            (!has_keys).then(|| Missing::Keys { issuer: (*issuer.name).to_owned() })
        }));
        let store = async {
            let error = self.state.replay.as_ref()?.ready().await.err()?;
            Some(Missing::ReplayStore { reason: with_causes(&*error) })
        };
        let (keys, store) = futures_util::future::join(keys, store).await;
        Readiness { missing: keys.into_iter().flatten().chain(store).collect() }
    }

    /// Returns the routes `/livez` and `/readyz`, for an orchestrator. `/livez` is 200 while the program answers at all, whatever it
    /// depends on. `/readyz` is 200 if requests can be verified, and otherwise 503 with what is missing, one item a line. Merge them
    /// into the router *after* `.layer(PopLayer::new(..))`.
    ///
    /// They are for an orchestrator, not for the internet: a request to `/readyz` can cause a request to the authorization server
    /// and one to the replay store.
    ///
    /// ```
    /// use axum::Router;
    /// use axum::routing::get;
    /// use tower_pop::{PopConfig, PopLayer};
    ///
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
    /// let protected = Router::new().route("/notes", get(|| async { "notes" })).layer(PopLayer::new(cfg.clone()));
    /// let app: Router = protected.merge(cfg.health_routes());
    /// # Ok::<(), tower_pop::ConfigError>(())
    /// ```
    #[cfg(feature = "axum")]
    pub fn health_routes<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        use axum::routing::get;

        let cfg = self.clone();
        let ready = move || async move {
            let readiness = cfg.warm_up().await;
            if readiness.is_ready() {
                return (http::StatusCode::OK, "ready\n".to_owned());
            }
            let lines = readiness.missing.iter().map(|missing| format!("{missing}\n"));
            (http::StatusCode::SERVICE_UNAVAILABLE, lines.collect())
        };
        axum::Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(ready))
    }
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
