//! The way of a request, top to bottom. What needs no I/O is decided in one call; where keys have to be fetched or the
//! authorization server must be asked, the decision waits for that and starts again from the top with what it learnt.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderValue;
use http::request::Parts;
use pop_core::access_token::{Claimed, Expectations, UnverifiedToken, check_times};
use pop_core::claims::{AccessToken, VerifiedClaims};
use pop_core::credentials::{self, Presented, Scheme};
use pop_core::jose::{CertThumbprint, CompactJws, DecodedJws, Malformed};
use pop_core::judgement::{self, RequestFacts, Unreplayed};
use pop_core::nonce::Freshness;
use pop_core::policy::Mode;
use pop_core::proof::dpop::AccessTokenHash;
use pop_core::proof::{DpopProof, ProofKey};
use pop_core::replay::FirstUse;
use pop_core::target::RequestTarget;
use pop_core::{BindingError, CredentialError, Error, Found, ProofError, ReplayError, TokenError, Unavailable};

use crate::certificates::Evidence;
use crate::clock::{Deadline, Moment};
use crate::config::PopConfig;
use crate::explain::Explanation;
use crate::introspection::{Introspector, Lookup, Prover};
use crate::keys::{KeyLookup, Refresh};
use crate::proof_keys::NewProofKey;
use crate::question::Question;
use crate::rejection::Rejection;
use crate::replay::ReplayAnswer;
use crate::settled::Subject;
use crate::telemetry::{self, Standing, Unproven};
use crate::token::VerifiedToken;
use crate::token_cache::{self, CachedToken};

/// A request that may go on.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The verified token; `None` for a request without credentials in mode `Optional`.
    pub token: Option<VerifiedToken>,
    /// What the response should carry.
    pub response: ResponseFields,
    pub(crate) standing: Standing,
}

