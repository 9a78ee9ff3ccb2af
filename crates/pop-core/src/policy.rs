//! All knobs of the decision, and the presets that set them together.

use std::time::Duration;

use crate::jose::crypto::CryptoBackend;
use crate::jose::{AlgorithmSet, JsonLimits, RsaLimits};
use crate::names::named;
use crate::scope::ScopeClaim;

/// Which requests may pass.
///
/// | mode | no credentials | valid unbound Bearer | bound token, proof or binding fails | bad token |
/// |---|---|---|---|---|
/// | `Required` | 401 | 401 | 401 | 401 |
/// | `Optional` | anonymous | 401 | 401 | 401 |
/// | `AllowBearer` | 401 | passes without proof | 401 | 401 |
/// | `ReportOnly` | 401 | passes without proof | passes as unproven | 401 |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Mode {
    /// Every request proves possession.
    #[default]
    Required,
    /// No credentials pass as anonymous; presented credentials must be right in full.
    Optional,
    /// Tokens that are bound to no key pass as `Bearer`; bound tokens must be proven.
    AllowBearer,
    /// For the move from Bearer to proof of possession: failures of proof and binding are reported and let through.
    /// The one exception to "a bound token never passes as Bearer".
    ReportOnly,
}

named!("a mode", Mode {
    Required = "required",
    Optional = "optional",
    AllowBearer = "allow-bearer",
    ReportOnly = "report-only",
});

impl Mode {
    /// Whether `Bearer` is a scheme of the resource.
    #[must_use]
    pub const fn accepts_bearer(self) -> bool {
        matches!(self, Self::AllowBearer | Self::ReportOnly)
    }
}

/// How the age of a proof is judged (RFC 9449 §11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IatPolicy {
    /// `iat` must lie in the window, whether or not there is a nonce.
    #[default]
    Always,
    /// With a fresh nonce of this server `iat` is not looked at: for clients with bad clocks.
    NonceOnly,
}

named!("a policy for iat", IatPolicy {
    Always = "always",
    NonceOnly = "nonce-only",
});

/// Whose share of the replay store a proof counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ReplayQuota {
    /// Each key has a share of its own. A client with many keys has as many shares.
    #[default]
    PerKey,
    /// All keys of a client have one share: of the `client_id` at its issuer, or, for a token without `client_id`, of the key.
    /// Public clients that are one application on many devices share one share, too.
    PerClient,
}

named!("a replay quota", ReplayQuota {
    PerKey = "per-key",
    PerClient = "per-client",
});

/// What is asked of a proof.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProofPolicy {
    /// Accepted algorithms. Defaults to [`AlgorithmSet::PROOF`].
    pub algorithms: AlgorithmSet,
    /// How far `iat` may lie in the past. Defaults to 60 s.
    pub max_age: Duration,
    /// How far `iat` may lie in the future. Defaults to 30 s.
    pub clock_skew: Duration,
    /// Whether a nonce can stand in for `iat`. Defaults to [`IatPolicy::Always`].
    pub iat: IatPolicy,
    /// Whose share of the replay store a proof counts against. Defaults to [`ReplayQuota::PerKey`].
    pub quota: ReplayQuota,
    /// Longest proof in bytes. Defaults to 8 KiB.
    pub max_len: usize,
    /// Longest `jti` in bytes. Defaults to 256.
    pub max_jti_len: usize,
    /// Bounds on RSA keys. Defaults to 2048 to 4096 bits.
    pub rsa: RsaLimits,
    /// The library that verifies. Defaults to `aws-lc-rs` when compiled in.
    pub backend: CryptoBackend,
}

impl Default for ProofPolicy {
    fn default() -> Self {
        Self {
            algorithms: AlgorithmSet::PROOF,
            max_age: Duration::from_secs(60),
            clock_skew: Duration::from_secs(30),
            iat: IatPolicy::Always,
            quota: ReplayQuota::PerKey,
            max_len: 8 * 1024,
            max_jti_len: 256,
            rsa: RsaLimits::default(),
            backend: CryptoBackend::default(),
        }
    }
}

