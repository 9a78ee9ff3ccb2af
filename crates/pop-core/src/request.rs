//! The head of a request, as verification sees it.

use http::HeaderMap;

use crate::CredentialError;
use crate::jose::CertThumbprint;
use crate::target::{Origin, RequestTarget, TargetError};

/// Everything of a request that a proof can cover, and the time at which it is verified.
///
/// All header fields are here, because the kinds of proof differ in which fields they cover.
#[derive(Debug, Clone)]
pub struct RequestHead<'r> {
    method: &'r str,
    target: Result<RequestTarget<'r>, TargetError>,
    headers: &'r HeaderMap,
    certificate: Option<&'r CertThumbprint>,
    now: u64,
}

impl<'r> RequestHead<'r> {
    /// Describes a request: the method and the header fields as received, and the target as the client used it. `now` is the
    /// current time in seconds since the epoch.
    ///
    /// A path that a proof cannot name is an error of [`target`](Self::target), not of this function: a request without a
    /// proof needs no target.
    #[must_use]
    pub fn new(method: &'r str, origin: &'r Origin, path_and_query: &'r str, headers: &'r HeaderMap, now: u64) -> Self {
        Self { method, target: RequestTarget::new(origin, path_and_query), headers, certificate: None, now }
    }

    /// Adds the certificate whose key the client proved to hold in the TLS handshake.
    #[must_use]
    pub const fn with_certificate(mut self, certificate: Option<&'r CertThumbprint>) -> Self {
        self.certificate = certificate;
        self
    }

    /// Returns the method.
    #[must_use]
    pub const fn method(&self) -> &'r str {
        self.method
    }

    /// Returns the target with its query.
    ///
    /// # Errors
    /// [`CredentialError::Target`] if a proof cannot name the path: it is not an absolute path of RFC 3986, or it has dot
    /// segments.
    pub fn target(&self) -> Result<&RequestTarget<'r>, CredentialError> {
        self.target.as_ref().map_err(|_| CredentialError::Target)
    }

    /// Returns the header fields.
    #[must_use]
    pub const fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// Returns the thumbprint of the client's certificate.
    #[must_use]
    pub const fn certificate(&self) -> Option<&'r CertThumbprint> {
        self.certificate
    }

    /// Returns the current time, in seconds since the epoch.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }
}
