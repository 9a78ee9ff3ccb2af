//! Every [`Error`] to its status and challenges (RFC 9449 §7.1, RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1).
//!
//! One header line per challenge: the scheme that the request used comes first, then `DPoP`, then the others, because some
//! clients read only the first. Error parameters stand in the challenge of the scheme that was used; where that is
//! ambiguous, in all. Descriptions of what is wrong with a token are fixed ASCII strings. Those of proofs say which claim
//! of the client's own proof is missing or off, and which URL is expected: the canonical target, of a limited length, and nothing
//! else of a request.

use std::borrow::Cow;

use http::{HeaderValue, StatusCode};

use crate::credentials::{Scheme, SchemeSet};
use crate::jose::{AlgorithmSet, HeaderError, JwkError};
use crate::{BindingError, ClaimError, ConfirmationError, CredentialError, DpopError, Error, ProofError, ReplayError};

/// What all challenges of one resource have in common.
#[derive(Debug, Clone)]
pub struct Challenges {
    algs: String,
    resource_metadata: String,
    realm: String,
}

/// Everything that the response to a rejected request consists of, except its body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The status.
    pub status: StatusCode,
    /// `WWW-Authenticate` field lines.
    pub challenges: Vec<HeaderValue>,
    /// The `error` code of the challenge, if it has one.
    pub error: Option<&'static str>,
    /// A description for people, in the characters of a quoted string.
    pub description: Cow<'static, str>,
    /// Whether a `DPoP-Nonce` must come along.
    pub nonce: bool,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
}

/// A value that cannot stand in a quoted string of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only printable ASCII without quotes and backslashes can stand in a challenge")]
pub struct NotQuotable;

/// Seconds after which a client may try again when something is out of reach.
const RETRY_AFTER: u32 = 5;

/// Longest target in bytes that a description names.
pub const MAX_TARGET_LEN: usize = 256;

/// Whether a text can stand in a quoted string as it is.
fn is_quotable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl Challenges {
    /// Challenges that list these algorithms and point to this metadata document.
    ///
    /// # Errors
    /// [`NotQuotable`] when the URL or the realm cannot be quoted.
    pub fn new(algorithms: AlgorithmSet, resource_metadata: Option<&str>, realm: &str) -> Result<Self, NotQuotable> {
        let resource_metadata = resource_metadata.unwrap_or_default();
        if !is_quotable(resource_metadata) || !is_quotable(realm) {
            return Err(NotQuotable);
        }
        Ok(Self { algs: algorithms.names(), resource_metadata: resource_metadata.to_owned(), realm: realm.to_owned() })
    }

    /// Returns the response to an error. `scheme` is the one that the request used, if it could be read: its challenge comes
    /// first. `accepted` are the schemes of the resource, each of which gets a challenge. `target` is the URL that a proof had
    /// to name, in its normal form.
    #[must_use]
    pub fn respond(
        &self,
        error: &Error,
        scheme: Option<Scheme>,
        accepted: SchemeSet,
        target: Option<&str>,
    ) -> ErrorResponse {
        let used = scheme.map_or(Used::Unknown, Used::Scheme);
        let target = target.filter(|target| target.len() <= MAX_TARGET_LEN && is_quotable(target));
        Responder { challenges: self, scheme, accepted, target }.to(error, used)
    }

    fn line(
        &self,
        scheme: Scheme,
        error: Option<&str>,
        description: &str,
        parameters: &[(&str, &str)],
    ) -> Option<HeaderValue> {
        let mut line = String::with_capacity(256);
        line.push_str(scheme.name());
        let mut separator = ' ';
        let mut parameter = |name: &str, value: &str| {
            line.push(separator);
            if separator == ',' {
                line.push(' ');
            }
            separator = ',';
            line.extend([name, "=\"", value, "\""]);
        };
        match scheme {
            Scheme::Dpop => {}
            Scheme::Bearer => parameter("realm", &self.realm),
        }
        if let Some(error) = error {
            parameter("error", error);
            parameter("error_description", description);
            for (name, value) in parameters {
                parameter(name, value);
            }
        }
        match scheme {
            Scheme::Dpop => parameter("algs", &self.algs),
            Scheme::Bearer => {}
        }
        if !self.resource_metadata.is_empty() {
            parameter("resource_metadata", &self.resource_metadata);
        }
        HeaderValue::try_from(line).ok()
    }
}

/// The facts of one response.
struct Responder<'c> {
    challenges: &'c Challenges,
    /// The scheme that the request used.
    scheme: Option<Scheme>,
    accepted: SchemeSet,
    target: Option<&'c str>,
}

