//! Errors of servers that cannot start, and of certificates that cannot be made.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};

use pop_client::KeyError;
use pop_core::target::TargetError;

/// Why a server cannot start. [`source`](Error::source) returns the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is not on loopback. This server is for development only.
    #[error("{0} is not on loopback: this server is for development only")]
    NotLoopback(SocketAddr),
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address to listen on.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The operating system does not return the address of a listener.
    #[error("the address of the listener is unknown")]
    LocalAddress(#[source] io::Error),
    /// A signing key or the nonce key cannot be generated.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The TLS listener has no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The issuer is not an absolute http or https URL.
    #[error("the issuer {issuer:?} is not an absolute http or https URL")]
    Issuer {
        /// The issuer as it was set.
        issuer: String,
        /// What is wrong with it.
        source: TargetError,
    },
    /// Two clients have the same identifier.
    #[error("two clients have the identifier {0:?}")]
    DuplicateClient(String),
    /// The lifetime of tokens is not a whole number of seconds, or longer than `u32::MAX` seconds.
    #[error("token_lifetime is {0:?}, but it must be a whole number of seconds, at most {max}", max = u32::MAX)]
    TokenLifetime(Duration),
    /// Browsers do not send the origin in this form.
    #[error("the origin {0:?} is not as browsers send it, such as \"http://127.0.0.1:3000\"")]
    CorsOrigin(String),
    /// Mutual TLS needs a listener, but the server is built without one.
    #[error("mutual_tls() needs a listener: use listen() instead of build()")]
    MutualTlsWithoutListener,
}

/// A JWK Set of a resource server has no key that a symmetric key can be encrypted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the JWK Set has no usable key-encryption key")]
pub struct ResourceKeysError;

/// A certificate cannot be made: a name is not a host name or address, or the operating system gives no random bytes.
#[derive(Debug)]
pub struct CertificateError(Box<dyn Error + Send + Sync>);

impl CertificateError {
    pub(crate) fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate cannot be made")
    }
}

impl Error for CertificateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// Returns the message of an error followed by those of its causes.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    for cause in std::iter::successors(error.source(), |&error| error.source()) {
        message.push_str(": ");
        message.push_str(&cause.to_string());
    }
    message
}
