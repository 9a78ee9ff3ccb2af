//! One error per stage of the pipeline. Every variant has a stable code; none holds a byte of the request.

use crate::jose::{HeaderError, JwkError, Malformed};
use crate::scope::ScopeError;
use crate::step_up::StepUpError;

/// Why a request is refused. [`Error::code`] names the exact reason for logs, metrics and tests;
/// [`crate::challenge`] turns the error into a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The credentials could not be read from the request.
    #[error("credentials: {0}")]
    Credential(#[from] CredentialError),
    /// The access token is not valid.
    #[error("access token: {0}")]
    Token(#[from] TokenError),
    /// The token's `cnf` claim is unusable or missing.
    #[error("confirmation: {0}")]
    Confirmation(#[from] ConfirmationError),
    /// The proof is missing or not valid for this request.
    #[error("proof: {0}")]
    Proof(#[from] ProofError),
    /// The token is not bound to the key that made the proof.
    #[error("binding: {0}")]
    Binding(#[from] BindingError),
    /// The proof lacks a fresh server nonce.
    #[error("nonce: {0}")]
    Nonce(#[from] NonceError),
    /// The proof was used before, or the replay store refuses it.
    #[error("replay: {0}")]
    Replay(#[from] ReplayError),
    /// The token does not carry the scopes that the operation needs.
    #[error("scope: {0}")]
    Scope(#[from] ScopeError),
    /// The user's authentication does not suffice for the operation.
    #[error("step-up: {0}")]
    StepUp(#[from] StepUpError),
    /// Something the decision depends on is out of reach: fail closed.
    #[error("unavailable: {0}")]
    Unavailable(#[from] Unavailable),
}

/// Why no credentials could be taken from a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// There is no `Authorization` of a known scheme.
    #[error("none presented")]
    Missing,
    /// More than one `Authorization` field line.
    #[error("more than one Authorization field")]
    Duplicated,
    /// The field is not `scheme 1*SP token68`.
    #[error("malformed Authorization field")]
    Malformed,
    /// A token under a scheme that this resource does not accept.
    #[error("scheme not enabled here")]
    SchemeNotEnabled,
    /// An access token in the query, with the strict option on.
    #[error("access token in the query")]
    TokenInQuery,
    /// The request target cannot be a target of ours: several or conflicting hosts, an unknown host, `*`, CONNECT, or a
    /// path outside RFC 3986.
    #[error("request target refused")]
    Target,
    /// The header field of a trusted proxy that carries the client's certificate cannot be read.
    #[error("malformed client certificate field")]
    ClientCertificate,
    /// That header field is longer than the limit.
    #[error("client certificate field too long")]
    ClientCertificateTooLarge,
    /// The request came in TLS early data (RFC 8470 §5.2), and the option to refuse that is on.
    #[error("sent in early data")]
    EarlyData,
}

/// Why an access token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not a strict compact JWS of JSON objects.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A header parameter is refused.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// `iss` is missing or no configured issuer.
    #[error("unknown issuer")]
    Issuer,
    /// The issuer has no key with this `kid` for this algorithm.
    #[error("unknown key")]
    UnknownKey,
    /// The signature does not verify.
    #[error("signature does not verify")]
    Signature,
    /// `aud` is missing, of the wrong type or names other resources only.
    #[error("meant for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("expired")]
    Expired,
    /// `nbf` has not come yet.
    #[error("not valid yet")]
    NotYetValid,
    /// `iat` lies in the future.
    #[error("issued in the future")]
    IssuedInFuture,
    /// A required claim is missing.
    #[error("a required claim is missing")]
    MissingClaim,
    /// A claim has the wrong JSON type or value.
    #[error("a claim has the wrong type")]
    InvalidClaim,
    /// The authorization server says that the token is not active (RFC 7662 §2.2).
    #[error("not active")]
    Inactive,
    /// `token_type` of an introspection response contradicts `cnf` (RFC 9449 §6.2).
    #[error("token_type contradicts cnf")]
    TokenType,
}

/// Why a `cnf` claim is refused (RFC 7800).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmationError {
    /// The token is bound to no key.
    #[error("the token is not bound to a key")]
    Missing,
    /// `cnf` is not an object.
    #[error("cnf is not an object")]
    NotObject,
    /// `cnf` names no method that is known: it declares a constraint that cannot be checked.
    #[error("cnf names no known method")]
    NoKnownMethod,
    /// More than one of `jwk`, `jwe` and `jku` (RFC 7800 §3.1).
    #[error("cnf names more than one key")]
    SeveralKeys,
    /// A known method has a malformed value.
    #[error("malformed confirmation method")]
    Malformed,
    /// A symmetric key in clear (RFC 7800 §3.2).
    #[error("a symmetric key in clear")]
    SymmetricKeyInClear,
    /// A known method that is not verified here.
    #[error("confirmation method not supported")]
    Unsupported,
}

/// Why a DPoP proof is refused (RFC 9449 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// No `DPoP` field.
    #[error("missing")]
    Missing,
    /// More than one `DPoP` field line.
    #[error("more than one")]
    Duplicated,
    /// Not a strict compact JWS of JSON objects.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A header parameter is refused.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// The `jwk` is refused.
    #[error("{0}")]
    Key(#[from] JwkError),
    /// The signature does not verify with the `jwk`.
    #[error("signature does not verify")]
    Signature,
    /// A required claim is missing.
    #[error("a required claim is missing")]
    MissingClaim,
    /// A claim has the wrong JSON type or value.
    #[error("a claim has the wrong type")]
    InvalidClaim,
    /// `jti` is empty or too long.
    #[error("jti is empty or too long")]
    JtiLength,
    /// `htm` is another method.
    #[error("htm is another method")]
    MethodMismatch,
    /// `htu` is not an absolute http(s) URI without userinfo.
    #[error("htu is not a usable URI")]
    TargetInvalid,
    /// `htu` is another URI.
    #[error("htu is another URI")]
    TargetMismatch,
    /// `iat` lies further back than the proof's maximum age.
    #[error("iat is too old")]
    TooOld,
    /// `iat` lies further in the future than the clock skew allows.
    #[error("iat is in the future")]
    InFuture,
    /// `iat` counts milliseconds; NumericDate counts seconds (RFC 7519 §2).
    #[error("iat is in milliseconds")]
    Milliseconds,
    /// `exp` has passed.
    #[error("expired")]
    Expired,
    /// `nbf` has not come yet.
    #[error("not valid yet")]
    NotYetValid,
    /// `ath` is missing.
    #[error("ath is missing")]
    AccessTokenHashMissing,
    /// `ath` is the hash of another token, or not canonical.
    #[error("ath does not match the access token")]
    AccessTokenHashMismatch,
}

/// Why a token and a valid proof do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// The proof was made with another key than `cnf.jkt` names.
    #[error("bound to another key")]
    KeyMismatch,
    /// A token that is bound to a DPoP key came under the `Bearer` scheme (RFC 9449 §7.2).
    #[error("a bound token presented as Bearer")]
    BoundTokenAsBearer,
    /// A token that is bound to a certificate alone came under the `DPoP` scheme (RFC 8705 §3).
    #[error("not bound to a DPoP key")]
    NotBoundToProof,
    /// The token is bound to a certificate, and the client showed none.
    #[error("no client certificate")]
    CertificateMissing,
    /// The token is bound to another certificate.
    #[error("bound to another certificate")]
    CertificateMismatch,
}

/// Why a proof's nonce is refused (RFC 9449 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NonceError {
    /// The proof has no nonce.
    #[error("missing")]
    Missing,
    /// The nonce was not issued here, or too long ago.
    #[error("not a recent nonce of this server")]
    Stale,
}

/// Why the replay store refuses a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The proof was used before, or is older than what the store remembers.
    #[error("used before")]
    Replayed,
    /// The store is full; live entries are never dropped.
    #[error("the store is full")]
    Full,
    /// This key has used its share of the store.
    #[error("this key has used its share of the store")]
    KeyQuota {
        /// Seconds until some of its entries end.
        retry_after: u32,
    },
    /// The store did not answer.
    #[error("the store did not answer")]
    Unavailable,
}

/// What the decision depends on and cannot reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// The issuer's keys were never fetched, or are too old to be used.
    #[error("no usable keys of the issuer")]
    Keys,
    /// The `kid` is unknown and the refresh that would settle it failed.
    #[error("unknown key and the refresh failed")]
    KeyRefresh,
    /// The authorization server gave no usable answer about a token (RFC 7662), or is not asked because it lately did not.
    #[error("no usable introspection response")]
    Introspection,
}

impl Error {
    /// The stable code of the exact reason, such as `proof.ath_mismatch`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Credential(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::Confirmation(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::Binding(error) => error.code(),
            Self::Nonce(error) => error.code(),
            Self::Replay(error) => error.code(),
            Self::Scope(error) => error.code(),
            Self::StepUp(error) => error.code(),
            Self::Unavailable(error) => error.code(),
        }
    }
}

