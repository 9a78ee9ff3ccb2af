//! The way of a request, top to bottom:
//!
//! 1. [`reuse`]: CORS preflights, and requests that an outer layer has verified, end here.
//! 2. [`RequestContext`]: the snapshot of the request that everything below depends on.
//! 3. [`Presented`]: the access token and its proofs, strictly parsed.
//! 4. The [token source](crate::token_source): the verified token, from memory or as a future.
//! 5. [`finish`]: proofs, binding, freshness and the replay store. It is the same whether or not the request had to wait.
//!
//! There are two places where a request may wait: the token source, and the replay store. A waiting request owns its
//! context and goes on where it stopped. Every rejection takes one road: [`reject`].

mod decision;
mod finish;
mod presented;
mod reuse;
mod traced;
mod verdict;

use http::request::Parts;
use pop_core::access_token::AccessToken;
use pop_core::policy::Mode;
use pop_core::request::RequestHead;
use pop_core::{CredentialError, Error, credentials};

pub use self::decision::{ContentCheck, Decision, DecisionFuture, Verification, VerificationFuture};
use self::finish::finish;
use self::presented::{Presented, ServerKeys, binding_check};
use self::traced::VerificationSpan;
pub use self::verdict::{Admitted, ResponseFields, Verdict};
use crate::clock::Moment;
use crate::config::PopConfig;
use crate::meter::{Step, Timer};
use crate::rejection::Rejection;
use crate::request_context::RequestContext;
use crate::telemetry;
use crate::token_source::TokenLookup;

impl PopConfig {
    /// Verifies a request by its head, without tower. A proof is accepted once: the second call for one request rejects it.
    ///
    /// With client certificates on, call [`sanitize_certificates`](Self::sanitize_certificates) first: certificate fields of
    /// untrusted peers count as absent here, but they stay in the request.
    ///
    /// Where a proof covers the content of its request, [`Verification::decide`] returns a [`ContentCheck`]. Its verdict is not counted.
    ///
    /// The verdict is counted and logged at once. A [`Verification::Later`] that is dropped is not counted. The caller has to
    /// read the body of a rejected request (RFC 9112 §9.6).
    ///
    /// ```
    /// use http::Request;
    /// use tower_pop::PopConfig;
    ///
    /// # async fn verify() -> Result<(), Box<dyn std::error::Error>> {
    /// let cfg = PopConfig::builder("https://as.example", "https://api.example").build()?;
    /// let (parts, ()) = Request::get("https://api.example/notes").body(())?.into_parts();
    /// match cfg.verify(&parts).await {
    ///     Ok(admitted) => println!("token: {:?}", admitted.token),
    ///     Err(rejection) => println!("{}", rejection.status()),
    /// }
    /// # Ok(()) }
    /// ```
    pub fn verify(&self, parts: &Parts) -> Verification {
        let count = |verdict: &Verdict| match verdict {
            Ok(admitted) => telemetry::accepted(&admitted.status),
            Err(rejection) => telemetry::rejected(rejection.error(), rejection.explanation()),
        };
        let count_decision = move |decision: Decision| {
            if let Decision::Verdict(verdict) = &decision {
                count(verdict);
            }
            decision
        };
        match self.verify_uncounted(parts) {
            Verification::Now(decision) => Verification::Now(count_decision(decision)),
            Verification::Later(decision) => Verification::later(async move { count_decision(decision.await) }),
        }
    }

    /// Removes certificate fields that were not set by a trusted proxy from a request, and puts the certificate of the
    /// connection into its extensions, as [`PopLayer`](crate::PopLayer) does. Does nothing if client certificates are off.
    pub fn sanitize_certificates(&self, parts: &mut Parts) {
        if let Some(certificates) = &self.state.certificates {
            certificates.sanitize(parts);
        }
    }

    /// Verifies a request; the caller counts the verdict.
    pub(crate) fn verify_uncounted(&self, parts: &Parts) -> Verification {
        Verification::within(VerificationSpan::start(), || {
            if let Some(verdict) = reuse::earlier_verdict(self, parts) {
                return Verification::now(verdict);
            }
            match RequestContext::new(self, parts) {
                Ok(context) => verify(self, context),
                Err(error) => {
                    let scheme = credentials::scheme_used(&parts.headers);
                    Verification::now(Err(Rejection::new(self, error.into(), scheme, None)))
                }
            }
        })
    }
}

fn verify(cfg: &PopConfig, context: RequestContext<'_>) -> Verification {
    let head = context.head();
    let presented = match Presented::read(cfg, &head) {
        Ok(presented) => presented,
        Err(Error::Credential(CredentialError::Missing)) if cfg.mode == Mode::Optional => {
            return Verification::now(Ok(Admitted::without_token("anonymous")));
        }
        Err(error) => return Verification::now(reject(cfg, &context, error)),
    };
    let timer = Timer::start();
    let token = match find_token(cfg, &context, &head, &presented) {
        Ok(TokenLookup::Ready(token)) => {
            timer.stop(Step::Token);
            return finish(cfg, &context, &head, presented, token);
        }
        Ok(TokenLookup::Later(token)) => token,
        Err(error) => {
            timer.stop(Step::Token);
            return Verification::now(reject(cfg, &context, error));
        }
    };
    drop((presented, head));
    let (cfg, mut context) = (cfg.clone(), context.into_owned());
    Verification::later(async move {
        let token = token.await;
        timer.stop(Step::Token);
        context.moment = Moment::now(&*cfg.state.clock);
        let head = context.head();
        // Read again, because proofs borrow from the context; they were read without an error before.
        match token.and_then(|token| Ok((token, Presented::read(&cfg, &head)?))) {
            Ok((token, presented)) => finish(&cfg, &context, &head, presented, token),
            Err(error) => Verification::now(reject(&cfg, &context, error)),
        }
        .decide()
        .await
    })
}

/// Asks the token source. Before it may cause any I/O, the proofs must pass all checks that do not depend on its answer.
fn find_token(
    cfg: &PopConfig,
    context: &RequestContext<'_>,
    head: &RequestHead<'_>,
    presented: &Presented<'_>,
) -> Result<TokenLookup, Error> {
    // In mode ReportOnly a valid token is accepted even if its proof fails, so nothing of the proof may stop the request here.
    let proofs_must_hold = cfg.mode != Mode::ReportOnly;
    if proofs_must_hold {
        presented.proofs()?;
    }
    let keys = ServerKeys::for_precheck(cfg, context);
    let precheck = |unverified: Option<&AccessToken>| {
        let checked = presented.proofs().and_then(|proofs| {
            let check = binding_check(cfg, head, presented.scheme, &presented.token_hash, &keys);
            check.precheck(proofs, unverified)?;
            Ok(proofs.requirement())
        });
        if proofs_must_hold { checked } else { Ok(checked.unwrap_or_default()) }
    };
    cfg.state.tokens.get(presented.token(), presented.token_hash, context.moment, precheck)
}

/// The one road for every rejection of the verifier.
fn reject(cfg: &PopConfig, context: &RequestContext<'_>, error: Error) -> Verdict {
    let target = context.target_for(&error);
    Err(Rejection::new(cfg, error, credentials::scheme_used(&context.headers), target.as_deref()))
}
