//! The server as a testing kit.

use std::ops::Deref;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tower_pop::clock::{Clock, ManualClock};

use crate::client::Client;
use crate::server::{AuthServer, AuthServerBuilder};

/// An [`AuthServer`] for tests: on a free port of 127.0.0.1 until it is dropped, or without a socket.
///
/// It has a public client `app` with redirect URI `http://127.0.0.1/callback`, and issues tokens for
/// `https://api.example` unless a builder says otherwise.
#[derive(Debug)]
pub struct TestAuthServer {
    server: AuthServer,
    task: Option<JoinHandle<()>>,
}

impl TestAuthServer {
    /// Starts a server.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start() -> Self {
        Self::start_with(Self::defaults()).await
    }

    /// Starts a server with a configuration of one's own.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start_with(builder: AuthServerBuilder) -> Self {
        let (server, listener) = match builder.listen(([127, 0, 0, 1], 0).into(), None).await {
            Ok(started) => started,
            Err(error) => panic!("the test authorization server did not start: {error}"),
        };
        let serving = server.clone();
        let task = tokio::spawn(async move { serving.serve(listener).await });
        Self { server, task: Some(task) }
    }

    /// A server without a socket: keys and minting, for configurations with static keys.
    ///
    /// # Panics
    /// When the issuer is no URL.
    #[must_use]
    pub fn offline(issuer: &str) -> Self {
        Self::offline_with(Self::defaults(), issuer)
    }

    /// As [`offline`](Self::offline), with the clock standing at this many seconds since the epoch.
    ///
    /// # Panics
    /// When the issuer is no URL.
    #[must_use]
    pub fn offline_at(issuer: &str, now: u64) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(now));
        Self::offline_with(Self::defaults().clock(clock), issuer)
    }

    /// As [`offline`](Self::offline), with a configuration of one's own.
    ///
    /// # Panics
    /// When the issuer is no URL.
    #[must_use]
    pub fn offline_with(builder: AuthServerBuilder, issuer: &str) -> Self {
        match builder.build(issuer) {
            Ok(server) => Self { server, task: None },
            Err(error) => panic!("the test authorization server cannot be made: {error}"),
        }
    }

    /// The configuration that [`start`](Self::start) uses, to add to.
    pub fn defaults() -> AuthServerBuilder {
        AuthServer::builder()
            .client(Client::public("app").redirect_uri("http://127.0.0.1/callback"))
            .audience("https://api.example")
    }
}

impl Deref for TestAuthServer {
    type Target = AuthServer;

    fn deref(&self) -> &AuthServer {
        &self.server
    }
}

impl Drop for TestAuthServer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
