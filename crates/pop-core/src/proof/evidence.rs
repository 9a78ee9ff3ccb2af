//! What an application learns about a verified proof.

use std::fmt;

use super::dpop::Jti;
use crate::jose::{CertThumbprint, JwkThumbprint};
use crate::replay::ReplayKey;
use crate::request::RequestHead;

/// How possession of the token's key was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProofKind {
    /// By a DPoP proof (RFC 9449). If the token is also bound to a certificate, by that certificate as well.
    Dpop,
    /// By the client's certificate alone (RFC 8705).
    MutualTls,
    /// Not at all: the token is not bound to a key, and the mode accepts that.
    None,
    /// The token is valid, but the proof or the binding failed. Only in mode `ReportOnly`.
    Unproven,
}

impl ProofKind {
    /// Returns `dpop`, `mtls`, `none` or `unproven`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dpop => "dpop",
            Self::MutualTls => "mtls",
            Self::None => "none",
            Self::Unproven => "unproven",
        }
    }

    /// Returns whether possession was proven.
    #[must_use]
    pub const fn is_proven(self) -> bool {
        match self {
            Self::Dpop | Self::MutualTls => true,
            Self::None | Self::Unproven => false,
        }
    }
}

impl fmt::Display for ProofKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The verified proof of a request. `Debug` shows its kind only.
#[derive(Clone)]
pub struct ProofOfPossession {
    pub(crate) kind: ProofKind,
    pub(super) key: Option<JwkThumbprint>,
    pub(super) jti: Option<Jti>,
    pub(crate) certificate: Option<CertThumbprint>,
}

impl ProofOfPossession {
    /// A request without a verified proof: of kind `None` or `Unproven`.
    pub(crate) const fn without(kind: ProofKind) -> Self {
        Self { kind, key: None, jti: None, certificate: None }
    }

    /// Returns how possession was proven.
    #[must_use]
    pub const fn kind(&self) -> ProofKind {
        self.kind
    }

    /// Returns whether possession was proven.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        self.kind.is_proven()
    }

    /// Returns the thumbprint of the client's certificate, if the token is bound to it.
    #[must_use]
    pub const fn certificate_thumbprint(&self) -> Option<&CertThumbprint> {
        self.certificate.as_ref()
    }

    /// Returns the thumbprint of the key that signed the proof.
    #[must_use]
    pub const fn key_thumbprint(&self) -> Option<&JwkThumbprint> {
        self.key.as_ref()
    }

    /// Returns the key under which the replay store would record this proof for this request, if it may be used only once.
    #[must_use]
    pub fn replay_key(&self, head: &RequestHead<'_>) -> Option<ReplayKey> {
        match self.kind {
            ProofKind::Dpop => Some(ReplayKey::dpop(self.key_thumbprint()?, head.target().ok()?, self.jti()?)),
            ProofKind::MutualTls | ProofKind::None | ProofKind::Unproven => None,
        }
    }

    /// Returns the `jti` of the proof.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.jti.as_ref().map(Jti::as_str)
    }
}

impl fmt::Debug for ProofOfPossession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofOfPossession({})", self.kind)
    }
}