/// Fields that the response to an admitted request should carry.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ResponseFields {
    /// `DPoP-Nonce`; it replaces any other, and the response must not be stored (RFC 9449 §8).
    pub nonce: Option<HeaderValue>,
    /// A line of `Vary`: the field that carried the client's certificate (RFC 9440 §2.4).
    pub vary: Option<HeaderValue>,
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
    ///
    /// With client certificates on, call [`settle_certificates`](Self::settle_certificates) first: fields that claim a
    /// certificate and come from strangers count as absent here, but only there are they taken out of the request.
    ///
    /// The verdict is counted and logged at once, since no layer sees the response; a future that is dropped is not. A body
    /// that comes with a rejected request is the caller's to read (RFC 9112 §9.6).
    #[must_use]
    pub fn verify(&self, parts: &Parts) -> Verification {
        match self.verdict(parts) {
            Verification::Now(verdict) => {
                telemetry::decided(&verdict);
                Verification::Now(verdict)
            }
            Verification::Later(verdict) => Verification::Later(Box::pin(async move {
                let verdict = verdict.await;
                telemetry::decided(&verdict);
                verdict
            })),
        }
    }

    /// The verdict, which the caller counts.
    pub(crate) fn verdict(&self, parts: &Parts) -> Verification {
        if let Some(verdict) = self.settled_before(parts) {
            return Verification::Now(verdict);
        }
        let question = match Question::new(self, parts) {
            Ok(question) => question,
            Err(error) => {
                let scheme = credentials::scheme_used(&parts.headers);
                return Verification::Now(self.reject(error.into(), scheme, None));
            }
        };
        match self.decide(&question) {
            Step::Done(outcome) => Verification::Now(self.conclude(outcome, &question)),
            Step::Wait(wait) => {
                let (cfg, question) = (self.clone(), question.into_owned());
                Verification::Later(Box::pin(async move { cfg.decide_after(question, wait).await }))
            }
            Step::Record(provable) => match self.record(&provable.unreplayed) {
                ReplayAnswer::Now(answer) => {
                    Verification::Now(self.conclude_recorded(provable, &question.evidence, answer))
                }
                ReplayAnswer::Later(answer) => {
                    let (cfg, evidence) = (self.clone(), question.evidence);
                    Verification::Later(Box::pin(async move {
                        let answer = cfg.in_time(answer).await;
                        cfg.conclude_recorded(provable, &evidence, answer)
                    }))
                }
            },
        }
    }

    /// Takes out of a request whatever claims to be the client's certificate and was not set by a trusted proxy, and puts
    /// the certificate of the connection into the extensions, as [`PopLayer`](crate::PopLayer) does. Does nothing where
    /// client certificates are off.
    pub fn settle_certificates(&self, parts: &mut Parts) {
        if let Some(certificates) = &self.state.certificates {
            certificates.settle(parts);
        }
    }

    async fn decide_after(self, mut question: Question<'static>, mut wait: Wait) -> Verdict {
        // A token names one issuer, so one wait settles the matter; a second covers a key set that expired meanwhile.
        for _ in 0..2 {
            match wait {
                Wait::Keys(refresh) => {
                    if let Err(error) = refresh.run().await {
                        return self.reject(error.into(), None, None);
                    }
                    question.keys_refreshed = true;
                }
                Wait::Introspection(introspector, token, hash, prover) => {
                    question.introspected = Some(introspector.ask(&token, hash, prover).await);
                }
            }
            question.moment = Moment::now(&*self.state.clock);
            question.now = question.moment.seconds();
            match self.decide(&question) {
                Step::Done(outcome) => return self.conclude(outcome, &question),
                Step::Record(provable) => {
                    let answer = match self.record(&provable.unreplayed) {
                        ReplayAnswer::Now(answer) => answer,
                        ReplayAnswer::Later(answer) => self.in_time(answer).await,
                    };
                    return self.conclude_recorded(provable, &question.evidence, answer);
                }
                Step::Wait(again) => wait = again,
            }
        }
        self.reject(Unavailable::Keys.into(), None, None)
    }

    /// Everything that can be said without I/O.
    fn decide(&self, question: &Question<'_>) -> Step {
        let presented = match credentials::present(&question.headers, self.takes_bearer()) {
            Err(CredentialError::Missing) if self.mode == Mode::Optional => return Step::Done(Outcome::Anonymous),
            Err(error) => return Step::refused(credentials::scheme_used(&question.headers), error),
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
        let certificate = question.evidence.thumbprint.as_ref();
        if presented.scheme == Scheme::Bearer {
            return self.judge_bearer(question, presented.token, &hash, certificate);
        }
        let target = RequestTarget::new(&question.origin, &question.path).map_err(|_| CredentialError::Target)?;
        let request =
            RequestFacts { method: question.method.as_str(), target: &target, certificate, now: question.now };
        let read = presented.proof.and_then(|proof| self.read_proof(proof));
        let proof = match &read {
            Ok(read) => DpopProof::parse(&read.jws, &read.key, &state.proof),
            Err(error) => Err(*error),
        };
        if let Err(error) = &proof
            && self.mode != Mode::ReportOnly
        {
            return Err((*error).into());
        }
        // Only a request that is right in all that can be known may send us out for the rest.
        let nonces = question.nonce_required.then_some(&state.nonces.keys);
        let before_waiting = |token: Option<&AccessToken>| {
            let proof = proof.as_ref().map_err(|error| *error)?;
            match token {
                Some(token) => judgement::check_binding(token, proof, &hash, &request).map(drop)?,
                None => judgement::check_proof(proof, &hash, &request)?,
            }
            judgement::check_freshness(proof, request.now, &state.proof, nonces)?;
            Ok(Some(Prover::Key(*proof.thumbprint().as_bytes())))
        };
        let token = match self.access_token(question, presented.token, &hash, before_waiting)? {
            TokenStep::Wait(wait) => return Ok(Step::Wait(wait)),
            TokenStep::Verified(token) => token,
        };
        let judged = proof
            .map_err(Error::from)
            .and_then(|proof| judgement::judge_dpop(&token, &proof, &hash, &request, &state.proof, nonces))
            .and_then(|unreplayed| self.check_start(unreplayed));
        match judged {
            Ok(unreplayed) => Ok(Step::Record(Provable {
                scheme: presented.scheme,
                subject: Subject::new(&question.method, hash)
                    .with_proof(unreplayed.entry().key, question.nonce_required),
                unreplayed,
                new_key: read.ok().and_then(|read| state.proof_keys.candidate(read.new_header?, &read.key)),
            })),
            Err(error) => {
                let subject = Subject::new(&question.method, hash);
                Ok(self.unproven(token, presented.scheme, subject, error, question))
            }
        }
    }

    /// Splits and decodes a proof; its header is read only if no proof with the same one passed before.
    pub(crate) fn read_proof<'p>(&self, proof: &'p str) -> Result<ReadProof<'p>, ProofError> {
        let state = &*self.state;
        let compact = CompactJws::split(proof, state.proof.max_len)?;
        let header = compact.header_segment();
        let (key, new_header) = match state.proof_keys.get(header) {
            Some(key) => (key, None),
            None => (Arc::new(ProofKey::parse(header, &state.proof)?), Some(header)),
        };
        Ok(ReadProof { jws: compact.decode_body()?, key, new_header })
    }

    /// A token under `Bearer`: bound to the client's certificate or, where the mode accepts that, to nothing.
    fn judge_bearer(
        &self,
        question: &Question<'_>,
        token: &str,
        hash: &AccessTokenHash,
        certificate: Option<&CertThumbprint>,
    ) -> Result<Step, Error> {
        let unbound = self.mode.accepts_bearer();
        let before_waiting = |token: Option<&AccessToken>| {
            match token {
                Some(token) => judgement::check_bearer(token, certificate, unbound).map(drop)?,
                // Whatever an opaque token is bound to, without a certificate it is of no use here.
                None if certificate.is_none() && !unbound => return Err(BindingError::CertificateMissing.into()),
                None => {}
            }
            Ok(certificate.map(|certificate| Prover::Certificate(*certificate.as_bytes())))
        };
        Ok(match self.access_token(question, token, hash, before_waiting)? {
            TokenStep::Wait(wait) => Step::Wait(wait),
            TokenStep::Verified(token) => match judgement::judge_bearer(Arc::clone(&token), certificate, unbound) {
                Ok(claims) => Step::passed(claims, Scheme::Bearer, Subject::new(&question.method, *hash)),
                Err(error) => {
                    self.unproven(token, Scheme::Bearer, Subject::new(&question.method, *hash), error, question)
                }
            },
        })
    }

    /// The access token: from the cache, verified with keys in memory, or as the authorization server says.
    /// `before_waiting` must hold before anything is waited for, except in mode `ReportOnly`, where a wrong proof passes if the
    /// token is valid; it gets the unverified claims of a JWT, and says what the client has proven to hold.
    fn access_token(
        &self,
        question: &Question<'_>,
        token: &str,
        hash: &AccessTokenHash,
        before_waiting: impl FnOnce(Option<&AccessToken>) -> Result<Option<Prover>, Error>,
    ) -> Result<TokenStep, Error> {
        let state = &*self.state;
        let before_waiting = |token: Option<&AccessToken>| match before_waiting(token) {
            Err(_) if self.mode == Mode::ReportOnly => Ok(None),
            checked => checked,
        };
        if let Some(cached) = state.tokens.get(hash)
            && self.still_holds(&cached, question.moment)
        {
            // An expired token stays in memory, where it is refused cheaply.
            check_times(&cached.token, state.token.leeway, question.now)?;
            return Ok(TokenStep::Verified(cached.token));
        }
        if let Some(answer) = &question.introspected {
            let token = answer.clone()?;
            check_times(&token, state.token.leeway, question.now)?;
            return Ok(TokenStep::Verified(token));
        }
        if let Some(introspector) = self.introspector_of(token)? {
            return match introspector.lookup(hash) {
                Lookup::Refused(error) => Err(error),
                Lookup::Ask => {
                    let prover = before_waiting(None)?;
                    Ok(TokenStep::Wait(Wait::Introspection(Arc::clone(introspector), token.into(), *hash, prover)))
                }
            };
        }
        let jws = DecodedJws::parse(token, state.token.max_len).map_err(TokenError::from)?;
        let token = UnverifiedToken::parse(&jws, &state.token)?;
        let name = token.issuer()?;
        let known = state.issuers.iter().enumerate().find(|(_, issuer)| *issuer.name == *name);
        let (number, issuer) = known.ok_or(TokenError::Issuer(Found::String))?;
        let expected = Expectations { audiences: &state.audiences, allowances: issuer.allow, policy: &state.token };
        match issuer.keys.lookup(token.key_id()?, question.keys_refreshed) {
            KeyLookup::Ready(snapshot) => {
                if let Err(error) = token.verify_signature(&snapshot.keys) {
                    // Another key may have taken the `kid`: a reason to look again, for a request that is right otherwise.
                    if !question.keys_refreshed
                        && let Some(refresh) = issuer.keys.refresh_after_failure(&snapshot)
                        && let Ok(claims) = token.check_claims(&expected, question.now)
                        && before_waiting(Some(&claims)).is_ok()
                    {
                        return Ok(TokenStep::Wait(Wait::Keys(refresh)));
                    }
                    return Err(error.into());
                }
                let token = token.check_claims(&expected, question.now);
                let token = Arc::new(token.inspect_err(|error| telemetry::signed_by_issuer(&issuer.name, error))?);
                let cached = CachedToken {
                    token: Arc::clone(&token),
                    issuer: number,
                    generation: Some(snapshot.generation),
                    until: Deadline::after(question.moment, token_cache::LONGEST),
                };
                state.tokens.insert(*hash, cached);
                Ok(TokenStep::Verified(token))
            }
            KeyLookup::Failed(unavailable) => Err(unavailable.into()),
            KeyLookup::Fetch(refresh) => {
                before_waiting(Some(&token.check_claims(&expected, question.now)?))?;
                Ok(TokenStep::Wait(Wait::Keys(refresh)))
            }
        }
    }

    /// Whether what a cached token rests on still stands: its own end, and for a JWT the issuer's keys.
    fn still_holds(&self, cached: &CachedToken, now: Moment) -> bool {
        let issuer = self.state.issuers.get(cached.issuer);
        let current = |generation| issuer.is_some_and(|issuer| issuer.keys.is_current(generation, now));
        !cached.until.has_passed(now) && cached.generation.is_none_or(current)
    }

    /// Returns the issuer to introspect a token at, if any. JWTs of issuers that are verified locally are never introspected,
    /// whatever becomes of them. An opaque token goes to the one issuer that is introspected.
    ///
    /// # Errors
    /// [`TokenError::Issuer`] for a JWT that names an issuer which is neither verified locally nor the one to introspect: its
    /// token is no other server's business.
    fn introspector_of(&self, token: &str) -> Result<Option<&Arc<Introspector>>, TokenError> {
        let issuers = &self.state.issuers;
        let introspected = issuers.iter().find_map(|issuer| Some((issuer, issuer.introspector.as_ref()?)));
        let Some((own, introspector)) = introspected else {
            return Ok(None);
        };
        let mut local = issuers.iter().filter(|issuer| issuer.verifies_locally());
        match Claimed::by(token, &self.state.token) {
            Claimed::Opaque => Ok(Some(introspector)),
            Claimed::By(_) | Claimed::Unreadable if introspector.jwt_first() => Ok(None),
            Claimed::By(name) if local.any(|issuer| issuer.name == name) => Ok(None),
            Claimed::By(name) if own.name != name => Err(TokenError::Issuer(Found::String)),
            // May be of a local issuer.
            Claimed::Unreadable if local.next().is_some() => Ok(None),
            Claimed::By(_) | Claimed::Unreadable => Ok(Some(introspector)),
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

    /// Lets a failed proof pass in mode `ReportOnly`. Where nonces are required, the client gets one, so that it can be ready
    /// before the mode changes.
    fn unproven(
        &self,
        token: Arc<AccessToken>,
        scheme: Scheme,
        subject: Subject,
        error: Error,
        question: &Question<'_>,
    ) -> Step {
        if self.mode != Mode::ReportOnly {
            return Step::refused(Some(scheme), error);
        }
        let target = question.target();
        let explanation = Explanation::of(&error, &self.state, target.as_deref());
        let unproven = Some(Unproven { error, explanation });
        let give_nonce = scheme == Scheme::Dpop && question.nonce_required;
        let claims = Box::new(judgement::report_only(token));
        Step::Done(Outcome::Passed { claims, scheme, subject, give_nonce, unproven })
    }

    /// The answer of a replay store, or that it is unavailable when it takes too long. Without a runtime there are no timers
    /// and no timeout.
    async fn in_time(
        &self,
        answer: impl Future<Output = Result<FirstUse, ReplayError>>,
    ) -> Result<FirstUse, ReplayError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return answer.await;
        }
        let answer = tokio::time::timeout(self.state.replay_timeout, answer).await;
        answer.unwrap_or(Err(ReplayError::Unavailable))
    }

    fn record(&self, unreplayed: &Unreplayed) -> ReplayAnswer {
        match &self.state.replay {
            Some(store) => store.insert(*unreplayed.entry()),
            None => ReplayAnswer::Now(Ok(FirstUse::assertion())), // `.dangerous().without_replay_store()`
        }
    }

    fn conclude_recorded(
        &self,
        provable: Provable,
        evidence: &Evidence,
        answer: Result<FirstUse, ReplayError>,
    ) -> Verdict {
        let Provable { scheme, subject, unreplayed, new_key } = provable;
        let entry = unreplayed.entry();
        telemetry::proof_age(entry.now, entry.issued_at);
        let renew = unreplayed.freshness() == Freshness::Renew;
        match answer {
            Ok(first_use) => {
                if let Some(new_key) = new_key {
                    self.state.proof_keys.keep(new_key);
                }
                self.admit(unreplayed.first_use(first_use), scheme, subject, evidence, renew, None)
            }
            Err(error) if self.mode == Mode::ReportOnly => {
                let error = error.into();
                let explanation = Explanation::of(&error, &self.state, None);
                let claims = unreplayed.into_unproven();
                let unproven = Some(Unproven { error, explanation });
                self.admit(claims, scheme, subject.without_proof(), evidence, renew, unproven)
            }
            Err(error) => self.reject(error.into(), Some(scheme), None),
        }
    }

    fn conclude(&self, outcome: Outcome, question: &Question<'_>) -> Verdict {
        match outcome {
            Outcome::Anonymous => Ok(Admitted {
                token: None,
                response: ResponseFields::default(),
                standing: Standing::Admitted("anonymous"),
            }),
            Outcome::Passed { claims, scheme, subject, give_nonce, unproven } => {
                self.admit(*claims, scheme, subject, &question.evidence, give_nonce, unproven)
            }
            Outcome::Refused(scheme, error) => self.reject(error, scheme, Some(question)),
        }
    }

    fn admit(
        &self,
        claims: VerifiedClaims,
        scheme: Scheme,
        subject: Subject,
        evidence: &Evidence,
        give_nonce: bool,
        unproven: Option<Unproven>,
    ) -> Verdict {
        let standing = match unproven {
            None => Standing::Admitted(claims.proof().kind().as_str()),
            Some(unproven) => Standing::Unproven(Box::new(unproven)),
        };
        let nonce = if give_nonce { self.state.nonces.header(self.state.clock.now()) } else { None };
        let by_certificate = claims.proof().certificate_thumbprint().is_some();
        let vary = evidence.vary.as_ref().filter(|_| by_certificate).cloned();
        let token = Some(VerifiedToken::new(claims, scheme, subject, self.clone()));
        Ok(Admitted { token, response: ResponseFields { nonce, vary }, standing })
    }

    pub(crate) fn reject(&self, error: Error, scheme: Option<Scheme>, question: Option<&Question<'_>>) -> Verdict {
        let nonce = match error {
            Error::Nonce(_) => self.state.nonces.header(self.state.clock.now()),
            _ => None,
        };
        let target = match error {
            Error::Proof(ProofError::TargetInvalid | ProofError::TargetMismatch) => question.and_then(Question::target),
            _ => None,
        };
        Err(Rejection::new(self, error, scheme, nonce, target.as_deref()))
    }
}

