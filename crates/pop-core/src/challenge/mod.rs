//! The status and the challenges of every [`Error`] (RFC 9449 §7.1, RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1).
//!
//! 1. Each challenge has its own header line. The scheme that the request used comes first, then `DPoP`, then the others:
//!    some clients read only the first line.
//! 2. The challenge of the scheme that was used carries the error parameters. If the scheme is ambiguous, all challenges carry
//!    them.
//! 3. The description of an error in a token is a fixed ASCII string.
//! 4. The description of an error in a proof names the claim that is missing or wrong, and the expected URL. That URL is the
//!    canonical target of the request, up to [`MAX_TARGET_LEN`] bytes. Nothing else of a request is repeated.

mod describe;
mod response;

use std::borrow::Cow;

use http::{HeaderValue, StatusCode};

pub use self::response::ErrorResponse;
use crate::credentials::{Scheme, SchemeSet};
use crate::jose::AlgorithmSet;
use crate::{
    BindingError, ClaimError, ConfirmationError, ContentError, CredentialError, Error, ProofError, ReplayError,
};

/// The parameters that all challenges of one resource share.
#[derive(Debug, Clone)]
pub struct Challenges {
    algs: String,
    resource_metadata: String,
    realm: String,
}

/// The value cannot be written as a quoted string of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a challenge can hold only printable ASCII without quotes and backslashes")]
pub struct NotQuotable;

/// The maximum length of a target that a description names, in bytes.
pub const MAX_TARGET_LEN: usize = 256;

/// Returns whether a string needs no escaping in a quoted string.
fn is_quotable(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl Challenges {
    /// Creates challenges that list the algorithms and point to the metadata document, if there is one.
    ///
    /// # Errors
    /// [`NotQuotable`] if the URL or the realm contains anything but printable ASCII without quotes and backslashes.
    pub fn new(algorithms: AlgorithmSet, resource_metadata: Option<&str>, realm: &str) -> Result<Self, NotQuotable> {
        let resource_metadata = resource_metadata.unwrap_or_default();
        if !is_quotable(resource_metadata) || !is_quotable(realm) {
            return Err(NotQuotable);
        }
        Ok(Self { algs: algorithms.names(), resource_metadata: resource_metadata.to_owned(), realm: realm.to_owned() })
    }

    /// Returns the response to an error.
    ///
    /// `scheme` is the scheme that the request used, if it could be read. Its challenge comes first. `accepted` are the schemes
    /// that the resource accepts; each gets a challenge. `target` is the normalised URL that the `htu` of a proof must name.
    #[must_use]
    pub fn respond(
        &self,
        error: &Error,
        scheme: Option<Scheme>,
        accepted: SchemeSet,
        target: Option<&str>,
    ) -> ErrorResponse {
        self.respond_with_nonce(error, scheme, accepted, target, None)
    }

    /// The same with the server's nonce, for [`Error::Nonce`] under `PoP`: the challenge carries it there.
    #[must_use]
    pub fn respond_with_nonce(
        &self,
        error: &Error,
        scheme: Option<Scheme>,
        accepted: SchemeSet,
        target: Option<&str>,
        nonce: Option<&str>,
    ) -> ErrorResponse {
        let used = match scheme {
            Some(scheme) => Used::Scheme(scheme),
            None => Used::Scheme(Scheme::Dpop),
        };
        let target = target.filter(|target| target.len() <= MAX_TARGET_LEN && is_quotable(target));
        let nonce = nonce.filter(|nonce| is_quotable(nonce));
        Responder { challenges: self, scheme, accepted, target, nonce }.response(error, used)
    }

    /// Writes the challenge of one scheme.
    fn line(
        &self,
        scheme: Scheme,
        error: Option<&str>,
        description: &str,
        parameters: &[(&str, &str)],
        nonce: Option<&str>,
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
            Scheme::Dpop | Scheme::HttpSig => {}
            Scheme::Pop => {
                if let Some(nonce) = nonce {
                    parameter("nonce", nonce);
                }
            }
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
            Scheme::HttpSig | Scheme::Pop | Scheme::Bearer => {}
        }
        if !self.resource_metadata.is_empty() {
            parameter("resource_metadata", &self.resource_metadata);
        }
        HeaderValue::try_from(line).ok()
    }
}

