//! The server as a testing kit.

use std::ops::Deref;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tower_pop::clock::{Clock, ManualClock};

use crate::builder::AuthServerBuilder;
use crate::client::Client;
use crate::error::{StartError, with_causes};
use crate::server::AuthServer;

/// An [`AuthServer`] for tests: on a free port of 127.0.0.1 until it is dropped, or without a socket.
///
/// [`defaults`](Self::defaults) has a public client `app` with the redirect URI `http://127.0.0.1/callback`, and the
/// audience `https://api.example`. [`AuthServer::token`] and [`AuthServer::proof`] mint at the time of its clock.
///
/// ```
/// use pop_authserver::{Client, TestAuthServer};
///
/// # #[tokio::main] async fn main() -> Result<(), pop_authserver::StartError> {
/// let builder = TestAuthServer::defaults().client(Client::confidential("worker", "secret")).require_nonce();
/// let server = TestAuthServer::try_start_with(builder).await?;
/// assert!(server.issuer().starts_with("http://127.0.0.1:"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TestAuthServer {
    server: AuthServer,
    task: Option<JoinHandle<()>>,
}

impl TestAuthServer {
    /// Starts a server with the [`defaults`](Self::defaults).
    ///
    /// # Panics
    /// Where [`try_start`](Self::try_start) returns an error.
    pub async fn start() -> Self {
        started(Self::try_start().await)
    }

    /// Starts a server with the [`defaults`](Self::defaults).
    ///
    /// # Errors
    /// [`StartError`] when no port can be bound, or the operating system gives no random bytes.
    pub async fn try_start() -> Result<Self, StartError> {
        Self::try_start_with(Self::defaults()).await
    }

    /// Starts a server with this configuration.
    ///
    /// # Panics
    /// Where [`try_start_with`](Self::try_start_with) returns an error.
    pub async fn start_with(builder: AuthServerBuilder) -> Self {
        started(Self::try_start_with(builder).await)
    }

    /// Starts a server with this configuration.
    ///
    /// # Errors
    /// As for [`AuthServerBuilder::listen`].
    pub async fn try_start_with(builder: AuthServerBuilder) -> Result<Self, StartError> {
        let (server, listeners) = builder.listen(([127, 0, 0, 1], 0).into(), None).await?;
        let serving = server.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = serving.serve(listeners).await {
                tracing::error!(error = with_causes(&error), "the test authorization server stopped");
            }
        });
        Ok(Self { server, task: Some(task) })
    }

    /// Makes a server without a socket: only keys and minting, for resource servers with static keys.
    ///
    /// # Panics
    /// Where [`try_offline`](Self::try_offline) returns an error.
    #[must_use]
    #[track_caller]
    pub fn offline(issuer: &str) -> Self {
        started(Self::try_offline(issuer))
    }

    /// Makes a server without a socket: only keys and minting, for resource servers with static keys.
    ///
    /// # Errors
    /// [`StartError`] when the issuer is not an absolute http or https URL, or the operating system gives no random
    /// bytes.
    pub fn try_offline(issuer: &str) -> Result<Self, StartError> {
        Self::try_offline_with(Self::defaults(), issuer)
    }

    /// As [`offline`](Self::offline), with a clock that stands still at `now`, in seconds since the epoch.
    ///
    /// # Panics
    /// Where [`try_offline_at`](Self::try_offline_at) returns an error.
    #[must_use]
    #[track_caller]
    pub fn offline_at(issuer: &str, now: u64) -> Self {
        started(Self::try_offline_at(issuer, now))
    }

    /// As [`try_offline`](Self::try_offline), with a clock that stands still at `now`, in seconds since the epoch.
    ///
    /// # Errors
    /// As for [`try_offline`](Self::try_offline).
    pub fn try_offline_at(issuer: &str, now: u64) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(now));
        Self::try_offline_with(Self::defaults().clock(clock), issuer)
    }

    /// As [`offline`](Self::offline), with this configuration.
    ///
    /// # Panics
    /// Where [`try_offline_with`](Self::try_offline_with) returns an error.
    #[must_use]
    #[track_caller]
    pub fn offline_with(builder: AuthServerBuilder, issuer: &str) -> Self {
        started(Self::try_offline_with(builder, issuer))
    }

    /// As [`try_offline`](Self::try_offline), with this configuration.
    ///
    /// # Errors
    /// As for [`AuthServerBuilder::build`].
    pub fn try_offline_with(builder: AuthServerBuilder, issuer: &str) -> Result<Self, StartError> {
        Ok(Self { server: builder.build(issuer)?, task: None })
    }

    /// Returns the configuration that [`start`](Self::start) uses: a public client `app`, and the audience
    /// `https://api.example`.
    pub fn defaults() -> AuthServerBuilder {
        AuthServer::builder()
            .client(Client::public("app").redirect_uri("http://127.0.0.1/callback"))
            .audience("https://api.example")
    }
}

#[track_caller]
fn started(server: Result<TestAuthServer, StartError>) -> TestAuthServer {
    match server {
        Ok(server) => server,
        Err(error) => panic!("the test authorization server cannot start: {}", with_causes(&error)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_an_error_when_the_issuer_is_not_a_url() {
        let error = TestAuthServer::try_offline("nonsense").map(drop).unwrap_err();
        assert!(matches!(&error, StartError::Issuer { issuer, .. } if issuer == "nonsense"));
        assert!(std::error::Error::source(&error).is_some(), "{error}");
        TestAuthServer::try_offline_at("https://as.example", 1_000).unwrap();
    }
}
