//! The way of a request, top to bottom. What needs no I/O is decided in one call; where keys have to be fetched, the
//! decision waits for them and starts again from the top with what it learnt.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pop_core::access_token::{Expectations, UnverifiedToken, check_times};
use pop_core::claims::{AccessToken, ProofKind, VerifiedClaims};
use pop_core::credentials::{self, Presented, Scheme};
use pop_core::jose::{DecodedJws, Malformed};
use pop_core::judgement::{self, RequestFacts, Unreplayed};
use pop_core::nonce::Freshness;
use pop_core::policy::Mode;
use pop_core::proof::DpopProof;
use pop_core::proof::dpop::AccessTokenHash;
use pop_core::replay::FirstUse;
use pop_core::target::{Origin, RequestTarget};
use pop_core::{CredentialError, Error, ReplayError, TokenError, Unavailable};

use crate::config::PopConfig;
use crate::keys::{KeyLookup, RemoteKeys};
use crate::nonces::NoncePolicy;
use crate::rejection::Rejection;
use crate::replay::ReplayAnswer;
use crate::telemetry;
use crate::token::VerifiedToken;
use crate::token_cache::CachedToken;

/// A request that may go on.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The verified token; `None` for a request without credentials in mode `Optional`.
    pub token: Option<VerifiedToken>,
    /// The `DPoP-Nonce` that the response should carry.
    pub nonce: Option<HeaderValue>,
}

/// The verdict on one request.
pub type Verdict = Result<Admitted, Rejection>;

/// A verdict, at once when nothing has to be waited for.
pub enum Verification {
    /// Known already.
    Now(Verdict),
    /// Known once the future is done. The future owns what it needs.
    Later(Pin<Box<dyn Future<Output = Verdict> + Send>>),
}

impl std::fmt::Debug for Verification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now(..)",
            Self::Later(_) => "Later(..)",
        })
    }
}

impl PopConfig {
    /// Judges a request by its head, without tower. Calling it twice for one request uses its proof twice.
    #[must_use]
    pub fn verify(&self, parts: &Parts) -> Verification {
        if let Some(verdict) = self.settled_before(parts) {
            return Verification::Now(verdict);
        }
        let question = match Question::new(self, parts) {
            Ok(question) => question,
            Err(error) => return Verification::Now(self.reject(error.into(), None)),
        };
        match self.decide(&question) {
            Step::Done(outcome) => Verification::Now(self.conclude(outcome)),
            Step::Fetch(keys) => {
                let (cfg, question) = (self.clone(), question.into_owned());
                Verification::Later(Box::pin(async move { cfg.decide_after_fetch(question, keys).await }))
            }
            Step::Record(scheme, unreplayed) => match self.record(&unreplayed) {
                ReplayAnswer::Now(answer) => Verification::Now(self.conclude_recorded(scheme, unreplayed, answer)),
                ReplayAnswer::Later(answer) => {
                    let cfg = self.clone();
                    Verification::Later(Box::pin(
                        async move { cfg.conclude_recorded(scheme, unreplayed, answer.await) },
                    ))
                }
            },
        }
    }

    /// Preflights, and requests that an outer layer with the same state has proven already. Requests made from another's
    /// extensions inherit its verdict.
    fn settled_before(&self, parts: &Parts) -> Option<Verdict> {
        if self.state.pass_preflight && is_preflight(parts) {
            return Some(Ok(Admitted { token: None, nonce: None }));
        }
        let token = parts.extensions.get::<VerifiedToken>()?;
        let enough = match token.proof().kind() {
            ProofKind::Dpop => true,
            ProofKind::None => self.mode.accepts_bearer(),
            ProofKind::Unproven => self.mode == Mode::ReportOnly,
            _ => false,
        };
        let current = check_times(token.access_token(), self.state.token.leeway, self.state.clock.now()).is_ok();
        (enough && current && token.is_from(&self.state))
            .then(|| Ok(Admitted { token: Some(token.clone()), nonce: None }))
    }

    async fn decide_after_fetch(self, question: Question<'static>, mut keys: Arc<RemoteKeys>) -> Verdict {
        // Token and proof name one issuer, so one fetch settles the matter; a second covers a set that expired meanwhile.
        for _ in 0..2 {
            if let Err(error) = keys.refresh().await {
                return self.reject(error.into(), None);
            }
            let now = Question { now: self.state.clock.now(), ..question.clone() };
            match self.decide(&now) {
                Step::Done(outcome) => return self.conclude(outcome),
                Step::Record(scheme, unreplayed) => {
                    let answer = self.record(&unreplayed).wait().await;
                    return self.conclude_recorded(scheme, unreplayed, answer);
                }
                Step::Fetch(again) => keys = again,
            }
        }
        self.reject(Unavailable::Keys.into(), None)
    }

    /// Everything that can be said without I/O.
    fn decide(&self, question: &Question<'_>) -> Step {
        let presented = match credentials::present(&question.headers, self.mode.accepts_bearer()) {
            Err(CredentialError::Missing) if self.mode == Mode::Optional => return Step::Done(Outcome::Anonymous),
            Err(error) => return Step::refused(None, error),
            Ok(presented) => presented,
        };
        self.judge(question, &presented).unwrap_or_else(|error| Step::refused(Some(presented.scheme), error))
    }

