//! The server as a testing kit.

use std::ops::Deref;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tower_pop::clock::{Clock, ManualClock};

use crate::client::Client;
use crate::server::{AuthServer, AuthServerBuilder};

/// An [`AuthServer`] for tests: on a free port of 127.0.0.1 until it is dropped, or without a socket.
///
/// It has a public client `app` with redirect URI `http://127.0.0.1/callback`, and issues and mints tokens for
/// `https://api.example` unless a builder or a request says otherwise. [`AuthServer::token`] and [`AuthServer::proof`] mint at
/// the time of its clock.
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
        let task = tokio::spawn(async move {
            if let Err(error) = serving.serve(listener).await {
                tracing::error!(%error, "the test authorization server stopped");
            }
        });
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

/// A self-signed certificate and its key, for clients and servers in tests.
#[derive(Clone)]
pub struct TestCertificate {
    certificate: rcgen::Certificate,
    key: std::sync::Arc<rcgen::KeyPair>,
}

impl TestCertificate {
    /// A fresh ECDSA P-256 certificate for this host name or address.
    ///
    /// # Panics
    /// When it cannot be made: no random bytes, or a name that is none.
    #[must_use]
    pub fn self_signed(name: &str) -> Self {
        Self::for_names(&[name.to_owned()])
    }

    /// A fresh ECDSA P-256 certificate for these host names or addresses.
    ///
    /// # Panics
    /// As [`self_signed`](Self::self_signed).
    #[must_use]
    pub fn for_names(names: &[String]) -> Self {
        match rcgen::generate_simple_self_signed(names) {
            Ok(rcgen::CertifiedKey { cert, signing_key }) => Self { certificate: cert, key: Arc::new(signing_key) },
            Err(error) => panic!("the test certificate cannot be made: {error}"),
        }
    }

    /// Another certificate for the same key.
    ///
    /// # Panics
    /// As [`self_signed`](Self::self_signed).
    #[must_use]
    pub fn renewed(&self, name: &str) -> Self {
        let made =
            rcgen::CertificateParams::new(vec![name.to_owned()]).and_then(|params| params.self_signed(&*self.key));
        match made {
            Ok(certificate) => Self { certificate, key: Arc::clone(&self.key) },
            Err(error) => panic!("the test certificate cannot be made: {error}"),
        }
    }

    /// The certificate as DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// The private key as PKCS#8 PEM.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The private key as PKCS#8 DER.
    #[must_use]
    pub fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }
}

/// Shows no key.
impl std::fmt::Debug for TestCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestCertificate").finish_non_exhaustive()
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
