//! Certificates for tests.

use std::fmt;
use std::sync::Arc;

use rcgen::{Certificate, CertificateParams, CertifiedKey, KeyPair};

use crate::error::{CertificateError, with_causes};

/// A self-signed certificate with its private key, for clients and servers in tests. `Debug` does not show the key.
///
/// ```
/// use pop_authserver::{TestAuthServer, TestCertificate};
///
/// let certificate = TestCertificate::self_signed("client.example");
/// let server = TestAuthServer::offline("https://as.example");
/// let token = server.token().bound_to_certificate(certificate.der()).mint();
/// # drop(token);
/// ```
#[derive(Clone)]
pub struct TestCertificate {
    certificate: Certificate,
    key: Arc<KeyPair>,
}

impl TestCertificate {
    /// Makes a new ECDSA P-256 certificate for this host name or address.
    ///
    /// # Panics
    /// Where [`try_self_signed`](Self::try_self_signed) returns an error.
    #[must_use]
    #[track_caller]
    pub fn self_signed(name: &str) -> Self {
        made(Self::try_self_signed(name))
    }

    /// Makes a new ECDSA P-256 certificate for this host name or address.
    ///
    /// # Errors
    /// [`CertificateError`] when the name is not a host name or address, or the operating system gives no random bytes.
    pub fn try_self_signed(name: &str) -> Result<Self, CertificateError> {
        Self::try_for_names(&[name.to_owned()])
    }

    /// Makes a new ECDSA P-256 certificate for these host names or addresses.
    ///
    /// # Panics
    /// Where [`try_for_names`](Self::try_for_names) returns an error.
    #[must_use]
    #[track_caller]
    pub fn for_names(names: &[String]) -> Self {
        made(Self::try_for_names(names))
    }

    /// Makes a new ECDSA P-256 certificate for these host names or addresses.
    ///
    /// # Errors
    /// As for [`try_self_signed`](Self::try_self_signed).
    pub fn try_for_names(names: &[String]) -> Result<Self, CertificateError> {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).map_err(CertificateError::new)?;
        Ok(Self { certificate: cert, key: Arc::new(signing_key) })
    }

    /// Makes another certificate with the same key.
    ///
    /// # Panics
    /// Where [`try_renewed`](Self::try_renewed) returns an error.
    #[must_use]
    #[track_caller]
    pub fn renewed(&self, name: &str) -> Self {
        made(self.try_renewed(name))
    }

    /// Makes another certificate with the same key.
    ///
    /// # Errors
    /// As for [`try_self_signed`](Self::try_self_signed).
    pub fn try_renewed(&self, name: &str) -> Result<Self, CertificateError> {
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).and_then(|params| params.self_signed(&*self.key));
        let certificate = certificate.map_err(CertificateError::new)?;
        Ok(Self { certificate, key: Arc::clone(&self.key) })
    }

    /// Returns the certificate as DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// Returns the certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Returns the private key as PKCS#8 PEM.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Returns the private key as PKCS#8 DER.
    #[must_use]
    pub fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }
}

#[track_caller]
fn made(certificate: Result<TestCertificate, CertificateError>) -> TestCertificate {
    match certificate {
        Ok(certificate) => certificate,
        Err(error) => panic!("{}", with_causes(&error)),
    }
}

impl fmt::Debug for TestCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCertificate").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_an_error_when_a_name_is_not_a_host_name() {
        assert!(TestCertificate::try_self_signed("b\u{fc}cher.example").is_err());
        let certificate = TestCertificate::try_self_signed("api.example").unwrap();
        assert!(certificate.try_renewed("b\u{fc}cher.example").is_err());
        assert_ne!(certificate.try_renewed("api.example").unwrap().der(), certificate.der());
    }
}