impl Responder<'_> {
    fn to(&self, error: &Error, used: Used) -> ErrorResponse {
        match error {
            Error::Credential(credential) => match credential {
                CredentialError::Missing => self.unauthorized(None, "Credentials are required", Used::Unknown),
                CredentialError::Duplicated | CredentialError::Malformed => {
                    self.bad_request("The Authorization header field is malformed")
                }
                CredentialError::TokenInQuery => self.bad_request("Access tokens in the query are not accepted"),
                CredentialError::Target => self.bad_request("The request target is not acceptable"),
                CredentialError::DotSegments => self.bad_request("Dot segments in the request target are not accepted"),
                CredentialError::SchemeNotEnabled => self.unauthorized(
                    Some("invalid_token"),
                    "The authentication scheme is not accepted here",
                    Used::Scheme(Scheme::Dpop),
                ),
                CredentialError::ClientCertificate => self.bad_request("The client certificate field is malformed"),
                CredentialError::ClientCertificateTooLarge => ErrorResponse::plain(
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "The client certificate field is too long",
                    None,
                ),
                CredentialError::EarlyData => {
                    ErrorResponse::plain(StatusCode::TOO_EARLY, "Early data is not accepted", None)
                }
            },
            Error::Token(_) => self.unauthorized(Some("invalid_token"), "The access token is not valid", used),
            Error::Confirmation(confirmation) => match confirmation {
                ConfirmationError::Missing => {
                    self.unauthorized(Some("invalid_token"), "The access token is not bound to a key", used)
                }
                ConfirmationError::NotObject
                | ConfirmationError::NoKnownMethod
                | ConfirmationError::SeveralKeys
                | ConfirmationError::Malformed
                | ConfirmationError::SymmetricKeyInClear
                | ConfirmationError::Unsupported => {
                    self.unauthorized(Some("invalid_token"), "The access token is not valid", used)
                }
            },
            Error::Binding(binding) => match binding {
                BindingError::KeyMismatch => self.unauthorized(Some("invalid_token"), "Invalid DPoP key binding", used),
                BindingError::BoundTokenAsBearer => {
                    self.unauthorized(Some("invalid_token"), "The access token is bound to a key", used)
                }
                BindingError::NotBoundToProof => {
                    self.unauthorized(Some("invalid_token"), "The access token is not bound to a DPoP key", used)
                }
                BindingError::CertificateMissing | BindingError::CertificateMismatch => {
                    self.unauthorized(Some("invalid_token"), "Invalid certificate binding", used)
                }
            },
            Error::Proof(proof) => match proof {
                ProofError::Dpop(proof) => self.invalid_dpop_proof(self.describe(*proof)),
            },
            Error::Nonce(_) => ErrorResponse {
                nonce: true,
                ..self.unauthorized(
                    Some("use_dpop_nonce"),
                    "Resource server requires nonce in DPoP proof",
                    Used::Scheme(Scheme::Dpop),
                )
            },
            Error::Replay(replay) => match replay {
                ReplayError::Replayed => self.invalid_dpop_proof("The DPoP proof was used before".into()),
                ReplayError::KeyQuota { retry_after } => ErrorResponse::plain(
                    StatusCode::TOO_MANY_REQUESTS,
                    "Too many requests with this key",
                    Some((*retry_after).max(1)),
                ),
                ReplayError::Full | ReplayError::Unavailable => ErrorResponse::unavailable(),
            },
            Error::Scope(scope) => {
                let parameters = [("scope", scope.needed())];
                let description = "The access token lacks a required scope";
                ErrorResponse {
                    status: StatusCode::FORBIDDEN,
                    ..self.challenge(Some("insufficient_scope"), description.into(), used, &parameters)
                }
            }
            Error::StepUp(step_up) => self.challenge(
                Some("insufficient_user_authentication"),
                "A stronger or more recent authentication is required".into(),
                used,
                &step_up.parameters().collect::<Vec<_>>(),
            ),
            Error::Claim(claim) => match claim {
                // RFC 6750 §3.1: "higher privileges than provided by the access token". Which claim is not said.
                ClaimError::Insufficient => ErrorResponse {
                    status: StatusCode::FORBIDDEN,
                    ..self.challenge(
                        Some("insufficient_scope"),
                        "The access token lacks a required claim".into(),
                        used,
                        &[],
                    )
                },
                ClaimError::Shape => ErrorResponse::plain(
                    StatusCode::FORBIDDEN,
                    "The access token lacks claims that are needed here",
                    None,
                ),
            },
            Error::Unavailable(_) => ErrorResponse::unavailable(),
        }
    }

    fn invalid_dpop_proof(&self, description: Cow<'static, str>) -> ErrorResponse {
        self.unauthorized(Some("invalid_dpop_proof"), description, Used::Scheme(Scheme::Dpop))
    }

    /// What is wrong with a client's own proof, as far as it can be named in a few words.
    fn describe(&self, error: DpopError) -> Cow<'static, str> {
        let fixed = match error {
            DpopError::Missing => "The DPoP header field is missing",
            DpopError::Duplicated => "There is more than one DPoP header field",
            DpopError::Malformed(_) => "The DPoP proof is not valid",
            DpopError::Header(HeaderError::Type(_)) => "The DPoP proof's typ is not dpop+jwt",
            DpopError::Header(HeaderError::Algorithm) => "The DPoP proof's alg is not accepted",
            DpopError::Header(HeaderError::Critical | HeaderError::Encoding | HeaderError::Parameter) => {
                "The DPoP proof has a header parameter that is not accepted"
            }
            DpopError::Key(JwkError::NotObject) => "The DPoP proof has no jwk",
            DpopError::Key(JwkError::PrivateMember) => "The DPoP proof's jwk holds a private key",
            DpopError::Key(_) => "The DPoP proof's jwk is not an accepted public key",
            DpopError::Signature => "The DPoP proof's signature does not verify",
            DpopError::MissingClaim(claim) => return format!("The DPoP proof has no {claim}").into(),
            DpopError::InvalidClaim { claim, .. } => {
                return format!("The DPoP proof's {claim} has the wrong type or value").into();
            }
            DpopError::JtiLength => "The DPoP proof's jti is empty or too long",
            DpopError::MethodMismatch => "The DPoP proof's htm is not the method of the request",
            DpopError::TargetInvalid | DpopError::TargetMismatch => match self.target {
                Some(target) => return format!("The DPoP proof's htu is not {target}").into(),
                None => "The DPoP proof's htu is not the URL of the request",
            },
            DpopError::TooOld { age } => return format!("The DPoP proof's iat is {age} s in the past").into(),
            DpopError::InFuture { ahead } => return format!("The DPoP proof's iat is {ahead} s in the future").into(),
            DpopError::Milliseconds => "The DPoP proof's iat is in milliseconds instead of seconds",
            DpopError::Expired { ago } => return format!("The DPoP proof expired {ago} s ago").into(),
            DpopError::NotYetValid { ahead } => {
                return format!("The DPoP proof is not valid for another {ahead} s").into();
            }
            DpopError::AccessTokenHashMissing => "The DPoP proof has no ath",
            DpopError::AccessTokenHashMismatch => "The DPoP proof's ath is not the hash of the access token",
        };
        fixed.into()
    }

    fn bad_request(&self, description: &'static str) -> ErrorResponse {
        ErrorResponse {
            status: StatusCode::BAD_REQUEST,
            ..self.challenge(Some("invalid_request"), description.into(), Used::Ambiguous, &[])
        }
    }

    fn unauthorized(
        &self,
        error: Option<&'static str>,
        description: impl Into<Cow<'static, str>>,
        used: Used,
    ) -> ErrorResponse {
        self.challenge(error, description.into(), used, &[])
    }

    fn challenge(
        &self,
        error: Option<&'static str>,
        description: Cow<'static, str>,
        used: Used,
        parameters: &[(&str, &str)],
    ) -> ErrorResponse {
        let others = Scheme::ALL.into_iter().filter(|scheme| Some(*scheme) != self.scheme);
        let enabled = self.scheme.into_iter().chain(others).filter(|scheme| self.accepted.contains(*scheme));
        let line = |scheme| self.challenges.line(scheme, error.filter(|_| used.is(scheme)), &description, parameters);
        let challenges = enabled.filter_map(line).collect();
        ErrorResponse {
            status: StatusCode::UNAUTHORIZED,
            challenges,
            error,
            description,
            nonce: false,
            retry_after: None,
        }
    }
}

impl ErrorResponse {
    fn plain(status: StatusCode, description: &'static str, retry_after: Option<u32>) -> Self {
        let description = description.into();
        Self { status, challenges: Vec::new(), error: None, description, nonce: false, retry_after }
    }

    fn unavailable() -> Self {
        Self::plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "The authorization of this request cannot be decided now",
            Some(RETRY_AFTER),
        )
    }
}

/// Whose challenge carries the error.
#[derive(Clone, Copy)]
enum Used {
    Scheme(Scheme),
    Ambiguous,
    Unknown,
}

impl Used {
    fn is(self, scheme: Scheme) -> bool {
        match self {
            Self::Scheme(used) => used == scheme,
            Self::Ambiguous => true,
            // Before a scheme could be read, DPoP speaks for the resource.
            Self::Unknown => scheme == Scheme::Dpop,
        }
    }
}
