//! What an application learns about a verified proof.

use std::fmt;
use std::sync::Arc;

use super::dpop::Jti;
use super::{Proof, Proven};
use crate::confirmation::Requirement;
use crate::jose::{CertThumbprint, JwkThumbprint};
use crate::replay::ReplayKey;
use crate::request::RequestHead;

/// How possession of the token's key was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProofKind {
    /// By a DPoP proof (RFC 9449). If the token is also bound to a certificate, by that certificate as well.
    Dpop,
    /// By an HTTP message signature (RFC 9421) with the public key of the token.
    HttpSig,
    /// By a signed HTTP request (draft-ietf-oauth-signed-http-request).
    SignedRequest,
    /// By an HMAC message signature (RFC 9421) with the symmetric key of the token.
    Hmac,
    /// By the client's certificate alone (RFC 8705).
    MutualTls,
    /// Not at all: the token is not bound to a key, and the mode accepts that.
    None,
    /// The token is valid, but the proof or the binding failed. Only in mode `ReportOnly`.
    Unproven,
}

impl ProofKind {
    /// Returns `dpop`, `httpsig`, `pop`, `hmac`, `mtls`, `none` or `unproven`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dpop => "dpop",
            Self::HttpSig => "httpsig",
            Self::SignedRequest => "pop",
            Self::Hmac => "hmac",
            Self::MutualTls => "mtls",
            Self::None => "none",
            Self::Unproven => "unproven",
        }
    }

    /// Returns whether possession was proven.
    #[must_use]
    pub const fn is_proven(self) -> bool {
        match self {
            Self::Dpop | Self::HttpSig | Self::SignedRequest | Self::Hmac | Self::MutualTls => true,
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
    /// What the proofs over the request itself cover.
    pub(crate) covered: Option<Arc<[Box<str>]>>,
    /// The header fields that a signed HTTP request covers.
    pub(crate) covered_fields: Option<Arc<[Box<str>]>>,
    /// The request that a proof without `jti` is about.
    pub(super) request: Option<CoveredRequest>,
}

/// Method, target, query and covered fields of a request. They are compared as they are: a hash would cost more.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct CoveredRequest(Arc<[u8]>);

impl CoveredRequest {
    /// `covered` are the names of what the proofs cover: the fields among them count with their values. Of `Authorization`, the
    /// scheme counts.
    pub(super) fn of<'n>(head: &RequestHead<'_>, covered: impl Iterator<Item = &'n str>) -> Option<Self> {
        let target = head.target().ok()?;
        let mut text = Vec::with_capacity(1024);
        let mut add = |part: &[u8]| {
            text.extend((part.len() as u64).to_be_bytes());
            text.extend(part);
        };
        for part in [head.method(), target.origin().as_str(), target.path(), target.query().unwrap_or("\0")] {
            add(part.as_bytes());
        }
        for name in ["signature-input", "signature"].into_iter().chain(covered) {
            // The identifier of a part of a field is `"name";parameters`.
            let name = name.strip_prefix('"').and_then(|rest| rest.split('"').next()).unwrap_or(name);
            for line in head.headers().get_all(name) {
                let line = line.as_bytes();
                let counts = if name == "authorization" { line.split(|byte| *byte == b' ').next() } else { Some(line) };
                add(name.as_bytes());
                add(counts.unwrap_or_default());
            }
        }
        Some(Self(text.into()))
    }
}

impl ProofOfPossession {
    /// A request without a verified proof: of kind `None` or `Unproven`.
    pub(crate) const fn without(kind: ProofKind) -> Self {
        Self { kind, key: None, jti: None, certificate: None, covered: None, covered_fields: None, request: None }
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

    /// Returns what the proofs over the request itself cover: the components of message signatures, such as `@method` and
    /// `content-digest`, or the claims of a signed HTTP request, such as `m`. A DPoP proof and a certificate cover method and target
    /// at most, and nothing is listed for them.
    ///
    /// # Security
    /// Header fields that are not covered are the word of every hop on the way.
    pub fn covered(&self) -> impl Iterator<Item = &str> {
        listed(self.covered.as_ref())
    }

    /// Returns whether a proof over the request covers a header field as a whole. `name` is in lower case.
    #[must_use]
    pub fn covers_field(&self, name: &str) -> bool {
        let mut fields = listed(self.covered_fields.as_ref());
        fields.any(|own| own == name)
            || (self.kind != ProofKind::SignedRequest && self.covered().any(|own| own == name))
    }

    /// The names of all that the proofs cover, header fields of a signed HTTP request included.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.covered().chain(listed(self.covered_fields.as_ref()))
    }

    /// Returns whether this is the proof of a request with this head, as far as its kind tells. Credentials are not compared: the
    /// caller has their hash.
    #[must_use]
    pub fn is_about(&self, head: &RequestHead<'_>) -> bool {
        self.request.is_none() || self.request == CoveredRequest::of(head, self.names())
    }

    /// Returns the key under which the replay store would record this DPoP proof for this request. `None` for other kinds.
    #[must_use]
    pub fn replay_key(&self, head: &RequestHead<'_>) -> Option<ReplayKey> {
        match self.kind {
            ProofKind::Dpop => Some(ReplayKey::dpop(self.key_thumbprint()?, head.target().ok()?, self.jti()?)),
            ProofKind::HttpSig
            | ProofKind::SignedRequest
            | ProofKind::Hmac
            | ProofKind::MutualTls
            | ProofKind::None
            | ProofKind::Unproven => None,
        }
    }

    /// Returns the `jti` of the proof.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.jti.as_ref().map(Jti::as_str)
    }
}

fn listed(names: Option<&Arc<[Box<str>]>>) -> impl Iterator<Item = &str> {
    names.into_iter().flat_map(|names| names.iter()).map(|name| &**name)
}

impl Proof<'_> {
    /// Keeps what the application may know of a verified proof.
    pub(super) fn into_evidence(self, proven: Option<Proven>) -> ProofOfPossession {
        let evidence = ProofOfPossession::without(self.kind());
        let key = match proven.map(|proven| proven.requirement()) {
            Some(Requirement::SigningKey(thumbprint)) => Some(thumbprint),
            _ => None,
        };
        match self {
            Self::Dpop(proof) => {
                ProofOfPossession { key: Some(*proof.thumbprint()), jti: Some(proof.into_jti()), ..evidence }
            }
            Self::MessageSignature(_) | Self::SignedRequest(_) => ProofOfPossession { key, ..evidence },
        }
    }
}

impl fmt::Debug for ProofOfPossession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofOfPossession({})", self.kind)
    }
}
