//! Every [`Error`] to its status and challenges (RFC 9449 §7.1, RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1).
//!
//! One header line per challenge, `DPoP` first. Error parameters stand in the challenge of the scheme that was used; where
//! that is ambiguous, in all. Descriptions are fixed ASCII strings: no byte of a request reaches a response.

use http::{HeaderValue, StatusCode};

use crate::credentials::Scheme;
use crate::jose::AlgorithmSet;
use crate::{BindingError, ClaimError, ConfirmationError, CredentialError, Error, ReplayError};

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
    /// A fixed description for people.
    pub description: &'static str,
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

impl Challenges {
    /// Challenges that list these algorithms and point to this metadata document.
    ///
    /// # Errors
    /// [`NotQuotable`] when the URL or the realm cannot be quoted.
    pub fn new(algorithms: AlgorithmSet, resource_metadata: Option<&str>, realm: &str) -> Result<Self, NotQuotable> {
        let quotable = |text: &str| text.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        let resource_metadata = resource_metadata.unwrap_or_default();
        if !quotable(resource_metadata) || !quotable(realm) {
            return Err(NotQuotable);
        }
        Ok(Self { algs: algorithms.names(), resource_metadata: resource_metadata.to_owned(), realm: realm.to_owned() })
    }

    /// The response to an error. `scheme` is the one the request used, if it could be read; `bearer` says whether the
    /// `Bearer` scheme is enabled, so that it gets a challenge too.
    #[must_use]
    pub fn refuse(&self, error: &Error, scheme: Option<Scheme>, bearer: bool) -> Refusal {
        let scheme = scheme.map_or(Used::Unknown, Used::Scheme);
        Answer { challenges: self, bearer }.to(error, scheme)
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
    bearer: bool,
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
            Error::Proof(_) => self.invalid_proof(),
            Error::Nonce(_) => Refusal {
                nonce: true,
                ..self.unauthorized(
                    Some("use_dpop_nonce"),
                    "Resource server requires nonce in DPoP proof",
                    Used::Scheme(Scheme::Dpop),
                )
            },
            Error::Replay(replay) => match replay {
                ReplayError::Replayed => self.invalid_proof(),
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
                    ..self.challenge(Some("insufficient_scope"), description, used, &parameters)
                }
            }
            Error::StepUp(step_up) => self.challenge(
                Some("insufficient_user_authentication"),
                "A stronger or more recent authentication is required",
                used,
                &step_up.parameters().collect::<Vec<_>>(),
            ),
            Error::Claim(claim) => match claim {
                // RFC 6750 §3.1: "higher privileges than provided by the access token". Which claim is not said.
                ClaimError::Insufficient => Refusal {
                    status: StatusCode::FORBIDDEN,
                    ..self.challenge(Some("insufficient_scope"), "The access token lacks a required claim", used, &[])
                },
                ClaimError::Shape => {
                    Refusal::plain(StatusCode::FORBIDDEN, "The access token lacks claims that are needed here", None)
                }
            },
            Error::Unavailable(_) => Refusal::unavailable(),
        }
    }

    fn invalid_proof(&self) -> Refusal {
        self.unauthorized(Some("invalid_dpop_proof"), "The DPoP proof is not valid", Used::Scheme(Scheme::Dpop))
    }

    fn bad_request(&self, description: &'static str) -> Refusal {
        Refusal {
            status: StatusCode::BAD_REQUEST,
            ..self.challenge(Some("invalid_request"), description, Used::Ambiguous, &[])
        }
    }

    fn unauthorized(&self, error: Option<&'static str>, description: &'static str, used: Used) -> Refusal {
        self.challenge(error, description, used, &[])
    }

    fn challenge(
        &self,
        error: Option<&'static str>,
        description: &'static str,
        used: Used,
        parameters: &[(&str, &str)],
    ) -> Refusal {
        let mut challenges = Vec::with_capacity(2);
        challenges.extend(self.challenges.line(
            Scheme::Dpop,
            error.filter(|_| used.is(Scheme::Dpop)),
            description,
            parameters,
        ));
        if self.bearer {
            challenges.extend(self.challenges.line(
                Scheme::Bearer,
                error.filter(|_| used.is(Scheme::Bearer)),
                description,
                parameters,
            ));
        }
        Refusal { status: StatusCode::UNAUTHORIZED, challenges, error, description, nonce: false, retry_after: None }
    }
}

impl Refusal {
    fn plain(status: StatusCode, description: &'static str, retry_after: Option<u32>) -> Self {
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
