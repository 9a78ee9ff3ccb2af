//! Explains why a proof over the request itself, or its content, was rejected.

use pop_core::jose::{HeaderError, JwkError, Malformed};
use pop_core::{ContentError, Found, SignatureError, SignedRequestError};

use super::{Explanation, in_future, in_the_past, milliseconds, other_than, too_old};
use crate::config::State;

/// Names the component or parameter of a message signature.
pub(super) fn of_message(error: SignatureError, state: &State) -> Explanation {
    let explanation = Explanation::default();
    let policy = &state.proof.signature;
    let (max_age, skew) = (policy.max_age.as_secs(), policy.clock_skew.as_secs());
    match error {
        SignatureError::Missing => explanation.claim("tag").found(Found::Nothing.as_str()),
        SignatureError::NotCovered(component) if is_component(component) => {
            explanation.claim(component).found("not covered").expected("covered")
        }
        SignatureError::NotCovered(_) => {
            explanation.found("not covered").expected(format!("{} covered", policy.components.join(" and ")))
        }
        SignatureError::MissingParameter(parameter) => explanation.claim(parameter).found(Found::Nothing.as_str()),
        SignatureError::InvalidParameter(parameter) => {
            let expected = match parameter {
                "created" | "expires" => "seconds since the epoch, as an integer",
                _ => "a string",
            };
            explanation.claim(parameter).expected(expected)
        }
        SignatureError::ForbiddenParameter(parameter) => {
            explanation.claim(parameter).found("a parameter that is not allowed").expected(Found::Nothing.as_str())
        }
        SignatureError::NonceLength => {
            explanation.claim("nonce").expected(format!("1 to {} bytes", policy.max_nonce_len))
        }
        SignatureError::NonceUsed => explanation.claim("nonce").found("used before").expected("a new nonce"),
        SignatureError::UnknownKey => {
            let expected = match state.client_keys {
                Some(_) => "nothing, the thumbprint of the DPoP key, or a key that the client registered",
                None => "nothing, or the thumbprint of the DPoP key",
            };
            explanation.claim("keyid").expected(expected)
        }
        SignatureError::Algorithm => explanation.claim("alg").expected(policy.algorithms.names()),
        SignatureError::TooOld { age } => too_old("created", age, max_age, ".signature_max_age(..)"),
        SignatureError::InFuture { ahead } => in_future("created", ahead, skew),
        SignatureError::Milliseconds => milliseconds("created"),
        SignatureError::Expired { ago } => {
            explanation.claim("expires").found(in_the_past(ago)).expected(format!("at most {skew} s in the past"))
        }
        SignatureError::ContentDigest(_) => explanation.claim("content-digest").expected("sha-256 or sha-512"),
        _ => explanation,
    }
}

/// Returns whether the text of an error is the name of a component.
fn is_component(text: &str) -> bool {
    !text.contains(' ')
}

/// Names the claim or header parameter of a signed HTTP request.
pub(super) fn of_envelope(error: SignedRequestError, state: &State) -> Explanation {
    let explanation = Explanation::default();
    let policy = &state.proof.signed_request;
    let (max_age, skew) = (policy.max_age.as_secs(), policy.clock_skew.as_secs());
    match error {
        SignedRequestError::Malformed(Malformed::TooLarge) => {
            explanation.expected(format!("at most {} bytes", policy.max_len))
        }
        SignedRequestError::Header(HeaderError::Algorithm) => {
            explanation.claim("alg").expected(format!("{} HS256", policy.algorithms.names()))
        }
        SignedRequestError::Header(HeaderError::Type(found)) => {
            explanation.claim("typ").found(other_than(found, "another type")).expected("pop")
        }
        SignedRequestError::Header(HeaderError::Critical) => explanation.claim("crit"),
        SignedRequestError::Key(JwkError::RsaModulus) => {
            explanation.claim("cnf").expected("a modulus of 2048 bits or more, within `.max_proof_rsa_bits(..)`")
        }
        SignedRequestError::Key(_) => explanation.claim("cnf"),
        SignedRequestError::KeyAlgorithm => explanation.claim("alg").expected("the algorithm of the token's key"),
        SignedRequestError::MissingClaim(claim) => explanation.claim(claim).found(Found::Nothing.as_str()),
        SignedRequestError::InvalidClaim { claim, found } => {
            let expected = match claim {
                "ts" => "seconds since the epoch, as an integer",
                "q" => "an array of parameter names and a SHA-256 in base64url",
                "h" => "an array of field names in lower case and a SHA-256 in base64url",
                "b" => "a SHA-256 in base64url",
                "cnf" => "an object",
                _ => "a string",
            };
            explanation.claim(claim).found(found.as_str()).expected(expected)
        }
        SignedRequestError::NonceLength(claim) => {
            explanation.claim(claim).expected(format!("1 to {} bytes", policy.max_nonce_len))
        }
        SignedRequestError::MethodMismatch => explanation.claim("m").expected("the method of the request"),
        SignedRequestError::HostMismatch => explanation.claim("u").expected("the host of the request"),
        SignedRequestError::PathMismatch => explanation.claim("p").expected("the path of the request"),
        SignedRequestError::QueryMismatch => explanation.claim("q").expected("the query of the request"),
        SignedRequestError::QueryUncovered => explanation.claim("q").expected("every parameter of the query"),
        SignedRequestError::QueryRepeated => explanation.claim("q").expected("every parameter once"),
        SignedRequestError::FieldsMismatch => explanation.claim("h").expected("the header fields of the request"),
        SignedRequestError::FieldMissing => explanation.claim("h").expected("fields that the request has"),
        SignedRequestError::FieldRepeated => explanation.claim("h").expected("fields with one line, each once"),
        SignedRequestError::TooOld { age } => too_old("ts", age, max_age, ".signature_max_age(..)"),
        SignedRequestError::InFuture { ahead } => in_future("ts", ahead, skew),
        SignedRequestError::Milliseconds => milliseconds("ts"),
        _ => explanation,
    }
}

/// Says how long content may be, and what the layer needs to read it.
pub(super) fn of_content(error: ContentError, state: &State) -> Explanation {
    match error {
        ContentError::TooLarge => Explanation::default().expected(format!("at most {} bytes", state.content_limit)),
        _ => Explanation::default(),
    }
}
