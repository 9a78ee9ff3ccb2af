//! What is wrong with a DPoP proof, in words for the client that made it.

use std::borrow::Cow;

use super::Responder;
use crate::DpopError;
use crate::jose::{HeaderError, JwkError};

impl Responder<'_> {
    /// Describes the error in a proof to the client that made it.
    pub(super) fn describe(&self, error: DpopError) -> Cow<'static, str> {
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
}