impl ProofPolicy {
    /// How long after `iat` a replay store must remember the proof: until it could no longer be accepted, in seconds.
    #[must_use]
    pub fn lifetime(&self) -> u64 {
        self.max_age.as_secs().saturating_add(self.clock_skew.as_secs()).saturating_add(1)
    }
}

/// Deviations from RFC 9068 that one issuer may be allowed. All off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TokenAllowances {
    /// `typ: JWT`, or no `typ`, instead of `at+jwt`.
    pub typ_jwt: bool,
    /// `scope` as an array of strings.
    pub scope_array: bool,
    /// The claim that is read instead of `scope`: a string with spaces or an array of strings.
    pub scope_claim: Option<ScopeClaim>,
    /// No `sub`.
    pub missing_sub: bool,
    /// No `client_id`.
    pub missing_client_id: bool,
    /// No `jti`.
    pub missing_jti: bool,
    /// No `iat`.
    pub missing_iat: bool,
    /// Introspection responses without `aud`.
    pub introspection_without_aud: bool,
}

/// What is asked of an access token.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TokenPolicy {
    /// Accepted algorithms. Defaults to [`AlgorithmSet::TOKEN`].
    pub algorithms: AlgorithmSet,
    /// Tolerance for `exp`, `nbf` and `iat`. Defaults to 30 s.
    pub leeway: Duration,
    /// Longest token in bytes. Defaults to 16 KiB.
    pub max_len: usize,
    /// Bounds on the claims of a JWT and on introspection responses. Defaults to [`JsonLimits::TOKEN`].
    pub json: JsonLimits,
    /// Bounds on RSA keys in JWK sets. Defaults to 2048 to 4096 bits.
    pub rsa: RsaLimits,
    /// The library that verifies. Defaults to `aws-lc-rs` when compiled in.
    pub backend: CryptoBackend,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self {
            algorithms: AlgorithmSet::TOKEN,
            leeway: Duration::from_secs(30),
            max_len: 16 * 1024,
            json: JsonLimits::TOKEN,
            rsa: RsaLimits::default(),
            backend: CryptoBackend::default(),
        }
    }
}

/// Settings that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Preset {
    /// RFC 9449 with this library's defaults: proofs up to 60 s old, 30 s of skew.
    #[default]
    Rfc9449,
    /// FAPI 2.0 Security Profile: 60 s and 10 s; ES256, Ed25519 and PS256 only; every route proves possession.
    Fapi2,
    /// The Model Context Protocol's DPoP extension (SEP-1932): 300 s and 300 s.
    Mcp,
}

named!("a preset", Preset {
    Rfc9449 = "rfc9449",
    Fapi2 = "fapi2",
    Mcp = "mcp",
});

impl Preset {
    /// The proof policy of this preset.
    #[must_use]
    pub fn proof(self) -> ProofPolicy {
        let defaults = ProofPolicy::default();
        match self {
            Self::Rfc9449 => defaults,
            Self::Fapi2 => {
                ProofPolicy { algorithms: AlgorithmSet::FAPI, clock_skew: Duration::from_secs(10), ..defaults }
            }
            Self::Mcp => {
                ProofPolicy { max_age: Duration::from_secs(300), clock_skew: Duration::from_secs(300), ..defaults }
            }
        }
    }

    /// The token policy of this preset.
    #[must_use]
    pub fn token(self) -> TokenPolicy {
        let defaults = TokenPolicy::default();
        match self {
            Self::Rfc9449 | Self::Mcp => defaults,
            // FAPI accepts a token issued up to 10 s ahead and refuses one beyond 60 s.
            Self::Fapi2 => TokenPolicy { algorithms: AlgorithmSet::FAPI, leeway: Duration::from_secs(10), ..defaults },
        }
    }
}
