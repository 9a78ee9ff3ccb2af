//! The last part of a verification, once the access token is there: proofs, binding, freshness, and the replay store.

use std::future::Future;
use std::sync::Arc;

use http::{HeaderValue, Method};
use pop_core::access_token::{AccessToken, check_times};
use pop_core::binding::{Bound, Unread, Unreplayed, VerifiedClaims};
use pop_core::content::ContentVerified;
use pop_core::credentials::Scheme;
use pop_core::nonce::Freshness;
use pop_core::policy::Mode;
use pop_core::proof::{Proof, ProofKind};
use pop_core::replay::{FirstUse, ReplayEntry};
use pop_core::request::RequestHead;
use pop_core::{Error, ReplayError};

use super::decision::{ContentCheck, Continuation, Decision, Verification};
use super::presented::{Presented, ServerKeys, binding_check};
use super::verdict::{Admitted, ResponseFields, Verdict};
use crate::config::PopConfig;
use crate::explain::Explanation;
use crate::meter::{Step, Timer};
use crate::proof_key_cache::NewProofKey;
use crate::rejection::Rejection;
use crate::replay::ReplayAnswer;
use crate::request_context::RequestContext;
use crate::telemetry::{self, RequestStatus, Unproven};
use crate::token::{VerifiedRequest, VerifiedToken};

/// Verifies the proofs of a request whose token is verified, and records them.
pub(super) fn finish(
    cfg: &PopConfig,
    context: &RequestContext<'_>,
    head: &RequestHead<'_>,
    presented: Presented<'_>,
    token: Arc<AccessToken>,
) -> Verification {
    let Presented { scheme, token_hash, credentials_hash, proofs, .. } = presented;
    let mut ending = Ending {
        scheme,
        request: VerifiedRequest {
            method: Method::clone(&context.method),
            credentials: credentials_hash,
            signature_required: cfg.signature_required,
            is_streamed: false,
            replay_key: None,
            nonce_checked: context.nonce_required,
        },
        new_nonce: false,
        vary: context.certificate.vary.clone(),
        new_key: None,
        target: None,
    };
    let timer = Timer::start();
    let checked = match proofs {
        Ok(proofs) => {
            let new_key = proofs.proof().and_then(Proof::new_key);
            ending.new_key = new_key.and_then(|(header, key)| cfg.state.proof_keys.candidate(header, key));
            let keys = ServerKeys::of(cfg, context, scheme);
            binding_check(cfg, head, scheme, &token_hash, &keys).verify(proofs, &token)
        }
        Err(error) => Err(error),
    };
    timer.stop(Step::Proof);
    match checked {
        Ok(bound) => proceed(cfg, ending, bound, token),
        Err(error) => {
            telemetry::rejected_proof_age(&error);
            ending.target = context.target_for(&error);
            // The client can then be ready before the mode changes.
            ending.new_nonce = context.nonce_required && scheme.uses_nonces();
            Verification::now(ending.fail(cfg, error, token))
        }
    }
}

/// Goes on with a request whose token and proofs are verified.
fn proceed(cfg: &PopConfig, mut ending: Ending, bound: Bound, token: Arc<AccessToken>) -> Verification {
    let unreplayed = match bound {
        Bound::Complete(claims) => return Verification::now(ending.conclude(cfg, Ok(claims))),
        Bound::Unread(unread) => {
            let (limit, rest) = (cfg.state.content_limit, Rest { cfg: cfg.clone(), ending, token });
            return Verification::Now(Decision::Content(Box::new(ContentCheck::new(*unread, limit, rest))));
        }
        Bound::Unreplayed(unreplayed) => unreplayed,
    };
    if is_from_before_start(cfg, unreplayed.entry()) {
        return Verification::now(ending.fail(cfg, unreplayed.replayed(), token));
    }
    ending.new_nonce |= unreplayed.freshness() == Freshness::Renew;
    let timer = Timer::start();
    match record(cfg, unreplayed.entry()) {
        ReplayAnswer::Now(answer) => {
            timer.stop(Step::Replay);
            ending.recorded(cfg, unreplayed, token, answer)
        }
        ReplayAnswer::Later(answer) => {
            let cfg = cfg.clone();
            Verification::later(async move {
                let answer = in_time(&cfg, answer).await;
                timer.stop(Step::Replay);
                ending.recorded(&cfg, unreplayed, token, answer).decide().await
            })
        }
    }
}

/// What is left to do once the content is known.
struct Rest {
    cfg: PopConfig,
    ending: Ending,
    token: Arc<AccessToken>,
}

impl Continuation for Rest {
    /// Content may take its time: token and proof must still be valid when it has arrived.
    fn proceed(self: Box<Self>, unread: Unread, evidence: ContentVerified) -> Verification {
        let Self { cfg, ending, token } = *self;
        let now = cfg.state.clock.now();
        if let Err(error) = check_times(&token, cfg.state.tokens.policy.leeway, now) {
            // An invalid token is rejected in every mode.
            return Verification::now(Err(Rejection::new(&cfg, error.into(), Some(ending.scheme), None)));
        }
        match unread.verified(&evidence, now) {
            Ok(bound) => proceed(&cfg, ending, bound, token),
            Err(error) => Verification::now(ending.fail(&cfg, error.into(), token)),
        }
    }

    fn stream(self: Box<Self>, unread: Unread) -> Verification {
        let Self { cfg, mut ending, token } = *self;
        ending.request.is_streamed = true;
        proceed(&cfg, ending, unread.verified_while_streaming(), token)
    }

