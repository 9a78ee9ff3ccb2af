//! The options of verification, and the presets that set several of them together.

mod claim_name;
mod issuer_profile;
mod signature;
mod signed_request;

use std::time::Duration;

pub use self::claim_name::ClaimName;
pub use self::issuer_profile::IssuerProfile;
pub use self::signature::SignaturePolicy;
pub use self::signed_request::{EnvelopeClaims, EnvelopeForm, SignedRequestPolicy};
use crate::jose::crypto::CryptoBackend;
use crate::jose::{AlgorithmSet, JsonLimits, RsaLimits};
use crate::names::named;

/// Which requests are accepted.
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
    /// Every request must prove possession.
    #[default]
    Required,
    /// A request without credentials is accepted as anonymous. Credentials that are presented must be valid.
    Optional,
    /// Tokens that are not bound to a key are accepted as `Bearer`. Bound tokens must be proven.
    AllowBearer,
    /// For migrating from Bearer to proof of possession: failures of proof and binding are reported but accepted. This is the
    /// only exception to "a bound token is never accepted as Bearer".
    ReportOnly,
}

named!("a mode", Mode {
    Required = "required",
    Optional = "optional",
    AllowBearer = "allow-bearer",
    ReportOnly = "report-only",
});

impl Mode {
    /// Returns whether tokens that are not bound to a key are accepted.
    #[must_use]
    pub const fn accepts_bearer(self) -> bool {
        matches!(self, Self::AllowBearer | Self::ReportOnly)
    }
}

/// How the age of a proof is checked (RFC 9449 §11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IatPolicy {
    /// `iat` must be within the window, with or without a nonce.
    #[default]
    Always,
    /// If the proof has a fresh nonce of this server, `iat` is not checked: for clients with wrong clocks.
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
    /// Each key has its own share. A client with several keys has several shares.
    #[default]
    PerKey,
    /// All keys of a client share one: that of the `client_id` at its issuer or, for a token without `client_id`, that of the
    /// key. All devices of one public client have the same `client_id`, and therefore one share.
    PerClient,
}

named!("a replay quota", ReplayQuota {
    PerKey = "per-key",
    PerClient = "per-client",
});

/// Whether a request with content must cover it by its proof. A digest that the proof covers is always verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SignedContent {
    /// A request with content must cover a digest of it.
    #[default]
    Required,
    /// A digest that is present must be covered.
    IfPresent,
    /// Content need not be covered.
    Off,
}

named!("a rule for signed content", SignedContent {
    Required = "required",
    IfPresent = "if-present",
    Off = "off",
});

/// The requirements on proofs: one part for each kind, and what all kinds have in common.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProofPolicy {
    /// DPoP proofs.
    pub dpop: DpopPolicy,
    /// HTTP message signatures.
    pub signature: SignaturePolicy,
    /// Signed HTTP requests.
    pub signed_request: SignedRequestPolicy,
    /// Whether signed HTTP requests are accepted under `PoP`. Defaults to no.
    pub accepts_signed_requests: bool,
    /// Whether HMAC message signatures are accepted under `PoP`. Defaults to no.
    pub accepts_hmac: bool,
    /// Whose share of the replay store a proof counts against. Defaults to [`ReplayQuota::PerKey`].
    pub quota: ReplayQuota,
}

/// The requirements on DPoP proofs.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DpopPolicy {
    /// The accepted algorithms. Defaults to [`AlgorithmSet::PROOF`].
    pub algorithms: AlgorithmSet,
    /// The maximum age of a proof: how far `iat` may be in the past. Defaults to 60 s.
    pub max_age: Duration,
    /// How far `iat` may be in the future. Defaults to 30 s.
    pub clock_skew: Duration,
    /// Whether a nonce replaces the check of `iat`. Defaults to [`IatPolicy::Always`].
    pub iat: IatPolicy,
    /// The maximum length of a proof in bytes. Defaults to 8 KiB, whatever [`algorithms`](Self::algorithms) is. With ML-DSA, use
    /// [`max_len_for`](Self::max_len_for).
    pub max_len: usize,
    /// The maximum length of `jti` in bytes. Defaults to 256.
    pub max_jti_len: usize,
    /// The bounds on RSA keys. Defaults to 2048 to 4096 bits.
    pub rsa: RsaLimits,
    /// The library that verifies signatures. Defaults to `aws-lc-rs` if it is compiled in.
    pub backend: CryptoBackend,
}

