use std::time::Duration;

use super::SignedContent;
use crate::jose::crypto::CryptoBackend;
use crate::jose::{AlgorithmSet, RsaLimits};

/// The requirements on signed HTTP requests: the envelope of `Authorization: PoP` (draft-ietf-oauth-signed-http-request).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignedRequestPolicy {
    /// The accepted algorithms of public keys. Defaults to [`AlgorithmSet::PROOF`].
    pub algorithms: AlgorithmSet,
    /// The maximum age of an envelope: how far `ts` may be in the past. Defaults to 60 s.
    pub max_age: Duration,
    /// How far `ts` may be in the future. Defaults to 30 s.
    pub clock_skew: Duration,
    /// What an envelope must cover. What it covers beyond that is verified as well. Defaults to [`EnvelopeClaims::DEFAULT`].
    pub required: EnvelopeClaims,
    /// Whether content must be covered by `b`. Defaults to [`SignedContent::Required`].
    pub content: SignedContent,
    /// Whether this resource issues nonces, so that `nonce` may be one of them. What an envelope signs may then be used once, and
    /// otherwise its `nonce` or `jti`. It must be the same for all requests that share a replay store. Defaults to no.
    pub server_nonces: bool,
    /// Whose form of the draft is accepted. Defaults to [`EnvelopeForm::Draft`].
    pub form: EnvelopeForm,
    /// The maximum length of an envelope in bytes, the access token within it included. Defaults to 24 KiB.
    pub max_len: usize,
    /// The maximum length of `nonce` and of `jti` in bytes. Defaults to 256.
    pub max_nonce_len: usize,
    /// The bounds on RSA keys. Defaults to 2048 to 4096 bits.
    pub rsa: RsaLimits,
    /// The library that verifies signatures. Defaults to `aws-lc-rs` if it is compiled in.
    pub backend: CryptoBackend,
}

impl Default for SignedRequestPolicy {
    fn default() -> Self {
        Self {
            algorithms: AlgorithmSet::PROOF,
            max_age: Duration::from_secs(60),
            clock_skew: Duration::from_secs(30),
            required: EnvelopeClaims::DEFAULT,
            content: SignedContent::Required,
            server_nonces: false,
            form: EnvelopeForm::Draft,
            max_len: 24 * 1024,
            max_nonce_len: 256,
            rsa: RsaLimits::default(),
            backend: CryptoBackend::default(),
        }
    }
}

impl SignedRequestPolicy {
    /// Returns the requirements of the preset `entra`: what the libraries of Microsoft Entra send.
    #[must_use]
    pub fn entra() -> Self {
        Self {
            algorithms: [crate::jose::Algorithm::RS256, crate::jose::Algorithm::PS256].into_iter().collect(),
            max_age: Duration::from_secs(300),
            content: SignedContent::Off,
            required: EnvelopeClaims::EMPTY,
            form: EnvelopeForm::Entra,
            ..Self::default()
        }
    }

    /// Returns how long after `ts` a replay store must remember an envelope, in seconds.
    #[must_use]
    pub fn lifetime(&self) -> u64 {
        self.max_age.as_secs().saturating_add(self.clock_skew.as_secs()).saturating_add(1)
    }
}

/// Whose form of signed HTTP requests is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum EnvelopeForm {
    /// The draft, strictly.
    #[default]
    Draft,
    /// What the libraries of Microsoft Entra send: `typ` is optional; `p` is compared without case and without a final slash; `u`
    /// may have the default port; `q` may be the raw query in lower case instead of its hash.
    Entra,
}

/// A set of the claims with which an envelope covers its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EnvelopeClaims(u8);

impl EnvelopeClaims {
    /// No claim.
    pub const EMPTY: Self = Self(0);
    /// The method.
    pub const M: Self = Self(1);
    /// The host.
    pub const U: Self = Self(1 << 1);
    /// The path.
    pub const P: Self = Self(1 << 2);
    /// The query. As a requirement: if the request has a query.
    pub const Q: Self = Self(1 << 3);
    /// Header fields.
    pub const H: Self = Self(1 << 4);
    /// The content. As a requirement: if the request has content.
    pub const B: Self = Self(1 << 5);
    /// `m`, `u` and `p`, and `q` if the request has a query.
    pub const DEFAULT: Self = Self(Self::M.0 | Self::U.0 | Self::P.0 | Self::Q.0);
    /// All claims with their names.
    pub const ALL: [(Self, &'static str); 6] =
        [(Self::M, "m"), (Self::U, "u"), (Self::P, "p"), (Self::Q, "q"), (Self::H, "h"), (Self::B, "b")];

    /// Adds claims.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether all of these claims are in the set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the names of the claims.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().filter(move |(claim, _)| self.contains(*claim)).map(|(_, name)| name)
    }
}