    fn judge(&self, question: &Question<'_>, presented: &Presented<'_>) -> Result<Step, Error> {
        let state = &*self.state;
        if presented.token.len() > state.token.max_len {
            return Err(TokenError::from(Malformed::TooLarge).into());
        }
        let hash = AccessTokenHash::of(presented.token);
        if presented.scheme == Scheme::Bearer {
            return Ok(match self.access_token(presented.token, &hash, question.now, |_| Ok(()))? {
                TokenStep::Fetch(keys) => Step::Fetch(keys),
                TokenStep::Verified(token) => match judgement::judge_bearer(Arc::clone(&token)) {
                    Ok(claims) => Step::passed(claims),
                    Err(error) => self.unproven(token, presented.scheme, error),
                },
            });
        }
        let target = RequestTarget::new(&question.origin, &question.path).map_err(|_| CredentialError::Target)?;
        let request = RequestFacts { method: question.method.as_str(), target: &target, now: question.now };
        let jws = presented.proof.and_then(|proof| Ok(DecodedJws::parse(proof, state.proof.max_len)?));
        let proof = match &jws {
            Ok(jws) => DpopProof::parse(jws, &state.proof),
            Err(error) => Err(*error),
        };
        if let Err(error) = &proof
            && self.mode != Mode::ReportOnly
        {
            return Err((*error).into());
        }
        // Only a request that is right in all but its unknown key may send us out for keys.
        let nonces = question.nonce_required.then_some(&state.nonces.keys);
        let before_fetch = |token: &AccessToken| match &proof {
            Ok(proof) if self.mode != Mode::ReportOnly => {
                judgement::check_binding(token, proof, &hash, &request, &state.proof)?;
                judgement::check_freshness(proof, request.now, &state.proof, nonces).map(drop)
            }
            _ => Ok(()), // in mode ReportOnly a wrong proof passes, and passing takes keys
        };
        let token = match self.access_token(presented.token, &hash, question.now, before_fetch)? {
            TokenStep::Fetch(keys) => return Ok(Step::Fetch(keys)),
            TokenStep::Verified(token) => token,
        };
        let judged = proof
            .map_err(Error::from)
            .and_then(|proof| judgement::judge_dpop(&token, &proof, &hash, &request, &state.proof, nonces))
            .and_then(|unreplayed| self.check_start(unreplayed));
        match judged {
            Ok(unreplayed) => Ok(Step::Record(presented.scheme, unreplayed)),
            Err(error) => Ok(self.unproven(token, presented.scheme, error)),
        }
    }

    /// The access token, from the cache or verified with keys in memory. `before_fetch` must hold before keys are fetched.
    fn access_token(
        &self,
        token: &str,
        hash: &AccessTokenHash,
        now: u64,
        before_fetch: impl FnOnce(&AccessToken) -> Result<(), Error>,
    ) -> Result<TokenStep, Error> {
        let state = &*self.state;
        if let Some(cached) = state.tokens.get(hash)
            && state.issuers.get(cached.issuer).is_some_and(|issuer| issuer.keys.is_current(cached.generation))
        {
            check_times(&cached.token, state.token.leeway, now).inspect_err(|_| state.tokens.remove(hash))?;
            return Ok(TokenStep::Verified(cached.token));
        }
        let jws = DecodedJws::parse(token, state.token.max_len).map_err(TokenError::from)?;
        let token = UnverifiedToken::parse(&jws, &state.token)?;
        let name = token.issuer()?;
        let known = state.issuers.iter().enumerate().find(|(_, issuer)| *issuer.name == *name);
        let (number, issuer) = known.ok_or(TokenError::Issuer)?;
        let expected = Expectations { audiences: &state.audiences, allowances: issuer.allow, policy: &state.token };
        match issuer.keys.lookup(token.key_id()?) {
            KeyLookup::Ready(snapshot) => {
                token.verify_signature(&snapshot.keys)?;
                let token = Arc::new(token.check_claims(&expected, now)?);
                let generation = snapshot.generation;
                state.tokens.insert(*hash, CachedToken { token: Arc::clone(&token), issuer: number, generation });
                Ok(TokenStep::Verified(token))
            }
            KeyLookup::Failed(unavailable) => Err(unavailable.into()),
            KeyLookup::Fetch(keys) => {
                before_fetch(&token.check_claims(&expected, now)?)?;
                Ok(TokenStep::Fetch(keys))
            }
        }
    }

    /// The option that refuses proofs which may have been used before this process could remember them: those dated up to
    /// its start, and up to the clock skew after it, because proofs may be dated ahead.
    fn check_start(&self, unreplayed: Unreplayed) -> Result<Unreplayed, Error> {
        let skew = self.state.proof.clock_skew.as_secs();
        match self.state.not_before {
            Some(start) if unreplayed.entry().issued_at <= start.saturating_add(skew) => {
                Err(ReplayError::Replayed.into())
            }
            _ => Ok(unreplayed),
        }
    }