/// What is decided without I/O, or what I/O the decision needs.
#[allow(clippy::large_enum_variant)] // lives for a moment; a box would cost every request an allocation
enum Step {
    Done(Outcome),
    Wait(Wait),
    Record(Provable),
}

/// A request that passes if its proof was never used.
struct Provable {
    scheme: Scheme,
    subject: Subject,
    unreplayed: Unreplayed,
    new_key: Option<NewProofKey>,
}

/// A proof, split and decoded.
pub(crate) struct ReadProof<'p> {
    pub(crate) jws: DecodedJws<'p>,
    pub(crate) key: Arc<ProofKey>,
    /// The header's text, if no proof with it passed before.
    new_header: Option<&'p str>,
}

/// What a decision can wait for.
enum Wait {
    Keys(Refresh),
    Introspection(Arc<Introspector>, Box<str>, AccessTokenHash, Option<Prover>),
}

enum Outcome {
    Anonymous,
    /// With the error that only mode `ReportOnly` let pass, if there was one.
    Passed {
        claims: Box<VerifiedClaims>,
        scheme: Scheme,
        subject: Subject,
        give_nonce: bool,
        unproven: Option<Unproven>,
    },
    Refused(Option<Scheme>, Error),
}

impl Step {
    fn refused(scheme: Option<Scheme>, error: impl Into<Error>) -> Self {
        Self::Done(Outcome::Refused(scheme, error.into()))
    }

    fn passed(claims: VerifiedClaims, scheme: Scheme, subject: Subject) -> Self {
        let (claims, give_nonce, unproven) = (Box::new(claims), false, None);
        Self::Done(Outcome::Passed { claims, scheme, subject, give_nonce, unproven })
    }
}

enum TokenStep {
    Verified(Arc<AccessToken>),
    Wait(Wait),
}
