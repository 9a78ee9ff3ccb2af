//! Grants, and what is stored for them: pushed requests, authorization codes, refresh tokens.

use pop_core::jose::{CertThumbprint, JwkThumbprint};

use crate::form::Form;

/// What a user granted, or the client for itself.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) subject: String,
    pub(crate) scope: String,
    pub(crate) audience: String,
    /// Whether the client named the resource, instead of leaving it to the default.
    pub(crate) names_resource: bool,
    pub(crate) auth_time: Option<u64>,
    pub(crate) acr: Option<String>,
}

/// The grant of an authorization code.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) dpop_jkt: Option<String>,
}

impl Code {
    /// Seconds. RFC 9700 requires a short lifetime, FAPI 2.0 at most 60 seconds.
    pub(crate) const LIFETIME: u64 = 60;
}

/// The authorization request of a `request_uri`.
#[derive(Debug)]
pub(crate) struct PushedRequest {
    pub(crate) client_id: String,
    pub(crate) form: Form,
}

impl PushedRequest {
    /// Seconds (RFC 9126 §2.2: 5 to 600).
    pub(crate) const LIFETIME: u64 = 60;
}

/// The grant of a refresh token.
#[derive(Debug, Clone)]
pub(crate) struct RefreshToken {
    pub(crate) grant: Grant,
    /// The key and the certificate that a public client must keep using (RFC 9449 §5, RFC 8705 §4).
    pub(crate) binding: Binding,
}

impl RefreshToken {
    /// Seconds.
    pub(crate) const LIFETIME: u64 = 24 * 3600;
}

/// The key and the certificate that a client has shown possession of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Binding {
    pub(crate) key: Option<JwkThumbprint>,
    pub(crate) certificate: Option<CertThumbprint>,
}

impl Binding {
    /// Returns whether another binding has the key and the certificate of this one.
    pub(crate) fn is_satisfied_by(&self, other: &Self) -> bool {
        (self.key.is_none() || self.key == other.key)
            && (self.certificate.is_none() || self.certificate == other.certificate)
    }
}