impl Default for DpopPolicy {
    fn default() -> Self {
        Self {
            algorithms: AlgorithmSet::PROOF,
            max_age: Duration::from_secs(60),
            clock_skew: Duration::from_secs(30),
            iat: IatPolicy::Always,
            max_len: Self::max_len_for(AlgorithmSet::PROOF),
            max_jti_len: 256,
            rsa: RsaLimits::default(),
            backend: CryptoBackend::default(),
        }
    }
}

impl DpopPolicy {
    /// Returns the maximum length of a proof that leaves the same room for claims with each of these algorithms, in bytes:
    /// 8 KiB, and in addition the key and the signature of the largest ML-DSA algorithm, as they are encoded.
    ///
    /// | largest algorithm | bytes |
    /// |---|---|
    /// | not ML-DSA | 8,192 |
    /// | ML-DSA-44 | 13,753 |
    /// | ML-DSA-65 | 16,075 |
    /// | ML-DSA-87 | 18,970 |
    #[must_use]
    pub fn max_len_for(algorithms: AlgorithmSet) -> usize {
        8 * 1024 + algorithms.key_room() + algorithms.signature_room()
    }

    /// Returns how long after `iat` a replay store must remember a proof, in seconds: until it is too old to be accepted.
    #[must_use]
    pub fn lifetime(&self) -> u64 {
        self.max_age.as_secs().saturating_add(self.clock_skew.as_secs()).saturating_add(1)
    }
}

/// Deviations from RFC 9068 that are accepted from one issuer. All are off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TokenAllowances {
    /// `typ: JWT`, or no `typ`, instead of `at+jwt`.
    pub typ_jwt: bool,
    /// `scope` as an array of strings.
    pub scope_array: bool,
    /// The claim that is read instead of `scope`: a string with spaces or an array of strings.
    pub scope_claim: Option<ClaimName>,
    /// The claim that is read before `client_id`.
    pub client_id_claim: Option<ClaimName>,
    /// No `sub`.
    pub missing_sub: bool,
    /// No `client_id`.
    pub missing_client_id: bool,
    /// No `jti`.
    pub missing_jti: bool,
    /// No `iat`.
    pub missing_iat: bool,
    /// What a token must say if `typ` in its header does not name an access token. This is a requirement, not a deviation.
    pub kind: TokenKind,
    /// Introspection responses without `aud`.
    pub introspection_without_aud: bool,
    /// Introspection responses with an unencrypted symmetric key in `cnf.jwk`. The caller must have authenticated itself, over TLS.
    pub introspected_symmetric_keys: bool,
}

/// How a token without `typ: at+jwt` says that it is an access token. Claims that name another kind of token, and claims that only
/// ID tokens and logout tokens have, are always rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TokenKind {
    /// By its audience alone.
    #[default]
    Audience,
    /// By the claim `typ`, which must be present.
    TypClaim,
    /// By the claim `token_use`, which must be present.
    TokenUseClaim,
    /// By the claim that identifies the client, which must be present even if tokens may lack it otherwise.
    ClientClaim,
    /// By the claim `jti`, which must be present even if tokens may lack it otherwise.
    JtiClaim,
}

/// The requirements on access tokens.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TokenPolicy {
    /// The accepted algorithms. Defaults to [`AlgorithmSet::TOKEN`].
    pub algorithms: AlgorithmSet,
    /// The tolerance for `exp`, `nbf` and `iat`. Defaults to 30 s.
    pub leeway: Duration,
    /// The maximum length of a token in bytes. Defaults to 16 KiB, whatever [`algorithms`](Self::algorithms) is. With ML-DSA, use
    /// [`max_len_for`](Self::max_len_for).
    pub max_len: usize,
    /// The bounds on the claims of a JWT and on introspection responses. Defaults to [`JsonLimits::TOKEN`].
    pub json: JsonLimits,
    /// The bounds on RSA keys in JWK sets. Defaults to 2048 to 4096 bits.
    pub rsa: RsaLimits,
    /// The library that verifies signatures. Defaults to `aws-lc-rs` if it is compiled in.
    pub backend: CryptoBackend,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self {
            algorithms: AlgorithmSet::TOKEN,
            leeway: Duration::from_secs(30),
            max_len: Self::max_len_for(AlgorithmSet::TOKEN),
            json: JsonLimits::TOKEN,
            rsa: RsaLimits::default(),
            backend: CryptoBackend::default(),
        }
    }
}

