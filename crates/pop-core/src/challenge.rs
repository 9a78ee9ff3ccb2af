//! Every [`Error`] to its status and challenges (RFC 9449 §7.1, RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1).
//!
//! One header line per challenge: the scheme that the request used comes first, then `DPoP`, then the others, because some
//! clients read only the first. Error parameters stand in the challenge of the scheme that was used; where that is
//! ambiguous, in all. Descriptions of what is wrong with a token are fixed ASCII strings. Those of proofs say which claim
//! of the client's own proof is missing or off, and which URL is expected: the canonical target, of a limited length, and nothing
//! else of a request.

use std::borrow::Cow;

use http::{HeaderValue, StatusCode};

use crate::credentials::Scheme;
use crate::jose::{AlgorithmSet, HeaderError, JwkError};
use crate::{BindingError, ClaimError, ConfirmationError, CredentialError, Error, ProofError, ReplayError};

/// What all challenges of one resource have in common.
#[derive(Debug, Clone)]
pub struct Challenges {
    algs: String,
    resource_metadata: String,
    realm: String,
}

/// A refusal, ready to be written as a response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
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

    /// The response to an error. `scheme` is the one the request used, if it could be read: its challenge comes first.
    /// `bearer` says whether the `Bearer` scheme is enabled, so that it gets a challenge too; `target` is the URL that a proof
    /// had to name, in its normal form.
    #[must_use]
    pub fn refuse(&self, error: &Error, scheme: Option<Scheme>, bearer: bool, target: Option<&str>) -> Refusal {
        let used = scheme.map_or(Used::Unknown, Used::Scheme);
        let target = target.filter(|target| target.len() <= MAX_TARGET_LEN && is_quotable(target));
        Answer { challenges: self, scheme, bearer, target }.to(error, used)
    }

    fn line(
        &self,
        scheme: Scheme,
        error: Option<&str>,
        description: &str,
        parameters: &[(&str, &str)],
    ) -> Option<HeaderValue> {
        let mut line = String::with_capacity(256);
        line.push_str(match scheme {
            Scheme::Dpop => "DPoP",
            Scheme::Bearer => "Bearer",
        });
        let mut separator = ' ';
        let mut parameter = |name: &str, value: &str| {
            line.push(separator);
            if separator == ',' {
                line.push(' ');
            }
            separator = ',';
            line.extend([name, "=\"", value, "\""]);
        };
        if scheme == Scheme::Bearer {
            parameter("realm", &self.realm);
        }
        if let Some(error) = error {
            parameter("error", error);
            parameter("error_description", description);
            for (name, value) in parameters {
                parameter(name, value);
            }
        }
        if scheme == Scheme::Dpop {
            parameter("algs", &self.algs);
        }
        if !self.resource_metadata.is_empty() {
            parameter("resource_metadata", &self.resource_metadata);
        }
        HeaderValue::try_from(line).ok()
    }
}

/// One refusal in the making.
struct Answer<'c> {
    challenges: &'c Challenges,
    /// The scheme that the request used.
    scheme: Option<Scheme>,
    bearer: bool,
    target: Option<&'c str>,
}

