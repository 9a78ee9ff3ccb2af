//! What a kind of use demands of its signatures.

use http::HeaderMap;

use super::base::Signature;
use super::component::{Component, Derived};
use super::parameters::Parameters;
use crate::SignatureError;
use crate::content::ExpectedContent;
use crate::policy::{SignaturePolicy, SignedContent};
use crate::request::RequestHead;

const CONTENT_DIGEST: &str = "content-digest";

/// A use of message signatures. Each has its own `tag`, so that a signature that was made for one use is never accepted
/// for another (RFC 9421 §7.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureProfile {
    /// By the key that the token is bound to, under the scheme `HTTPSig` (draft-richer-oauth-httpsig).
    HttpSig,
    /// By a symmetric key that the token is bound to, under the scheme `PoP`.
    Hmac,
    /// In addition to another proof (FAPI 2.0 HTTP Signatures).
    Request,
    /// On a token request, by the key that the token is to be bound to (draft-richer-oauth-httpsig).
    ///
    /// The request has one such signature. `keyid` names a key that the client registered, or `alg` and `pub` are the
    /// key ([`RuntimeKey`](super::RuntimeKey)). The content must be covered, and `authorization` if it is present.
    TokenRequest,
}

impl SignatureProfile {
    /// Returns the value of `tag`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::HttpSig => "httpsig-oauth",
            Self::Hmac => "oauth-pop-hmac",
            Self::Request => "fapi-2-request",
            Self::TokenRequest => "httpsig-oauth-token-request",
        }
    }

    /// Returns whether several signatures of a request may have the tag.
    pub(super) const fn allows_several(self) -> bool {
        match self {
            Self::HttpSig | Self::Hmac | Self::Request => true,
            Self::TokenRequest => false,
        }
    }

    pub(super) fn check_parameters(
        self,
        parameters: &Parameters<'_>,
        policy: &SignaturePolicy,
    ) -> Result<(), SignatureError> {
        self.check_key(parameters)?;
        if parameters.created.is_none() {
            return Err(SignatureError::MissingParameter("created"));
        }
        match (self, parameters.nonce()) {
            (Self::HttpSig | Self::Hmac | Self::TokenRequest, None) => Err(SignatureError::MissingParameter("nonce")),
            (_, Some(nonce)) if nonce.is_empty() || nonce.len() > policy.max_nonce_len => {
                Err(SignatureError::NonceLength)
            }
            (Self::HttpSig | Self::Hmac | Self::Request | Self::TokenRequest, _) => Ok(()),
        }
    }

    /// Checks which parameters say something about the key.
    fn check_key(self, parameters: &Parameters<'_>) -> Result<(), SignatureError> {
        let has_keyid = parameters.keyid().is_some();
        let (takes_key, takes_alg, takes_keyid) = match self {
            // The token alone says which key it is.
            Self::HttpSig | Self::Hmac => (false, false, false),
            Self::Request => (false, true, true),
            // A registered key has its algorithm. Any other key comes with it.
            Self::TokenRequest => (!has_keyid, !has_keyid, true),
        };
        if !takes_key && parameters.public_key().is_some() {
            return Err(SignatureError::ForbiddenParameter("pub"));
        }
        if !takes_alg && parameters.alg().is_some() {
            return Err(SignatureError::ForbiddenParameter("alg"));
        }
        if !takes_keyid && has_keyid {
            return Err(SignatureError::ForbiddenParameter("keyid"));
        }
        if takes_key && parameters.alg().is_none() {
            return Err(SignatureError::MissingParameter("alg"));
        }
        if takes_key && parameters.public_key().is_none() {
            return Err(SignatureError::MissingParameter("pub"));
        }
        Ok(())
    }

    pub(super) fn check_coverage(
        self,
        signature: &Signature<'_>,
        head: &RequestHead<'_>,
        policy: &SignaturePolicy,
    ) -> Result<(), SignatureError> {
        let (mut method, mut target_uri, mut authorization, mut dpop) = (false, false, false, false);
        for component in signature.components() {
            match component {
                Component::Derived(Derived::Method) => method = true,
                Component::Derived(Derived::TargetUri) => target_uri = true,
                component if component.is_field("authorization") => authorization = true,
                component if component.is_field("dpop") => dpop = true,
                _ => {}
            }
        }
        let (needs_authorization, needs_dpop, needs_digest) = match self {
            Self::HttpSig | Self::Hmac => (true, false, false),
            Self::Request => (true, head.headers().contains_key("dpop"), false),
            Self::TokenRequest => (head.headers().contains_key("authorization"), false, true),
        };
        for (is_covered, name) in [
            (method, "@method"),
            (target_uri, "@target-uri"),
            (authorization || !needs_authorization, "authorization"),
            (dpop || !needs_dpop, "dpop"),
            (!needs_digest || covers_digest(signature), CONTENT_DIGEST),
        ] {
            if !is_covered {
                return Err(SignatureError::NotCovered(name));
            }
        }
        if policy.components.iter().all(|component| signature.covers(component)) {
            Ok(())
        } else {
            Err(SignatureError::NotCovered("a component that the policy requires"))
        }
    }
}

/// Returns what signatures say about the content. One that covers `content-digest` while another does not would be
/// rejected: without the first, the content could be changed.
pub(super) fn expected_content(
    signatures: &[Signature<'_>],
    headers: &HeaderMap,
    rule: SignedContent,
) -> Result<Option<ExpectedContent>, SignatureError> {
    let count = signatures.iter().filter(|signature| covers_digest(signature)).count();
    if count == signatures.len() {
        if !headers.contains_key(CONTENT_DIGEST) {
            return Err(SignatureError::ComponentMissing);
        }
        return Ok(Some(ExpectedContent::from_content_digest(headers)?));
    }
    match rule {
        _ if count > 0 => Err(SignatureError::NotCovered(CONTENT_DIGEST)),
        SignedContent::Required => Ok(Some(ExpectedContent::EMPTY)),
        SignedContent::IfPresent if headers.contains_key(CONTENT_DIGEST) => {
            Err(SignatureError::NotCovered(CONTENT_DIGEST))
        }
        // In another form it does not count as covering the content, but a digest that is signed is never ignored.
        SignedContent::IfPresent | SignedContent::Off if signatures.iter().any(covers_a_form) => {
            Ok(Some(ExpectedContent::from_content_digest(headers)?))
        }
        SignedContent::IfPresent | SignedContent::Off => Ok(None),
    }
}

fn covers_digest(signature: &Signature<'_>) -> bool {
    signature.components().any(|component| component.is_field(CONTENT_DIGEST))
}

/// Returns whether a signature covers `content-digest`, or a part of it.
fn covers_a_form(signature: &Signature<'_>) -> bool {
    signature.components().any(|component| component.is_form_of(CONTENT_DIGEST))
}
