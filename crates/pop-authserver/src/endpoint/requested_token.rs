//! The kind of token that a client asks for: `token_type` and `req_cnf`
//! (draft-ietf-oauth-pop-key-distribution-07 §4, RFC 9201 §3.1).
//!
//! | `token_type` | `req_cnf` | the token is |
//! |---|---|---|
//! | none | none | bound to the key of the DPoP proof by `jkt`, or unbound without a proof |
//! | `DPoP` | none | bound to the key of the DPoP proof by `jkt` |
//! | `PoP`, or none | `jwk`, `kid` | bound to that key by `jwk` or `kid` |
//! | `httpsig` | `jwk` | bound to that key by `jwk` |
//! | `PoP` | none | bound to a new symmetric key |
//!
//! A message signature on the request asks for an `httpsig` token that is bound to its key by `jwk`
//! (draft-richer-oauth-httpsig). It needs no parameter, and excludes `req_cnf`, a DPoP proof and every other
//! `token_type`.
//!
//! Everything else is rejected. Names of types are compared without case. A DPoP proof with the key shows possession of
//! the key in `req_cnf`. A parameter `cnf_req`, as the draft's IANA section spells it, is ignored.

use super::proof::VerifiedProof;
use super::req_cnf::RequestedKey;
use super::request::VerifiedRequest;
use super::signature::VerifiedSignature;
use crate::cnf::{self, Cnf};
use crate::form::Form;
use crate::oauth_error::OAuthError;

/// The types of tokens that this server issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenType {
    Bearer,
    Dpop,
    Pop,
    HttpSig,
}

impl TokenType {
    /// Returns the name for responses. RFC 9200 §8.6 registers `PoP`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
            Self::Pop => "PoP",
            Self::HttpSig => "httpsig",
        }
    }

    /// Returns the type that a request asks for. A Bearer token cannot be asked for.
    fn requested(form: &Form) -> Result<Option<Self>, OAuthError> {
        let Some(name) = form.get("token_type") else {
            return Ok(None);
        };
        let mut types = [Self::Dpop, Self::Pop, Self::HttpSig].into_iter();
        let found = types.find(|token_type| token_type.name().eq_ignore_ascii_case(name));
        found.map(Some).ok_or_else(|| OAuthError::invalid_token_type("this token_type cannot be requested"))
    }
}

/// What the token is bound to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequestedToken {
    /// Nothing, or a key that the client has.
    OwnKey { token_type: TokenType, cnf: Cnf },
    /// A symmetric key that the server generates.
    SharedKey,
}

impl RequestedToken {
    /// Reads the request of a client.
    pub(super) fn read(request: &VerifiedRequest<'_>) -> Result<Self, OAuthError> {
        let requested = match &request.signature {
            Some(signature) => Self::signed(&request.form, request.proof.as_ref(), signature)?,
            None => Self::unsigned(&request.form, request.proof.as_ref())?,
        };
        let is_dpop = matches!(&requested, Self::OwnKey { token_type: TokenType::Dpop, .. });
        if request.client.dpop_required && !is_dpop {
            return Err(OAuthError::invalid_token_type("tokens of this client must be DPoP-bound"));
        }
        Ok(requested)
    }

    /// Reads a request with a message signature.
    fn signed(form: &Form, proof: Option<&VerifiedProof>, signature: &VerifiedSignature) -> Result<Self, OAuthError> {
        let token_type = TokenType::HttpSig;
        if form.get("token_type").is_some_and(|name| !token_type.name().eq_ignore_ascii_case(name)) {
            return Err(OAuthError::invalid_request(
                "a signed request asks for an httpsig token, not for another type",
            ));
        }
        if form.get("req_cnf").is_some() {
            return Err(OAuthError::invalid_request(
                "a signed request binds to the key of the signature, without req_cnf",
            ));
        }
        if proof.is_some() {
            return Err(OAuthError::invalid_request("a request has a signature or a DPoP proof, not both"));
        }
        Ok(Self::OwnKey { token_type, cnf: signature.cnf.clone() })
    }

    /// Reads a request whose proof, if any, is a DPoP proof.
    fn unsigned(form: &Form, proof: Option<&VerifiedProof>) -> Result<Self, OAuthError> {
        let token_type = TokenType::requested(form)?;
        let own_key = |token_type, cnf| Ok(Self::OwnKey { token_type, cnf });
        match (token_type, form.get("req_cnf")) {
            (None, None) => match proof {
                Some(proof) => own_key(TokenType::Dpop, cnf::jkt(proof.key)),
                None => own_key(TokenType::Bearer, Cnf::new()),
            },
            (Some(TokenType::Pop), None) => Ok(Self::SharedKey),
            (Some(TokenType::HttpSig), None) => {
                Err(OAuthError::invalid_request("token_type=httpsig needs a signature, or req_cnf with a jwk"))
            }
            (Some(_), None) => own_key(TokenType::Dpop, cnf::jkt(proven(proof)?.key)),
            (Some(TokenType::Bearer | TokenType::Dpop), Some(_)) => {
                Err(OAuthError::invalid_request("token_type=DPoP binds to the key of the proof, without req_cnf"))
            }
            (Some(TokenType::HttpSig), Some(value)) => own_key(TokenType::HttpSig, http_signature_key(value, proof)?),
            (Some(TokenType::Pop) | None, Some(value)) => own_key(TokenType::Pop, possessed_key(value, proof)?),
        }
    }
}

fn proven(proof: Option<&VerifiedProof>) -> Result<&VerifiedProof, OAuthError> {
    proof.ok_or_else(|| OAuthError::invalid_dpop_proof("possession of the key must be shown by a DPoP proof"))
}

/// Returns the `cnf` for the requested key, if the proof shows possession of it.
fn possessed_key(req_cnf: &str, proof: Option<&VerifiedProof>) -> Result<Cnf, OAuthError> {
    let key = RequestedKey::parse(req_cnf)?;
    let proof = proven(proof)?;
    key.confirmed(proof.key, proof.algorithm)
}

/// As [`possessed_key`]. Resource servers need the key itself.
fn http_signature_key(req_cnf: &str, proof: Option<&VerifiedProof>) -> Result<Cnf, OAuthError> {
    let cnf = possessed_key(req_cnf, proof)?;
    if cnf.contains_key("jwk") {
        Ok(cnf)
    } else {
        Err(OAuthError::invalid_request("token_type=httpsig needs req_cnf with a jwk"))
    }
}
