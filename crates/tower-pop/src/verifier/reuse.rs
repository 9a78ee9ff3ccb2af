//! Requests that skip verification: CORS preflights, and requests that an outer layer with the same state has verified.

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{HeaderName, Method};
use pop_core::access_token::{AccessTokenHash, check_times};
use pop_core::credentials::Credentials;
use pop_core::policy::Mode;
use pop_core::proof::{ProofContext, ProofKind, ProofReader};
use pop_core::{Error, ReplayError};

use super::verdict::{Admitted, ResponseFields, Verdict};
use crate::config::PopConfig;
use crate::rejection::Rejection;
use crate::request_context::RequestContext;
use crate::telemetry::RequestStatus;
use crate::token::VerifiedToken;

/// Returns the verdict on a request that needs no verification here. Requests that a handler makes from the extensions of
/// another request do not inherit its verdict.
pub(super) fn earlier_verdict(cfg: &PopConfig, parts: &Parts) -> Option<Verdict> {
    if cfg.state.pass_preflight && is_preflight(parts) {
        return Some(Ok(Admitted::without_token("preflight")));
    }
    let token = parts.extensions.get::<VerifiedToken>().filter(|token| token.is_from(&cfg.state))?;
    let kind = token.proof().kind();
    let is_enough = kind.is_proven()
        || (kind == ProofKind::None && cfg.mode.accepts_bearer())
        || (kind == ProofKind::Unproven && cfg.mode == Mode::ReportOnly);
    let tokens = &cfg.state.tokens;
    let is_current = check_times(token.access_token(), tokens.policy.leeway, cfg.state.clock.now()).is_ok();
    if !(is_enough && is_current) {
        return None;
    }
    let context = RequestContext::new(cfg, parts).ok()?;
    if !is_about(cfg, token, &context) {
        return None;
    }
    match check_nonce(cfg, token, &context) {
        Ok(()) => {
            let (token, response) = (Some(token.clone()), ResponseFields::default());
            Some(Ok(Admitted { token, response, status: RequestStatus::Reused }))
        }
        // Verified as if there were no outer layer, the request is accepted as unproven and gets a nonce.
        Err(_) if cfg.mode == Mode::ReportOnly => None,
        Err(error) => Some(Err(Rejection::new(cfg, error, Some(token.scheme()), None))),
    }
}

/// Returns whether a verdict is about this request: method, target, token and certificate. Extensions can be copied to another
/// request, which has to be verified on its own.
fn is_about(cfg: &PopConfig, token: &VerifiedToken, context: &RequestContext<'_>) -> bool {
    let (verified, proof, head) = (token.request(), token.proof(), context.head());
    let Ok(credentials) = Credentials::from_headers(head.headers(), cfg.schemes()) else {
        return false;
    };
    let certificate = proof.certificate_thumbprint();
    verified.method == *context.method
        && !verified.is_streamed
        && verified.credentials == AccessTokenHash::of(credentials.token())
        && (proof.kind() != ProofKind::Dpop || proof.replay_key(&head) == verified.replay_key)
        && proof.is_about(&head)
        && (certificate.is_none() || certificate == head.certificate())
        && (!cfg.signature_required || verified.signature_required || !token.scheme().takes_signature())
}

/// Checks the nonce of a verified request if the outer layer did not require one and this layer does. The proof is recorded
/// already, but its nonce was not checked.
fn check_nonce(cfg: &PopConfig, token: &VerifiedToken, context: &RequestContext<'_>) -> Result<(), Error> {
    let state = &*cfg.state;
    let is_due = token.scheme().uses_nonces() && token.proof().is_proven();
    if !(is_due && context.nonce_required) || token.request().nonce_checked {
        return Ok(());
    }
    let head = context.head();
    let credentials = Credentials::from_headers(head.headers(), cfg.schemes())?;
    let reader = ProofReader { signature_required: false, ..cfg.proof_reader() };
    let proofs = reader.read(token.scheme(), credentials.token(), &head)?;
    let ring = state.nonces.ring();
    let check = ProofContext {
        policy: &state.proof,
        token: &token.request().credentials,
        nonces: Some(&ring.keys),
        key_encryption_keys: None,
        client_keys: None,
    };
    if let Some(proof) = proofs.proof() {
        // The header field could have been changed since the outer layer verified the proof.
        if !proof.is(token.proof()) {
            return Err(ReplayError::Replayed.into());
        }
        proof.precheck(&head, &check)?;
    }
    Ok(())
}

/// Returns whether a request is a CORS preflight as browsers send it (Fetch, "CORS-preflight request"): without credentials.
fn is_preflight(parts: &Parts) -> bool {
    let has = |name: HeaderName| parts.headers.contains_key(name);
    parts.method == Method::OPTIONS && has(ORIGIN) && has(ACCESS_CONTROL_REQUEST_METHOD) && !has(AUTHORIZATION)
}