macro_rules! jws_codes {
    ($prefix:literal, $malformed:ident, $header:ident) => {
        const fn $malformed(error: Malformed) -> &'static str {
            match error {
                Malformed::TooLarge => concat!($prefix, ".too_large"),
                Malformed::NotCompact => concat!($prefix, ".not_compact"),
                Malformed::Encrypted => concat!($prefix, ".encrypted"),
                Malformed::NotBase64url => concat!($prefix, ".not_base64url"),
                Malformed::NotJson => concat!($prefix, ".not_json"),
                Malformed::NotObject => concat!($prefix, ".not_object"),
                Malformed::DuplicateMember => concat!($prefix, ".duplicate_member"),
                Malformed::TooDeep => concat!($prefix, ".too_deep"),
                Malformed::TooManyMembers => concat!($prefix, ".too_many_members"),
            }
        }

        const fn $header(error: HeaderError) -> &'static str {
            match error {
                HeaderError::Algorithm => concat!($prefix, ".alg"),
                HeaderError::Type => concat!($prefix, ".typ"),
                HeaderError::Critical => concat!($prefix, ".crit"),
                HeaderError::Encoding => concat!($prefix, ".encoding"),
                HeaderError::Parameter => concat!($prefix, ".header_parameter"),
            }
        }
    };
}