    fn reports_only(&self) -> bool {
        self.cfg.mode == Mode::ReportOnly
    }

    fn fail(self: Box<Self>, error: Error) -> Verdict {
        self.ending.fail(&self.cfg, error, self.token)
    }
}

/// With [`reject_proofs_from_before_start`](crate::PopConfigBuilder::reject_proofs_from_before_start), returns whether a proof may
/// have been used before this process could remember it: if it is dated up to the start, or up to the clock skew after it,
/// because a proof may be dated in the future.
fn is_from_before_start(cfg: &PopConfig, entry: &ReplayEntry) -> bool {
    let skew = cfg.state.proof.dpop.clock_skew.as_secs();
    cfg.state.not_before.is_some_and(|start| entry.issued_at <= start.saturating_add(skew))
}

/// Records the proof. Nothing else of a request has a side effect.
fn record(cfg: &PopConfig, entry: &ReplayEntry) -> ReplayAnswer {
    match &cfg.state.replay {
        Some(store) => store.insert(*entry),
        None => ReplayAnswer::Now(Ok(FirstUse::assertion())), // `.dangerous().without_replay_store()`
    }
}

/// Returns the answer of a replay store, or that it is unavailable if it takes too long. Outside of a runtime there are no
/// timers, and no timeout.
async fn in_time(
    cfg: &PopConfig,
    answer: impl Future<Output = Result<FirstUse, ReplayError>>,
) -> Result<FirstUse, ReplayError> {
    if tokio::runtime::Handle::try_current().is_err() {
        return answer.await;
    }
    let answer = tokio::time::timeout(cfg.state.replay_timeout, answer).await;
    answer.unwrap_or(Err(ReplayError::Unavailable))
}

/// What the verdict needs of the request. It owns all of it, because the replay store may answer later.
struct Ending {
    scheme: Scheme,
    request: VerifiedRequest,
    /// Whether the response carries a new nonce.
    new_nonce: bool,
    vary: Option<HeaderValue>,
    new_key: Option<NewProofKey>,
    target: Option<String>,
}

impl Ending {
    /// Goes on with the answer of the replay store.
    fn recorded(
        mut self,
        cfg: &PopConfig,
        unreplayed: Unreplayed,
        token: Arc<AccessToken>,
        answer: Result<FirstUse, ReplayError>,
    ) -> Verification {
        let entry = *unreplayed.entry();
        let first_use = match answer {
            Ok(first_use) => first_use,
            Err(ReplayError::Replayed) => return Verification::now(self.fail(cfg, unreplayed.replayed(), token)),
            Err(error) => return Verification::now(self.fail(cfg, error.into(), token)),
        };
        telemetry::proof_age(entry.now, entry.issued_at);
        self.request.replay_key.get_or_insert(entry.key);
        if unreplayed.second_entry().is_some() {
            return proceed(cfg, self, Bound::Unreplayed(unreplayed.first_of_two(first_use)), token);
        }
        if let Some(new_key) = self.new_key.take() {
            cfg.state.proof_keys.keep(new_key);
        }
        match unreplayed.first_use(first_use) {
            Some(claims) => Verification::now(self.conclude(cfg, Ok(claims))),
            None => Verification::now(self.fail(cfg, ReplayError::Unavailable.into(), token)),
        }
    }

    /// The verdict on a request whose proof or content failed.
    fn fail(self, cfg: &PopConfig, error: Error, token: Arc<AccessToken>) -> Verdict {
        self.conclude(cfg, Err((error, token)))
    }

    /// The verdict. Mode `ReportOnly` accepts a valid token whose proof or binding failed.
    fn conclude(self, cfg: &PopConfig, result: Result<VerifiedClaims, (Error, Arc<AccessToken>)>) -> Verdict {
        let (claims, status) = match (result, cfg.mode) {
            (Ok(claims), _) => {
                let status = RequestStatus::Admitted(claims.proof().kind().as_str());
                (claims, status)
            }
            (Err((error, token)), Mode::ReportOnly) => {
                let explanation = Explanation::of(&error, &cfg.state, self.target.as_deref());
                let status = RequestStatus::Unproven(Box::new(Unproven { error, explanation }));
                (VerifiedClaims::unproven(token), status)
            }
            (Err((error, _)), _) => {
                return Err(Rejection::new(cfg, error, Some(self.scheme), self.target.as_deref()));
            }
        };
        let nonce = |wanted| if wanted { cfg.state.nonces.next(self.scheme, cfg.state.clock.now()) } else { None };
        let (nonce, next_nonce) = match self.scheme {
            // The other form under this scheme has no nonce of the server.
            Scheme::Pop => (None, nonce(self.request.nonce_checked && claims.proof().kind() != ProofKind::Hmac)),
            _ => (nonce(self.new_nonce), None),
        };
        let authentication_info = next_nonce.and_then(|nonce| next_nonce_field(&nonce));
        let vary = self.vary.filter(|_| claims.proof().certificate_thumbprint().is_some());
        let token = Some(VerifiedToken::new(claims, self.scheme, self.request, cfg.clone()));
        Ok(Admitted { token, response: ResponseFields { nonce, authentication_info, vary }, status })
    }
}

/// `Authentication-Info` with the nonce for the next signed request.
fn next_nonce_field(nonce: &HeaderValue) -> Option<HeaderValue> {
    format!("nextnonce=\"{}\"", nonce.to_str().ok()?).parse().ok()
}