impl TokenPolicy {
    /// Returns the maximum length of a token that leaves the same room for claims with each of these algorithms, in bytes:
    /// 16 KiB, and in addition the signature of the largest ML-DSA algorithm, as it is encoded. The key in `cnf.jwk` counts as
    /// a claim.
    ///
    /// | largest algorithm | bytes |
    /// |---|---|
    /// | not ML-DSA | 16,384 |
    /// | ML-DSA-44 | 19,611 |
    /// | ML-DSA-65 | 20,796 |
    /// | ML-DSA-87 | 22,554 |
    #[must_use]
    pub fn max_len_for(algorithms: AlgorithmSet) -> usize {
        16 * 1024 + algorithms.signature_room()
    }
}

/// A profile: windows and algorithms of proofs and tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Preset {
    /// RFC 9449 with this library's defaults: proofs up to 60 s old, 30 s of skew.
    #[default]
    Rfc9449,
    /// FAPI 2.0 Security Profile: 60 s and 10 s; ES256, Ed25519 and PS256 only; every route proves possession.
    Fapi2,
    /// The Model Context Protocol's DPoP extension (SEP-1932): 300 s and 300 s; tokens without `client_id`, `jti` and `iat`.
    Mcp,
    /// Signed HTTP requests as the libraries of Microsoft Entra send them: 300 s, RS256 and PS256, and the deviations of
    /// [`EnvelopeForm::Entra`]. Everything else as in [`Rfc9449`](Self::Rfc9449).
    Entra,
}

named!("a preset", Preset {
    Rfc9449 = "rfc9449",
    Fapi2 = "fapi2",
    Mcp = "mcp",
    Entra = "entra",
});

impl Preset {
    /// Returns the deviations of an issuer together with those that the preset accepts from all issuers. The Model Context
    /// Protocol asks for `iss`, `aud`, `exp`, `sub` and `cnf`: `client_id`, `jti` and `iat` may be missing.
    #[must_use]
    pub const fn allowances(self, issuer: TokenAllowances) -> TokenAllowances {
        match self {
            Self::Rfc9449 | Self::Fapi2 | Self::Entra => issuer,
            Self::Mcp => TokenAllowances { missing_client_id: true, missing_jti: true, missing_iat: true, ..issuer },
        }
    }

    /// Returns the requirements on DPoP proofs.
    #[must_use]
    pub fn dpop(self) -> DpopPolicy {
        let defaults = DpopPolicy::default();
        match self {
            Self::Rfc9449 | Self::Entra => defaults,
            Self::Fapi2 => {
                DpopPolicy { algorithms: AlgorithmSet::FAPI, clock_skew: Duration::from_secs(10), ..defaults }
            }
            Self::Mcp => {
                DpopPolicy { max_age: Duration::from_secs(300), clock_skew: Duration::from_secs(300), ..defaults }
            }
        }
    }

    /// Returns the requirements on HTTP message signatures.
    #[must_use]
    pub fn signature(self) -> SignaturePolicy {
        let defaults = SignaturePolicy::default();
        let clock_skew = self.dpop().clock_skew;
        match self {
            Self::Rfc9449 | Self::Mcp => SignaturePolicy { clock_skew, ..defaults },
            Self::Fapi2 => SignaturePolicy { algorithms: AlgorithmSet::FAPI, clock_skew, ..defaults },
            Self::Entra => SignaturePolicy { content: SignedContent::Off, clock_skew, ..defaults },
        }
    }

    /// Returns the requirements on signed HTTP requests.
    #[must_use]
    pub fn signed_request(self) -> SignedRequestPolicy {
        let defaults = SignedRequestPolicy::default();
        let clock_skew = self.dpop().clock_skew;
        match self {
            Self::Rfc9449 | Self::Mcp => SignedRequestPolicy { clock_skew, ..defaults },
            Self::Fapi2 => SignedRequestPolicy { algorithms: AlgorithmSet::FAPI, clock_skew, ..defaults },
            Self::Entra => SignedRequestPolicy::entra(),
        }
    }

    /// Returns the requirements on access tokens.
    #[must_use]
    pub fn token(self) -> TokenPolicy {
        let defaults = TokenPolicy::default();
        match self {
            Self::Rfc9449 | Self::Mcp | Self::Entra => defaults,
            // FAPI 2.0 accepts a token that is issued up to 10 s in the future and rejects one beyond 60 s.
            Self::Fapi2 => TokenPolicy { algorithms: AlgorithmSet::FAPI, leeway: Duration::from_secs(10), ..defaults },
        }
    }
}
