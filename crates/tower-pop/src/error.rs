//! What can be wrong with a configuration.

use pop_core::jose::JwksError;
use pop_core::policy::{Mode, Preset};

/// Why a configuration was refused; the value at fault is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The issuer is not an https URL without query and fragment (http only on loopback or under `.dangerous()`).
    #[error("the issuer {0:?} is not an https URL without query and fragment")]
    Issuer(String),
    /// Two issuers with one identifier.
    #[error("the issuer {0:?} is configured twice")]
    DuplicateIssuer(String),
    /// A `jwks_uri` that may not be fetched.
    #[error("the keys of {issuer:?} cannot be fetched from {uri:?}: https is needed, or http on loopback")]
    JwksUri {
        /// The issuer.
        issuer: String,
        /// The URL.
        uri: String,
    },
    /// Static keys that cannot be used.
    #[error("the static keys of {issuer:?} cannot be used: {error}")]
    StaticJwks {
        /// The issuer.
        issuer: String,
        /// What is wrong with them.
        error: JwksError,
    },
    /// Keys must be fetched, but there is nothing to fetch them with.
    #[error("keys must be fetched over HTTP, but there is no client: {0}")]
    NoHttpClient(String),
    /// An empty audience.
    #[error("the audience is empty")]
    Audience,
    /// The public origin is not known.
    #[error("the audience {0:?} is not an https URL: say the public origin with .public_origin(..)")]
    NoPublicOrigin(String),
    /// An origin that is none, or http beyond loopback.
    #[error("{0:?} is not an https origin (http only on loopback or under .dangerous())")]
    PublicOrigin(String),
    /// Trusted proxies without origins to choose from.
    #[error("trusted proxies choose among allowed origins, and there are none: .allowed_origins(..)")]
    ProxiesWithoutOrigins,
    /// A path prefix that is no absolute path, or ends in a slash.
    #[error("the path prefix {0:?} does not start with a slash, or ends with one")]
    PathPrefix(String),
    /// A resource identifier that is not an https URL without fragment under the public origin.
    #[error("the resource {0:?} is not a URL without query and fragment under the public origin")]
    Resource(String),
    /// No algorithm is left.
    #[error("no {0} algorithm is allowed")]
    NoAlgorithm(&'static str),
    /// An algorithm that the preset forbids.
    #[error("{preset:?} does not allow these {what} algorithms: {algorithms}")]
    AlgorithmForbidden {
        /// The preset.
        preset: Preset,
        /// `proof` or `token`.
        what: &'static str,
        /// The algorithms at fault.
        algorithms: String,
    },
    /// A mode that the preset forbids.
    #[error("{preset:?} does not allow mode {mode:?}")]
    ModeForbidden {
        /// The preset.
        preset: Preset,
        /// The mode.
        mode: Mode,
    },
    /// A number outside its bounds.
    #[error("{name} is {value}, outside {min}..={max}")]
    OutOfBounds {
        /// The knob.
        name: &'static str,
        /// What was given.
        value: u64,
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
    },
    /// A nonce is to stand in for `iat`, but none is required.
    #[error("IatPolicy::NonceOnly needs NoncePolicy::Required")]
    NonceOnlyWithoutNonce,
    /// Proofs from before the start are to be refused, but their `iat` is not looked at.
    #[error("refuse_proofs_from_before_start() needs IatPolicy::Always")]
    StartWithoutIat,
    /// Some crate of the program turned on `serde_json/arbitrary_precision`.
    #[error("serde_json's feature arbitrary_precision is on in this program: dates in tokens cannot be read")]
    JsonNumbers,
    /// A certificate header whose name is none, or whose format does not follow from its name.
    #[error("{0:?} is not a certificate header of a known format")]
    CertificateHeader(String),
    /// Certificates from a header, but from nobody in particular; or from proxies, but from no header.
    #[error("client certificates from proxies need a header and a non-empty list of proxies to trust")]
    CertificateProxies,
    /// An introspection endpoint that may not be asked.
    #[error("{issuer:?} cannot be asked at {endpoint:?}: https is needed, or http on loopback")]
    IntrospectionEndpoint {
        /// The issuer.
        issuer: String,
        /// The URL.
        endpoint: String,
    },
    /// Introspection without authentication (RFC 7662 §2.1 demands some).
    #[error("introspection at {0:?} needs client authentication")]
    IntrospectionAuthentication(String),
    /// Introspection over mutual TLS, but no HTTP client that has a certificate.
    #[error(
        "introspection at {0:?} authenticates by mutual TLS, which takes an HTTP client with a certificate: .http_fetch(..)"
    )]
    IntrospectionCertificate(String),
    /// More than one issuer to ask: an opaque token does not say whose it is, and goes to nobody else.
    #[error("only one issuer can be asked about opaque tokens, and {0:?} is a second one")]
    SecondIntrospection(String),
    /// Nonce keys, but nonces are off; or an empty list of keys.
    #[error("nonce keys are given, but {0}")]
    NonceKeys(&'static str),
    /// A scope that is not a scope token (RFC 6749 §3.3).
    #[error("{0:?} is not a scope")]
    Scope(String),
    /// A claim that cannot hold scopes: no claim name, longer than 120 bytes, or one that means something else.
    #[error("the scopes of {issuer:?} cannot be in the claim {claim:?}")]
    ScopeClaim {
        /// The issuer.
        issuer: String,
        /// The name of the claim.
        claim: String,
    },
    /// A text that cannot stand in a challenge.
    #[error("{0:?} cannot stand in a WWW-Authenticate challenge")]
    NotQuotable(String),
    /// The operating system gave no random bytes.
    #[error("no random bytes for the nonce key")]
    NoRandomness,
}
