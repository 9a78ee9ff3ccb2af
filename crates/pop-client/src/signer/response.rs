//! What responses say about nonces and proofs. Each kind of proof has its own fields and codes.

use http::{HeaderMap, StatusCode};
use pop_core::target::Origin;
use reqwest::Url;

use super::Signer;
use crate::bound_token::ProofMethod;
use crate::challenge::Challenge;
use crate::nonce::{MalformedNonce, Role};
use crate::nonce_challenge::{challenge_asks_for_nonce, may_ask_for_nonce, signed_request_asks_for_nonce};
use crate::redaction::redacted;

impl Signer {
    /// Stores the nonce of a response. The caller gets the response even if the nonce is malformed.
    pub(crate) fn learn_nonce(&self, origin: &Origin, url: &Url, headers: &HeaderMap) -> Result<bool, MalformedNonce> {
        let learned = match self.token.proof() {
            ProofMethod::Dpop(_) => self.nonces.learn(Role::ResourceServer, origin, headers),
            ProofMethod::Pop(_) | ProofMethod::PopThumbprint(_) => self.nonces.learn_for_envelopes(origin, headers),
            ProofMethod::HttpSig(_) | ProofMethod::SharedKey(_) => Ok(false),
        };
        if learned.is_err() {
            tracing::warn!(url = redacted(url), "ignored a malformed nonce");
        }
        learned
    }

    /// Returns whether the head of a response asks for a nonce.
    pub(crate) fn head_asks_for_nonce(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        match self.token.proof() {
            ProofMethod::Dpop(_) => may_ask_for_nonce(status) && challenge_asks_for_nonce(headers),
            ProofMethod::Pop(_) | ProofMethod::PopThumbprint(_) => signed_request_asks_for_nonce(status, headers),
            ProofMethod::HttpSig(_) | ProofMethod::SharedKey(_) => false,
        }
    }

    /// Returns whether the server rejected the proof: its time may be wrong.
    pub(crate) fn is_proof_rejected(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let codes: &[&str] = match self.token.proof() {
            ProofMethod::Dpop(_) if self.adds_signature => &["invalid_dpop_proof", "invalid_signature"],
            ProofMethod::Dpop(_) => &["invalid_dpop_proof"],
            ProofMethod::HttpSig(_) => &["invalid_signature"],
            ProofMethod::Pop(_) | ProofMethod::PopThumbprint(_) | ProofMethod::SharedKey(_) => &["invalid_proof"],
        };
        let scheme = self.token.proof().scheme();
        status == StatusCode::UNAUTHORIZED && codes.iter().any(|code| Challenge::has_error(headers, scheme, code))
    }
}
