//! Client certificates as proofs (RFC 8705).

use crate::jose::CertThumbprint;

/// The client's certificate. The TLS handshake proved possession of its key; only its thumbprint is used here.
#[derive(Debug, Clone, Copy)]
pub struct CertificateProof {
    thumbprint: CertThumbprint,
}

impl CertificateProof {
    /// Accepts a certificate as proven. The caller must have verified the handshake, or trust the proxy that did.
    #[must_use]
    pub const fn new(thumbprint: CertThumbprint) -> Self {
        Self { thumbprint }
    }

    /// Returns the thumbprint of the certificate.
    #[must_use]
    pub const fn thumbprint(&self) -> &CertThumbprint {
        &self.thumbprint
    }
}
