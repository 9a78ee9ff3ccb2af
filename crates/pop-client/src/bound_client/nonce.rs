//! What responses say about nonces and proofs. Each kind of proof has its own fields and codes.

use std::time::Duration;

use http::StatusCode;
use pop_core::target::Origin;
use reqwest::{Response, Url};

use super::client::BoundClient;
use super::error_response;
use crate::bound_token::ProofMethod;
use crate::challenge::Challenge;
use crate::nonce::{MalformedNonce, Role};
use crate::nonce_challenge::signed_request_asks_for_nonce;
use crate::redaction::redacted;

impl BoundClient {
    /// Stores the nonce of a response. The caller gets the response even if the nonce is malformed.
    pub(super) fn learn_nonce(&self, origin: &Origin, response: &Response) -> Result<bool, MalformedNonce> {
        let learned = match self.token.proof() {
            ProofMethod::Dpop(_) => self.nonces.learn(Role::ResourceServer, origin, response.headers()),
            ProofMethod::Pop(_) | ProofMethod::PopThumbprint(_) => {
                self.nonces.learn_for_envelopes(origin, response.headers())
            }
            ProofMethod::HttpSig(_) | ProofMethod::SharedKey(_) => Ok(false),
        };
        if learned.is_err() {
            tracing::warn!(url = redacted(response.url()), "ignored a malformed nonce");
        }
        learned
    }

    /// Returns whether a response asks for a nonce, and the complete response.
    pub(super) async fn check_for_nonce_challenge(
        &self,
        response: Response,
        url: &Url,
        timeout: Duration,
    ) -> (Response, bool) {
        match self.token.proof() {
            ProofMethod::Dpop(_) => error_response::check_for_nonce_challenge(response, url, timeout).await,
            ProofMethod::Pop(_) | ProofMethod::PopThumbprint(_) => {
                let asks = signed_request_asks_for_nonce(response.status(), response.headers());
                (response, asks)
            }
            ProofMethod::HttpSig(_) | ProofMethod::SharedKey(_) => (response, false),
        }
    }

    /// Returns whether the server rejected the proof: its time may be wrong.
    pub(super) fn is_proof_rejected(&self, response: &Response) -> bool {
        let codes: &[&str] = match self.token.proof() {
            ProofMethod::Dpop(_) if self.adds_signature => &["invalid_dpop_proof", "invalid_signature"],
            ProofMethod::Dpop(_) => &["invalid_dpop_proof"],
            ProofMethod::HttpSig(_) => &["invalid_signature"],
            ProofMethod::Pop(_) | ProofMethod::PopThumbprint(_) | ProofMethod::SharedKey(_) => &["invalid_proof"],
        };
        let scheme = self.token.proof().scheme();
        response.status() == StatusCode::UNAUTHORIZED
            && codes.iter().any(|code| Challenge::has_error(response.headers(), scheme, code))
    }
}