/// What the response to one error depends on.
struct Responder<'c> {
    challenges: &'c Challenges,
    /// The scheme that the request used.
    scheme: Option<Scheme>,
    accepted: SchemeSet,
    target: Option<&'c str>,
    nonce: Option<&'c str>,
}

impl Responder<'_> {
    fn response(&self, error: &Error, used: Used) -> ErrorResponse {
        match error {
            Error::Credential(credential) => match credential {
                CredentialError::Missing => self.unauthorized(None, "Credentials are required", used),
                CredentialError::Duplicated | CredentialError::Malformed => {
                    self.bad_request("The Authorization header field is malformed")
                }
                CredentialError::TokenInQuery => self.bad_request("Access tokens in the query are not accepted"),
                CredentialError::Target => self.bad_request("The request target is not acceptable"),
                CredentialError::DotSegments => self.bad_request("Dot segments in the request target are not accepted"),
                CredentialError::SchemeNotEnabled => self.unauthorized(
                    Some("invalid_token"),
                    "The authentication scheme is not accepted here",
                    if self.accepted.contains(Scheme::Dpop) { Used::Scheme(Scheme::Dpop) } else { Used::All },
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
                | ConfirmationError::Contradiction
                | ConfirmationError::NotUnwrapped
                | ConfirmationError::Algorithm
                | ConfirmationError::SeveralAudiences
                | ConfirmationError::Unsupported => {
                    self.unauthorized(Some("invalid_token"), "The access token is not valid", used)
                }
            },
            Error::Binding(binding) => match binding {
                BindingError::KeyMismatch => {
                    let description = match self.scheme {
                        Some(Scheme::HttpSig | Scheme::Pop) => "The access token is bound to another key",
                        _ => "Invalid DPoP key binding",
                    };
                    self.unauthorized(Some("invalid_token"), description, used)
                }
                BindingError::BoundTokenAsBearer | BindingError::SignatureMissing => {
                    self.unauthorized(Some("invalid_token"), "The access token is bound to a key", used)
                }
                BindingError::NotBoundToProof => {
                    let description = match self.scheme {
                        Some(Scheme::HttpSig | Scheme::Pop) => "The access token is not bound to a key of this kind",
                        _ => "The access token is not bound to a DPoP key",
                    };
                    self.unauthorized(Some("invalid_token"), description, used)
                }
                BindingError::CertificateMissing | BindingError::CertificateMismatch => {
                    self.unauthorized(Some("invalid_token"), "Invalid certificate binding", used)
                }
            },
            Error::Proof(proof) => match proof {
                ProofError::Dpop(proof) => self.invalid_dpop_proof(self.describe(*proof)),
                ProofError::Signature(error) => self.invalid_signature(used, error.to_string()),
                ProofError::SignedRequest(error) => self.invalid_signature(used, error.to_string()),
            },
            Error::Content(content) => match content {
                ContentError::Uncovered => {
                    self.invalid_signature(used, "The request has content that its proof does not cover")
                }
                ContentError::DigestMismatch => {
                    self.invalid_signature(used, "The content does not match the digest that the proof covers")
                }
                ContentError::Late => {
                    self.invalid_signature(used, "The content came after the proof had become too old")
                }
                ContentError::TooLarge => {
                    ErrorResponse::plain(StatusCode::PAYLOAD_TOO_LARGE, "The content is longer than the limit", None)
                }
                ContentError::Incomplete => {
                    ErrorResponse::plain(StatusCode::BAD_REQUEST, "The content could not be read", None)
                }
                ContentError::Unread => ErrorResponse::plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The server is not configured to verify content",
                    None,
                ),
            },
            // MSAL.js reads the nonce as the first parameter.
            Error::Nonce(_) if self.scheme == Some(Scheme::Pop) => {
                self.unauthorized(Some("invalid_proof"), "The signed request needs a nonce of this server", used)
            }
            Error::Nonce(_) => ErrorResponse {
                nonce: true,
                ..self.unauthorized(
                    Some("use_dpop_nonce"),
                    "Resource server requires nonce in DPoP proof",
                    Used::Scheme(Scheme::Dpop),
                )
            },
            Error::Replay(replay) => match replay {
                ReplayError::Replayed => self.invalid_proof(used, "was used before"),
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
                // RFC 6750 §3.1: "higher privileges than provided by the access token". The response does not name the claim.
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

    /// Rejects a proof of the scheme that the request used.
    fn invalid_proof(&self, used: Used, what: &str) -> ErrorResponse {
        match self.scheme {
            Some(Scheme::HttpSig | Scheme::Pop) => self.invalid_signature(used, format!("The signature {what}")),
            _ => self.invalid_dpop_proof(format!("The DPoP proof {what}").into()),
        }
    }

    /// Rejects a proof over the request itself, or a signature in addition to another proof. Each scheme has its own error code.
    fn invalid_signature(&self, used: Used, description: impl Into<Cow<'static, str>>) -> ErrorResponse {
        let error = match self.scheme {
            Some(Scheme::Pop) => "invalid_proof",
            Some(Scheme::HttpSig | Scheme::Dpop | Scheme::Bearer) | None => "invalid_signature",
        };
        let description = Some(description.into()).filter(|text| is_quotable(text));
        let description = description.unwrap_or(Cow::Borrowed("The signature is not valid"));
        let accept_signature = match self.scheme {
            Some(Scheme::HttpSig) => {
                Some(r#"sig=("@method" "@target-uri" "authorization");created;tag="httpsig-oauth""#)
            }
            Some(Scheme::Dpop) => {
                Some(r#"sig=("@method" "@target-uri" "authorization" "dpop");created;tag="fapi-2-request""#)
            }
            Some(Scheme::Bearer) => {
                Some(r#"sig=("@method" "@target-uri" "authorization");created;tag="fapi-2-request""#)
            }
            Some(Scheme::Pop) | None => None,
        };
        ErrorResponse { accept_signature, ..self.unauthorized(Some(error), description, used) }
    }

    /// Returns a 400. All challenges carry the error, because the scheme is ambiguous.
    fn bad_request(&self, description: &'static str) -> ErrorResponse {
        ErrorResponse {
            status: StatusCode::BAD_REQUEST,
            ..self.challenge(Some("invalid_request"), description.into(), Used::All, &[])
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

    /// Returns a 401 with a challenge for each accepted scheme, the one of the request first.
    fn challenge(
        &self,
        error: Option<&'static str>,
        description: Cow<'static, str>,
        used: Used,
        parameters: &[(&str, &str)],
    ) -> ErrorResponse {
        let others = Scheme::ALL.into_iter().filter(|scheme| Some(*scheme) != self.scheme);
        let enabled = self.scheme.into_iter().chain(others).filter(|scheme| self.accepted.contains(*scheme));
        let line = |scheme| {
            let error = error.filter(|_| used.includes(scheme));
            self.challenges.line(scheme, error, &description, parameters, self.nonce)
        };
        let challenges = enabled.filter_map(line).collect();
        ErrorResponse {
            status: StatusCode::UNAUTHORIZED,
            challenges,
            error,
            description,
            nonce: false,
            accept_signature: None,
            retry_after: None,
        }
    }
}

/// The challenges that carry the error parameters.
#[derive(Clone, Copy)]
enum Used {
    /// The challenge of the scheme that the request used: `DPoP` if the scheme could not be read.
    Scheme(Scheme),
    /// All challenges: the request may have used any of the schemes.
    All,
}

impl Used {
    fn includes(self, scheme: Scheme) -> bool {
        match self {
            Self::Scheme(used) => used == scheme,
            Self::All => true,
        }
    }
}
