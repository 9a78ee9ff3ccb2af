//! Reads the client's certificate of a request, and removes certificate fields that untrusted peers sent.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use http::request::Parts;
use moka::sync::Cache;
use pop_core::CredentialError;
use pop_core::certificate::CertificateFormat;
use pop_core::jose::CertThumbprint;

use super::fields::FIELDS;
use super::sources::{CertificateHeader, ClientCertificates, ProxyTrust};
use crate::error::ConfigError;
use crate::peer::{self, MissingAddressWarning, PeerCertificate};

/// The maximum length, in bytes, of all header values whose thumbprints are remembered.
const REMEMBERED: u64 = 8 << 20;

/// The client's certificate of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientCertificate {
    pub(crate) thumbprint: Option<CertThumbprint>,
    /// The value of `Vary` for responses that depend on the certificate (RFC 9440 §2.4).
    pub(crate) vary: Option<HeaderValue>,
}

/// The sources of client certificates.
#[derive(Debug)]
pub(crate) struct CertificatePolicy {
    connection: bool,
    proxies: Vec<Proxies>,
    missing_address: Arc<MissingAddressWarning>,
}

impl ClientCertificates {
    /// Checks the sources.
    ///
    /// # Errors
    /// [`ConfigError::CertificateProxies`] for proxies without a header field, and for an empty list of proxies.
    pub(crate) fn build(self, missing_address: Arc<MissingAddressWarning>) -> Result<CertificatePolicy, ConfigError> {
        let proxies = self.proxies.into_iter().map(|(trust, header)| {
            let is_empty = match &trust {
                ProxyTrust::Networks(networks) => networks.is_empty(),
                ProxyTrust::Certificates(known) => known.is_empty(),
                ProxyTrust::UnixSocket => false,
            };
            let header = header.filter(|_| !is_empty).ok_or(ConfigError::CertificateProxies)?;
            Ok(Proxies::new(trust, header))
        });
        let proxies = proxies.collect::<Result<_, _>>()?;
        Ok(CertificatePolicy { connection: self.connection, proxies, missing_address })
    }
}

impl CertificatePolicy {
    /// Reads the client's certificate from the field of a trusted proxy or from the connection.
    ///
    /// # Errors
    /// [`CredentialError::ClientCertificate`] for a field of a trusted proxy that is repeated or malformed, and for a chain
    /// without a certificate. [`CredentialError::ClientCertificateTooLarge`] for a field over the limit.
    pub(crate) fn read(&self, parts: &Parts) -> Result<ClientCertificate, CredentialError> {
        if let Some(proxies) = self.proxies_of(parts) {
            return Ok(ClientCertificate { thumbprint: proxies.read(parts)?, vary: proxies.vary.clone() });
        }
        let by_address = |proxies: &Proxies| matches!(proxies.trust, ProxyTrust::Networks(_));
        if self.proxies.iter().any(by_address) && peer::address(parts).is_none() {
            self.missing_address.warn(parts);
        }
        let certificate = peer::certificate(parts).filter(|_| self.connection);
        Ok(ClientCertificate { thumbprint: certificate.map(|certificate| *certificate.thumbprint()), vary: None })
    }

    /// Returns the first kind of trusted proxy that a request comes from.
    fn proxies_of(&self, parts: &Parts) -> Option<&Proxies> {
        self.proxies.iter().find(|proxies| proxies.trust.includes(parts))
    }

    /// Removes every certificate field that was not set by a trusted proxy, and puts the certificate of the connection into
    /// the extensions.
    pub(crate) fn sanitize(&self, parts: &mut Parts) {
        let trusted = self.proxies_of(parts).map(|proxies| proxies.header.name.clone());
        let may_stay = |name: &str| {
            let chain = name == "client-cert-chain" && trusted.as_ref().is_some_and(|name| name == "client-cert");
            chain || trusted.as_ref().is_some_and(|trusted| trusted == name)
        };
        let configured = self.proxies.iter().map(|proxies| proxies.header.name.as_str());
        for name in FIELDS.into_iter().chain(configured).filter(|name| !may_stay(name)) {
            parts.headers.remove(name);
        }
        if self.connection
            && trusted.is_none()
            && parts.extensions.get::<PeerCertificate>().is_none()
            && let Some(certificate) = peer::certificate(parts).cloned()
        {
            parts.extensions.insert(certificate);
        }
    }
}

/// Trusted proxies of one kind, and their field.
struct Proxies {
    trust: ProxyTrust,
    header: CertificateHeader,
    vary: Option<HeaderValue>,
    /// The thumbprints of known values: each distinct value is decoded and hashed once.
    seen: Cache<Box<[u8]>, Option<CertThumbprint>>,
}

impl Proxies {
    fn new(trust: ProxyTrust, header: CertificateHeader) -> Self {
        #[allow(clippy::borrowed_box)] // the cache requires this signature
        let weigh = |value: &Box<[u8]>, _: &Option<CertThumbprint>| {
            u32::try_from(value.len()).unwrap_or(u32::MAX).saturating_add(64)
        };
        let vary = HeaderValue::from_str(header.name.as_str()).ok();
        Self { trust, header, vary, seen: Cache::builder().max_capacity(REMEMBERED).weigher(weigh).build() }
    }

    fn read(&self, parts: &Parts) -> Result<Option<CertThumbprint>, CredentialError> {
        let header = &self.header;
        let mut lines = parts.headers.get_all(&header.name).iter();
        let Some(line) = lines.next() else {
            // RFC 9440 §2.3: a chain is meaningless without the certificate it belongs to.
            let chain = header.format == CertificateFormat::Rfc9440 && parts.headers.contains_key("client-cert-chain");
            return if chain { Err(CredentialError::ClientCertificate) } else { Ok(None) };
        };
        if lines.next().is_some() {
            return Err(CredentialError::ClientCertificate);
        }
        let value = line.as_bytes();
        if value.len() > header.max_len {
            return Err(CredentialError::ClientCertificateTooLarge);
        }
        if let Some(thumbprint) = self.seen.get(value) {
            return Ok(thumbprint);
        }
        let thumbprint = header.format.read(value)?;
        self.seen.insert(value.into(), thumbprint);
        Ok(thumbprint)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("trust", &self.trust).field("header", &self.header).finish_non_exhaustive()
    }
}
