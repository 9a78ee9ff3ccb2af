//! Client certificates (RFC 8705).

use std::fmt;

use reqwest::{Certificate, Identity};

use crate::error::ClientError;

/// A client certificate with its private key, and the CAs that the client trusts for servers. `Debug` shows neither.
#[derive(Clone)]
pub struct ClientCertificate {
    identity: Identity,
    trusted: Vec<Certificate>,
}

impl ClientCertificate {
    /// Reads a certificate chain and its private key, both PEM.
    ///
    /// # Errors
    /// [`ClientError::Http`] when they cannot be read.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, ClientError> {
        let identity = Identity::from_pem(format!("{key}\n{chain}").as_bytes())?;
        Ok(Self { identity, trusted: Vec::new() })
    }

    /// Trusts servers whose certificate is this one or is issued by it (PEM), in addition to those that the platform
    /// trusts.
    ///
    /// # Errors
    /// [`ClientError::Http`] when the certificate cannot be read.
    pub fn trust(mut self, pem: &str) -> Result<Self, ClientError> {
        self.trusted.push(Certificate::from_pem(pem.as_bytes())?);
        Ok(self)
    }

    pub(crate) fn install(self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        builder.identity(self.identity).tls_certs_merge(self.trusted)
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}
