//! What is known once everything is verified.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::cnf::Confirmation;
use crate::jose::{CertThumbprint, JwkThumbprint};
use crate::scope::Scopes;
use crate::texts::{Span, Texts};

/// The claims of an access token whose signature and claims are verified, whether it is proven or not.
/// `Debug` names issuer and expiry only.
#[derive(Clone)]
pub struct AccessToken {
    pub(crate) texts: Texts,
    pub(crate) issuer: Span,
    pub(crate) subject: Option<Span>,
    pub(crate) client_id: Option<Span>,
    pub(crate) audience: Audience,
    /// The value of `scope`, which is well-formed.
    pub(crate) scope: Span,
    pub(crate) expires_at: u64,
    pub(crate) not_before: Option<u64>,
    pub(crate) issued_at: Option<u64>,
    pub(crate) jti: Option<Span>,
    pub(crate) auth_time: Option<u64>,
    pub(crate) acr: Option<Span>,
    pub(crate) confirmation: Option<Confirmation>,
    /// Whether the authorization server itself said so a moment ago: then `exp` has no tolerance.
    pub(crate) introspected: bool,
}

/// Where the values of `aud` lie; mostly there is one.
#[derive(Clone)]
pub(crate) enum Audience {
    One(Span),
    Many(Box<[Span]>),
}

impl Audience {
    pub(crate) fn spans(&self) -> &[Span] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl AccessToken {
    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.texts.get(self.issuer)
    }

    /// `sub`. The namespaces of `sub` and `client_id` may overlap: see [`AccessToken::acts_for_itself`].
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text(self.subject)
    }

    /// `client_id`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.text(self.client_id)
    }

    /// Whether the client acts for itself and no user is involved: `sub` equals `client_id` (RFC 9068 §5).
    #[must_use]
    pub fn acts_for_itself(&self) -> bool {
        self.subject().is_some() && self.subject() == self.client_id()
    }

    /// `aud`.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.audience.spans().iter().map(|one| self.texts.get(*one))
    }

    /// `scope`; without that claim there are none.
    #[must_use]
    pub fn scopes(&self) -> Scopes<'_> {
        Scopes::checked(self.texts.get(self.scope))
    }

    /// `exp`, in seconds since the epoch. An introspected token without `exp` counts as valid for as long as the answer may
    /// be cached.
    #[must_use]
    pub const fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// `nbf`, in seconds since the epoch.
    #[must_use]
    pub const fn not_before(&self) -> Option<u64> {
        self.not_before
    }

    /// `iat`, in seconds since the epoch.
    #[must_use]
    pub const fn issued_at(&self) -> Option<u64> {
        self.issued_at
    }

    /// `jti`.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.text(self.jti)
    }

    /// `auth_time`, in seconds since the epoch.
    #[must_use]
    pub const fn auth_time(&self) -> Option<u64> {
        self.auth_time
    }

    /// `acr`.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.text(self.acr)
    }

    /// What the token is bound to.
    #[must_use]
    pub const fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_ref()
    }

    /// Whether the authorization server was asked about the token (RFC 7662). The claims are then its answer.
    #[must_use]
    pub const fn is_introspected(&self) -> bool {
        self.introspected
    }

    /// All claims as JSON text: as the issuer signed them, or as it answered when it was asked.
    #[must_use]
    pub fn raw_claims(&self) -> &str {
        self.texts.json()
    }

    /// The bytes that the claims take in memory: the JSON, strings that it holds with escapes, and the positions of the values
    /// of `aud`.
    #[must_use]
    pub fn size(&self) -> usize {
        self.texts.len().saturating_add(std::mem::size_of_val(self.audience.spans()))
    }

    /// All claims, read into a type of the application's.
    ///
    /// # Errors
    /// When the claims do not have the shape of `T`.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.raw_claims())
    }

    fn text(&self, span: Option<Span>) -> Option<&str> {
        span.map(|span| self.texts.get(span))
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("issuer", &self.issuer())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// How possession of the token's key was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProofKind {
    /// By a DPoP proof (RFC 9449); and by the client's certificate, where the token is bound to that too.
    Dpop,
    /// By the client's certificate alone (RFC 8705).
    MutualTls,
    /// Not at all: an unbound token under `Bearer`, where the mode allows that.
    None,
    /// The token is valid, but proof or binding failed; only in mode `ReportOnly`.
    Unproven,
}

impl ProofKind {
    /// `dpop`, `mtls`, `none` or `unproven`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dpop => "dpop",
            Self::MutualTls => "mtls",
            Self::None => "none",
            Self::Unproven => "unproven",
        }
    }
}

/// The proof that came with a request. `Debug` shows its kind only.
#[derive(Clone, PartialEq, Eq)]
pub struct ProofOfPossession {
    pub(crate) kind: ProofKind,
    pub(crate) key: Option<JwkThumbprint>,
    pub(crate) jti: Option<Box<str>>,
    pub(crate) certificate: Option<CertThumbprint>,
}

impl ProofOfPossession {
    /// A verdict without a proof: kind `None` or `Unproven`.
    pub(crate) const fn without(kind: ProofKind) -> Self {
        Self { kind, key: None, jti: None, certificate: None }
    }

    /// How possession was proven.
    #[must_use]
    pub const fn kind(&self) -> ProofKind {
        self.kind
    }

    /// Whether possession was proven at all.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        matches!(self.kind, ProofKind::Dpop | ProofKind::MutualTls)
    }

    /// The thumbprint of the certificate that the token is bound to and the client proved to hold.
    #[must_use]
    pub const fn certificate_thumbprint(&self) -> Option<&CertThumbprint> {
        self.certificate.as_ref()
    }

    /// The thumbprint of the key that made the proof.
    #[must_use]
    pub const fn key_thumbprint(&self) -> Option<&JwkThumbprint> {
        self.key.as_ref()
    }

    /// The proof's `jti`.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.jti.as_deref()
    }
}

impl fmt::Debug for ProofOfPossession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofOfPossession({})", self.kind.as_str())
    }
}

/// A verified access token together with its proof. Only [`crate::judgement`] makes one.
#[derive(Debug, Clone)]
pub struct VerifiedClaims {
    pub(crate) token: Arc<AccessToken>,
    pub(crate) proof: ProofOfPossession,
}

impl VerifiedClaims {
    /// The token.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// The proof.
    #[must_use]
    pub const fn proof(&self) -> &ProofOfPossession {
        &self.proof
    }
}
