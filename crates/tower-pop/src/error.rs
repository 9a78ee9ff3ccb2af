//! Errors of a configuration.

use std::fmt;
use std::sync::Arc;

use pop_core::jose::{Algorithm, JwksError};
use pop_core::policy::{Mode, Preset};
use pop_core::proof::ProofKind;

/// Why a configuration was rejected. The message names the option or value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The issuer is not an https URL without query and fragment (http only on loopback or under `.dangerous()`).
    #[error("the issuer {0:?} is not an https URL without query and fragment")]
    Issuer(String),
    /// Two issuers have the same identifier.
    #[error("the issuer {0:?} is configured twice")]
    DuplicateIssuer(String),
    /// A `jwks_uri` that must not be fetched.
    #[error("the keys of {issuer:?} cannot be fetched from {uri:?}: https is required, or http on loopback")]
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
        /// The reason.
        #[source]
        error: JwksError,
    },
    /// Keys must be fetched, but feature `http-client` is off and there is no `.http_fetch(..)`.
    #[error(
        "keys must be fetched over HTTP, but there is no client: turn on feature http-client or use .http_fetch(..)"
    )]
    NoHttpClient,
    /// The default HTTP client could not be created.
    #[error("the HTTP client could not be created: {0}")]
    HttpClient(#[source] HttpClientError),
    /// An empty audience.
    #[error("the audience is empty")]
    Audience,
    /// The public origin is unknown.
    #[error("the audience {0:?} is not an https URL: set the public origin with .public_origin(..)")]
    NoPublicOrigin(String),
    /// Not an origin, or http beyond loopback.
    #[error("{0:?} is not an https origin (http only on loopback or under .dangerous())")]
    PublicOrigin(String),
    /// Trusted proxies without origins to choose from.
    #[error("trusted proxies choose among allowed origins, and there are none: .allowed_origins(..)")]
    ProxiesWithoutOrigins,
    /// A path prefix that is not an absolute path, or ends with a slash.
    #[error("the path prefix {0:?} does not start with a slash, or ends with one")]
    PathPrefix(String),
    /// A resource identifier that is not an https URL without query and fragment under the public origin.
    #[error("the resource {0:?} is not a URL without query and fragment under the public origin")]
    Resource(String),
    /// No kind of proof is accepted.
    #[error("no kind of proof is accepted: .proofs(..)")]
    NoProofKind,
    /// A kind of proof that cannot be accepted.
    #[error("{0} {1}")]
    ProofKind(ProofKind, &'static str),
    /// Not the name of a header field.
    #[error("{0:?} is not the name of a header field")]
    FieldName(String),
    /// The list of algorithms is empty.
    #[error("no {0} algorithm is allowed")]
    NoAlgorithm(&'static str),
    /// An algorithm that the preset forbids.
    #[error("preset {preset} does not allow these {what} algorithms: {algorithms}")]
    AlgorithmForbidden {
        /// The preset.
        preset: Preset,
        /// `proof` or `token`.
        what: &'static str,
        /// The forbidden algorithms.
        algorithms: String,
    },
    /// An algorithm that would never be accepted. Only `aws-lc-rs` verifies ML-DSA, and HTTP message signatures do not have it.
    #[error("{what} algorithm {algorithm} is not supported by {by}")]
    AlgorithmUnsupported {
        /// `proof`, `signature` or `token`.
        what: &'static str,
        /// The algorithm.
        algorithm: Algorithm,
        /// What does not support it.
        by: &'static str,
    },
    /// A mode that the preset forbids.
    #[error("preset {preset} does not allow mode {mode}")]
    ModeForbidden {
        /// The preset.
        preset: Preset,
        /// The mode.
        mode: Mode,
    },
    /// A number outside of its bounds.
    #[error("{name} is {value}, outside {min}..={max}")]
    OutOfBounds {
        /// The option.
        name: &'static str,
        /// The value.
        value: u64,
        /// The minimum.
        min: u64,
        /// The maximum.
        max: u64,
    },
    /// Two options that exclude each other: one would have no effect.
    #[error("{option} contradicts {with}")]
    Contradiction {
        /// The option.
        option: &'static str,
        /// What it contradicts.
        with: &'static str,
    },
    /// Some crate of the program turned on `serde_json/arbitrary_precision`.
    #[error("serde_json's feature arbitrary_precision is on in this program: dates in tokens cannot be read")]
    JsonNumbers,
    /// Not the name of a header field, or a field whose format is unknown.
    #[error("{0:?} is not a certificate header of a known format")]
    CertificateHeader(String),
    /// Certificates from proxies without a header field, or without proxies.
    #[error("client certificates from proxies need a header and a non-empty list of proxies to trust")]
    CertificateProxies,
    /// An introspection endpoint that must not be used.
    #[error("tokens of {issuer:?} cannot be introspected at {endpoint:?}: https is required, or http on loopback")]
    IntrospectionEndpoint {
        /// The issuer.
        issuer: String,
        /// The URL.
        endpoint: String,
    },
    /// Symmetric keys in introspection responses without TLS (RFC 9200 §6.5).
    #[error("introspection at {0:?} returns symmetric keys, which needs an https URL")]
    IntrospectedKeys(String),
    /// Introspection without client authentication (required by RFC 7662 §2.1).
    #[error("introspection at {0:?} needs client authentication")]
    IntrospectionAuthentication(String),
    /// Introspection with mutual TLS, but no HTTP client with a certificate.
    #[error("introspection at {0:?} uses mutual TLS, which needs an HTTP client with a certificate: .http_fetch(..)")]
    IntrospectionCertificate(String),
    /// A second issuer with introspection: an opaque token does not name its issuer, and must not be sent to another.
    #[error("only one issuer can introspect opaque tokens, and {0:?} is a second one")]
    SecondIntrospection(String),
    /// Nonce keys although nonces are off, or an empty list of keys.
    #[error("nonce keys are given, but {0}")]
    NonceKeys(&'static str),
    /// A line of [`nonce_keys_from_text`](crate::nonce_keys_from_text) that is no key. It is not shown: it may be one nearly.
    #[error("line {0} of the nonce keys is not base64url of 32 bytes")]
    NonceKeyLine(usize),
    /// Not a scope token (RFC 6749 §3.3).
    #[error("{0:?} is not a scope")]
    Scope(String),
    /// Not the name of a claim that can hold scopes: longer than 120 bytes, or a claim with another meaning.
    #[error("the scopes of {issuer:?} cannot be in the claim {claim:?}")]
    ScopeClaim {
        /// The issuer.
        issuer: String,
        /// The name of the claim.
        claim: String,
    },
    /// Not the name of a claim that can identify a client: longer than 120 bytes, or a claim with another meaning.
    #[error("the clients of {issuer:?} cannot be identified by the claim {claim:?}")]
    ClientIdClaim {
        /// The issuer.
        issuer: String,
        /// The name of the claim.
        claim: String,
    },
    /// The issuer of Microsoft Entra ID does not name a tenant by its identifier, a GUID.
    #[error(
        "{0:?} does not name a tenant by its GUID in lower case: tokens never have names such as \"common\" in iss"
    )]
    EntraTenant(String),
    /// A string that cannot be written in a challenge.
    #[error("{0:?} cannot be written in a WWW-Authenticate challenge")]
    NotQuotable(String),
    /// The operating system returned no random bytes.
    #[error("no random bytes for the nonce key")]
    NoRandomness,
}

/// Why the default HTTP client could not be created. The cause is its `source`.
#[derive(Clone)]
pub struct HttpClientError(Arc<dyn std::error::Error + Send + Sync>);

impl HttpClientError {
    #[cfg(feature = "http-client")]
    pub(crate) fn new(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(cause))
    }
}

impl fmt::Display for HttpClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for HttpClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for HttpClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// Compares the messages.
impl PartialEq for HttpClientError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for HttpClientError {}