impl Answer<'_> {
    fn to(&self, error: &Error, used: Used) -> Refusal {
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
                CredentialError::ClientCertificateTooLarge => Refusal::plain(
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "The client certificate field is too long",
                    None,
                ),
                CredentialError::EarlyData => Refusal::plain(StatusCode::TOO_EARLY, "Early data is not accepted", None),
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
            Error::Proof(proof) => self.invalid_proof(self.describe(*proof)),
            Error::Nonce(_) => Refusal {
                nonce: true,
                ..self.unauthorized(
                    Some("use_dpop_nonce"),
                    "Resource server requires nonce in DPoP proof",
                    Used::Scheme(Scheme::Dpop),
                )
            },
            Error::Replay(replay) => match replay {
                ReplayError::Replayed => self.invalid_proof("The DPoP proof was used before".into()),
                ReplayError::KeyQuota { retry_after } => Refusal::plain(
                    StatusCode::TOO_MANY_REQUESTS,
                    "Too many requests with this key",
                    Some((*retry_after).max(1)),
                ),
                ReplayError::Full | ReplayError::Unavailable => Refusal::unavailable(),
            },
            Error::Scope(scope) => {
                let parameters = [("scope", scope.needed())];
                let description = "The access token lacks a required scope";
                Refusal {
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
                ClaimError::Insufficient => Refusal {
                    status: StatusCode::FORBIDDEN,
                    ..self.challenge(
                        Some("insufficient_scope"),
                        "The access token lacks a required claim".into(),
                        used,
                        &[],
                    )
                },
                ClaimError::Shape => {
                    Refusal::plain(StatusCode::FORBIDDEN, "The access token lacks claims that are needed here", None)
                }
            },
            Error::Unavailable(_) => Refusal::unavailable(),
        }
    }

    fn invalid_proof(&self, description: Cow<'static, str>) -> Refusal {
        self.unauthorized(Some("invalid_dpop_proof"), description, Used::Scheme(Scheme::Dpop))
    }

    /// What is wrong with a client's own proof, as far as it can be named in a few words.
    fn describe(&self, error: ProofError) -> Cow<'static, str> {
        let fixed = match error {
            ProofError::Missing => "The DPoP header field is missing",
            ProofError::Duplicated => "There is more than one DPoP header field",
            ProofError::Malformed(_) => "The DPoP proof is not valid",
            ProofError::Header(HeaderError::Type(_)) => "The DPoP proof's typ is not dpop+jwt",
            ProofError::Header(HeaderError::Algorithm) => "The DPoP proof's alg is not accepted",
            ProofError::Header(HeaderError::Critical | HeaderError::Encoding | HeaderError::Parameter) => {
                "The DPoP proof has a header parameter that is not accepted"
            }
            ProofError::Key(JwkError::NotObject) => "The DPoP proof has no jwk",
            ProofError::Key(JwkError::PrivateMember) => "The DPoP proof's jwk holds a private key",
            ProofError::Key(_) => "The DPoP proof's jwk is not an accepted public key",
            ProofError::Signature => "The DPoP proof's signature does not verify",
            ProofError::MissingClaim(claim) => return format!("The DPoP proof has no {claim}").into(),
            ProofError::InvalidClaim { claim, .. } => {
                return format!("The DPoP proof's {claim} has the wrong type or value").into();
            }
            ProofError::JtiLength => "The DPoP proof's jti is empty or too long",
            ProofError::MethodMismatch => "The DPoP proof's htm is not the method of the request",
            ProofError::TargetInvalid | ProofError::TargetMismatch => match self.target {
                Some(target) => return format!("The DPoP proof's htu is not {target}").into(),
                None => "The DPoP proof's htu is not the URL of the request",
            },
            ProofError::TooOld { age } => return format!("The DPoP proof's iat is {age} s in the past").into(),
            ProofError::InFuture { ahead } => return format!("The DPoP proof's iat is {ahead} s in the future").into(),
            ProofError::Milliseconds => "The DPoP proof's iat is in milliseconds instead of seconds",
            ProofError::Expired { ago } => return format!("The DPoP proof expired {ago} s ago").into(),
            ProofError::NotYetValid { ahead } => {
                return format!("The DPoP proof is not valid for another {ahead} s").into();
            }
            ProofError::AccessTokenHashMissing => "The DPoP proof has no ath",
            ProofError::AccessTokenHashMismatch => "The DPoP proof's ath is not the hash of the access token",
        };
        fixed.into()
    }

    fn bad_request(&self, description: &'static str) -> Refusal {
        Refusal {
            status: StatusCode::BAD_REQUEST,
            ..self.challenge(Some("invalid_request"), description.into(), Used::Ambiguous, &[])
        }
    }

    fn unauthorized(
        &self,
        error: Option<&'static str>,
        description: impl Into<Cow<'static, str>>,
        used: Used,
    ) -> Refusal {
        self.challenge(error, description.into(), used, &[])
    }

    fn challenge(
        &self,
        error: Option<&'static str>,
        description: Cow<'static, str>,
        used: Used,
        parameters: &[(&str, &str)],
    ) -> Refusal {
        let mut schemes = [Scheme::Dpop, Scheme::Bearer];
        if self.scheme == Some(Scheme::Bearer) {
            schemes.reverse();
        }
        let enabled = schemes.into_iter().filter(|scheme| self.bearer || *scheme == Scheme::Dpop);
        let line = |scheme| self.challenges.line(scheme, error.filter(|_| used.is(scheme)), &description, parameters);
        let challenges = enabled.filter_map(line).collect();
        Refusal { status: StatusCode::UNAUTHORIZED, challenges, error, description, nonce: false, retry_after: None }
    }
}

impl Refusal {
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