    /// The one place where mode `ReportOnly` lets a failed proof pass.
    fn unproven(&self, token: Arc<AccessToken>, scheme: Scheme, error: Error) -> Step {
        if self.mode != Mode::ReportOnly {
            return Step::refused(Some(scheme), error);
        }
        telemetry::unproven(&error);
        Step::passed(judgement::report_only(token))
    }

    fn record(&self, unreplayed: &Unreplayed) -> ReplayAnswer {
        match &self.state.replay {
            Some(store) => store.insert(*unreplayed.entry()),
            None => ReplayAnswer::Now(Ok(FirstUse::assertion())), // `.dangerous().without_replay_store()`
        }
    }

    fn conclude_recorded(
        &self,
        scheme: Scheme,
        unreplayed: Unreplayed,
        answer: Result<FirstUse, ReplayError>,
    ) -> Verdict {
        let entry = unreplayed.entry();
        telemetry::proof_age(entry.now, entry.issued_at);
        let renew = unreplayed.freshness() == Freshness::Renew;
        match answer {
            Ok(first_use) => self.admit(unreplayed.first_use(first_use), renew),
            Err(error) if self.mode == Mode::ReportOnly => {
                let error = error.into();
                telemetry::unproven(&error);
                self.admit(unreplayed.into_unproven(), renew)
            }
            Err(error) => self.reject(error.into(), Some(scheme)),
        }
    }

    fn conclude(&self, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Anonymous => Ok(Admitted { token: None, nonce: None }),
            Outcome::Passed(claims) => self.admit(*claims, false),
            Outcome::Refused(scheme, error) => self.reject(error, scheme),
        }
    }

    fn admit(&self, claims: VerifiedClaims, renew: bool) -> Verdict {
        telemetry::admitted(claims.proof().kind());
        let nonce = if renew { self.state.nonces.header(self.state.clock.now()) } else { None };
        Ok(Admitted { token: Some(VerifiedToken::new(claims, self.clone())), nonce })
    }

    fn reject(&self, error: Error, scheme: Option<Scheme>) -> Verdict {
        telemetry::rejected(&error);
        let nonce = match error {
            Error::Nonce(_) => self.state.nonces.header(self.state.clock.now()),
            _ => None,
        };
        Err(Rejection::new(self, error, scheme, nonce))
    }
}

/// What is decided without I/O, or what I/O the decision needs.
enum Step {
    Done(Outcome),
    Fetch(Arc<RemoteKeys>),
    Record(Scheme, Unreplayed),
}

enum Outcome {
    Anonymous,
    Passed(Box<VerifiedClaims>),
    Refused(Option<Scheme>, Error),
}

impl Step {
    fn refused(scheme: Option<Scheme>, error: impl Into<Error>) -> Self {
        Self::Done(Outcome::Refused(scheme, error.into()))
    }

    fn passed(claims: VerifiedClaims) -> Self {
        Self::Done(Outcome::Passed(Box::new(claims)))
    }
}

enum TokenStep {
    Verified(Arc<AccessToken>),
    Fetch(Arc<RemoteKeys>),
}

/// Everything of a request that its verdict depends on.
#[derive(Clone)]
struct Question<'r> {
    method: Cow<'r, Method>,
    headers: Cow<'r, HeaderMap>,
    origin: Origin,
    path: Cow<'r, str>,
    nonce_required: bool,
    now: u64,
}

impl<'r> Question<'r> {
    fn new(cfg: &PopConfig, parts: &'r Parts) -> Result<Self, CredentialError> {
        let state = &*cfg.state;
        if state.refuse_early_data && parts.headers.contains_key("early-data") {
            return Err(CredentialError::EarlyData);
        }
        if state.refuse_token_in_query && parts.uri.query().is_some_and(credentials::has_token_in_query) {
            return Err(CredentialError::TokenInQuery);
        }
        Ok(Self {
            method: Cow::Borrowed(&parts.method),
            headers: Cow::Borrowed(&parts.headers),
            origin: state.origins.origin(parts)?.clone(),
            path: state.origins.path(parts)?,
            nonce_required: match &state.nonce_policy {
                NoncePolicy::Off => false,
                NoncePolicy::Required => true,
                NoncePolicy::PerRequest(required) => required(parts),
            },
            now: state.clock.now(),
        })
    }

    /// Keeps only what a second look needs.
    fn into_owned(self) -> Question<'static> {
        let mut headers = HeaderMap::new();
        for name in [AUTHORIZATION, HeaderName::from_static("dpop")] {
            for value in self.headers.get_all(&name) {
                headers.append(&name, value.clone());
            }
        }
        Question {
            method: Cow::Owned(self.method.into_owned()),
            headers: Cow::Owned(headers),
            path: Cow::Owned(self.path.into_owned()),
            ..self
        }
    }
}

/// A CORS preflight as browsers send it (Fetch, "CORS-preflight request"): never with credentials.
fn is_preflight(parts: &Parts) -> bool {
    let has = |name: HeaderName| parts.headers.contains_key(name);
    parts.method == Method::OPTIONS && has(ORIGIN) && has(ACCESS_CONTROL_REQUEST_METHOD) && !has(AUTHORIZATION)
}