jws_codes!("token", token_malformed, token_header);
jws_codes!("proof", proof_malformed, proof_header);

impl CredentialError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "credential.missing",
            Self::Duplicated => "credential.duplicated",
            Self::Malformed => "credential.malformed",
            Self::SchemeNotEnabled => "credential.scheme_not_enabled",
            Self::TokenInQuery => "credential.token_in_query",
            Self::Target => "credential.target",
            Self::EarlyData => "credential.early_data",
            Self::ClientCertificate => "credential.client_certificate",
            Self::ClientCertificateTooLarge => "credential.client_certificate_too_large",
        }
    }
}

impl TokenError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed(error) => token_malformed(error),
            Self::Header(error) => token_header(error),
            Self::Issuer => "token.issuer",
            Self::UnknownKey => "token.unknown_key",
            Self::Signature => "token.signature",
            Self::Audience => "token.audience",
            Self::Expired => "token.expired",
            Self::NotYetValid => "token.not_yet_valid",
            Self::IssuedInFuture => "token.issued_in_future",
            Self::MissingClaim => "token.missing_claim",
            Self::InvalidClaim => "token.invalid_claim",
            Self::Inactive => "token.inactive",
            Self::TokenType => "token.token_type",
        }
    }
}

impl ConfirmationError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "confirmation.missing",
            Self::NotObject => "confirmation.not_object",
            Self::NoKnownMethod => "confirmation.no_known_method",
            Self::SeveralKeys => "confirmation.several_keys",
            Self::Malformed => "confirmation.malformed",
            Self::SymmetricKeyInClear => "confirmation.symmetric_key_in_clear",
            Self::Unsupported => "confirmation.unsupported",
        }
    }
}

impl ProofError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "proof.missing",
            Self::Duplicated => "proof.duplicated",
            Self::Malformed(error) => proof_malformed(error),
            Self::Header(error) => proof_header(error),
            Self::Key(error) => match error {
                JwkError::NotObject => "proof.jwk_missing",
                JwkError::PrivateMember => "proof.jwk_private",
                JwkError::KeyType => "proof.jwk_kty",
                JwkError::Curve => "proof.jwk_crv",
                JwkError::Member => "proof.jwk_member",
                JwkError::RsaModulus => "proof.jwk_rsa_modulus",
                JwkError::RsaExponent => "proof.jwk_rsa_exponent",
                JwkError::Point => "proof.jwk_point",
                JwkError::Algorithm => "proof.jwk_algorithm",
                JwkError::Usage => "proof.jwk_usage",
            },
            Self::Signature => "proof.signature",
            Self::MissingClaim => "proof.missing_claim",
            Self::InvalidClaim => "proof.invalid_claim",
            Self::JtiLength => "proof.jti_length",
            Self::MethodMismatch => "proof.htm_mismatch",
            Self::TargetInvalid => "proof.htu_invalid",
            Self::TargetMismatch => "proof.htu_mismatch",
            Self::TooOld => "proof.iat_too_old",
            Self::InFuture => "proof.iat_in_future",
            Self::Milliseconds => "proof.iat_milliseconds",
            Self::Expired => "proof.expired",
            Self::NotYetValid => "proof.not_yet_valid",
            Self::AccessTokenHashMissing => "proof.ath_missing",
            Self::AccessTokenHashMismatch => "proof.ath_mismatch",
        }
    }
}

impl BindingError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::KeyMismatch => "binding.key_mismatch",
            Self::BoundTokenAsBearer => "binding.bound_token_as_bearer",
            Self::NotBoundToProof => "binding.not_bound_to_proof",
            Self::CertificateMissing => "binding.certificate_missing",
            Self::CertificateMismatch => "binding.certificate_mismatch",
        }
    }
}

impl NonceError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "nonce.missing",
            Self::Stale => "nonce.stale",
        }
    }
}

impl ReplayError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Replayed => "replay.replayed",
            Self::Full => "replay.full",
            Self::KeyQuota { .. } => "replay.key_quota",
            Self::Unavailable => "replay.unavailable",
        }
    }
}

impl Unavailable {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Keys => "unavailable.keys",
            Self::KeyRefresh => "unavailable.key_refresh",
            Self::Introspection => "unavailable.introspection",
        }
    }
}
