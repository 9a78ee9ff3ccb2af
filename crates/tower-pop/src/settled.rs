//! Requests that need no judgement of their own: true preflights, and those that an outer layer with the same state has
//! judged already.

use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{HeaderName, Method};
use pop_core::access_token::check_times;
use pop_core::claims::ProofKind;
use pop_core::policy::Mode;
use pop_core::proof::DpopProof;
use pop_core::proof::dpop::AccessTokenHash;
use pop_core::replay::ReplayKey;
use pop_core::target::RequestTarget;
use pop_core::{Error, ReplayError, credentials, judgement};

use crate::config::PopConfig;
use crate::telemetry::Standing;
use crate::token::{Anonymous, VerifiedToken};
use crate::verifier::{Admitted, ResponseFields, Verdict};

impl PopConfig {
    /// Preflights, and requests that an outer layer with the same state has proven already. Requests made from another's
    /// extensions inherit its verdict.
    pub(crate) fn settled_before(&self, parts: &Parts) -> Option<Verdict> {
        if self.state.pass_preflight && is_preflight(parts) {
            let standing = Standing::Admitted("preflight");
            return Some(Ok(Admitted { token: None, response: ResponseFields::default(), standing }));
        }
        let token = parts.extensions.get::<VerifiedToken>()?;
        let enough = match token.proof().kind() {
            ProofKind::Dpop | ProofKind::MutualTls => true,
            ProofKind::None => self.mode.accepts_bearer(),
            ProofKind::Unproven => self.mode == Mode::ReportOnly,
            _ => false,
        };
        let current = check_times(token.access_token(), self.state.token.leeway, self.state.clock.now()).is_ok();
        if !(enough && current && token.is_from(&self.state) && self.is_about(token, parts)) {
            return None;
        }
        match self.check_nonce_of(token, parts) {
            Ok(()) => {}
            // Looked at as if there were no outer layer, it passes unproven and gets a nonce.
            Err(_) if self.mode == Mode::ReportOnly => return None,
            Err(error) => return Some(self.reject(error, Some(token.scheme()), None)),
        }
        let (token, response) = (Some(token.clone()), ResponseFields::default());
        Some(Ok(Admitted { token, response, standing: Standing::Reused }))
    }

    /// Checks the nonce of a request that an outer layer has verified, where that layer did not require one and this one does.
    /// The proof is used up, but its nonce was not looked at.
    fn check_nonce_of(&self, token: &VerifiedToken, parts: &Parts) -> Result<(), Error> {
        let state = &self.state;
        let is_dpop = token.proof().kind() == ProofKind::Dpop;
        if !is_dpop || token.subject_of_verdict().nonce_checked || !state.nonce_policy.requires(state, parts)? {
            return Ok(());
        }
        let presented = credentials::present(&parts.headers, self.takes_bearer())?;
        let read = self.read_proof(presented.proof?)?;
        let proof = DpopProof::parse(&read.jws, &read.key, &state.proof)?;
        // The very proof that the outer layer verified: it is read again, and could be another by now.
        let same =
            token.proof().jti() == Some(proof.jti()) && token.proof().key_thumbprint() == Some(proof.thumbprint());
        if !same {
            return Err(ReplayError::Replayed.into());
        }
        proof.verify_signature()?;
        judgement::check_freshness(&proof, state.clock.now(), &state.proof, Some(&state.nonces.keys)).map(drop)
    }

    /// Whether a layer of the same configuration let this request through before, whatever this one says.
    pub(crate) fn is_inside_another(&self, parts: &Parts) -> bool {
        let extensions = &parts.extensions;
        extensions.get::<VerifiedToken>().is_some_and(|token| token.is_from(&self.state))
            || extensions.get::<Anonymous>().is_some_and(|anonymous| Arc::ptr_eq(&anonymous.0.state, &self.state))
    }

    /// Whether a verdict is about this very request: method, target, credentials, certificate. Extensions can be copied to
    /// a request of another kind, which then has to prove itself.
    fn is_about(&self, token: &VerifiedToken, parts: &Parts) -> bool {
        let Ok(presented) = credentials::present(&parts.headers, self.takes_bearer()) else {
            return false;
        };
        let state = &*self.state;
        let (subject, proof) = (token.subject_of_verdict(), token.proof());
        let same_target = || {
            let (origin, path) = (state.origins.origin(parts).ok()?, state.origins.path(parts).ok()?);
            let target = RequestTarget::new(origin, &path).ok()?;
            Some(ReplayKey::dpop(proof.key_thumbprint()?, &target, proof.jti()?))
        };
        let same_certificate = || match proof.certificate_thumbprint() {
            None => true,
            proven => state.evidence(parts).is_ok_and(|evidence| evidence.thumbprint.as_ref() == proven),
        };
        subject.method == parts.method
            && subject.token == AccessTokenHash::of(presented.token)
            && (subject.replay_key.is_none() || subject.replay_key == same_target())
            && same_certificate()
    }
}

/// What a verdict is about: a verdict that is found in the extensions of another request counts for nothing there.
#[derive(Debug)]
pub(crate) struct Subject {
    method: Method,
    token: AccessTokenHash,
    /// Target and proof, where there was one.
    replay_key: Option<ReplayKey>,
    /// Whether the proof had to have a nonce, and had a fresh one.
    nonce_checked: bool,
}

impl Subject {
    pub(crate) fn new(method: &Method, token: AccessTokenHash) -> Self {
        Self { method: method.clone(), token, replay_key: None, nonce_checked: false }
    }

    /// The same with the proof that came along, and so the target that it names.
    pub(crate) fn with_proof(self, replay_key: ReplayKey, nonce_checked: bool) -> Self {
        Self { replay_key: Some(replay_key), nonce_checked, ..self }
    }

    /// The same for a verdict that does not rest on the proof.
    pub(crate) fn without_proof(self) -> Self {
        Self { replay_key: None, nonce_checked: false, ..self }
    }
}

/// A CORS preflight as browsers send it (Fetch, "CORS-preflight request"): never with credentials.
fn is_preflight(parts: &Parts) -> bool {
    let has = |name: HeaderName| parts.headers.contains_key(name);
    parts.method == Method::OPTIONS && has(ORIGIN) && has(ACCESS_CONTROL_REQUEST_METHOD) && !has(AUTHORIZATION)
}
