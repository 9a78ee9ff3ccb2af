//! The verdict of the layer on a request, and what it says about each check.

use http::request::Parts;
use pop_core::access_token::AccessTokenHash;
use pop_core::credentials::Scheme;
use pop_core::policy::Mode;
use pop_core::proof::{DpopProof, NoProofKeyCache, dpop};
use pop_core::request::RequestHead;
use pop_core::{ContentError, Error};
use tower_pop::{Decision, PopConfig, Rejection, Require, VerifiedToken};

use super::checks::{CHECKS, Check, Of, TOKEN_ENDS, TOKEN_STARTS, check_of};
use super::request::Inspected;
use super::resource::Resource;
use crate::failure::Failure;

/// What is known about one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// With the code of the rejection.
    Failed(&'static str),
    /// An earlier check failed.
    NotReached,
}

/// The verdict, and the outcome of every check that applies to the request.
pub(super) struct Verdict {
    pub(super) rejection: Option<Rejection>,
    pub(super) outcomes: Vec<(&'static Check, Outcome)>,
}

/// Verifies a request as the layer does.
pub(super) async fn verdict(
    resource: &Resource<'_>,
    request: &Inspected,
    mode: Mode,
    require_signature: bool,
    now: u64,
) -> Result<Verdict, Failure> {
    let mut parts = request.parts.clone();
    resource.connection(&mut parts.extensions)?;
    let required = resource.required()?;
    let rejection = verify(&resource.config(mode)?, parts.clone(), &request.content, required).await.err();
    let failed = rejection.as_ref().map(|rejection| rejection.error().code());
    // The token alone: mode ReportOnly verifies it whatever its proof is.
    let token = match resource.config(Mode::ReportOnly) {
        Ok(config) => Some(verify(&config, parts, &[], None).await.err().map(|rejection| rejection.error().code())),
        Err(_) => None, // the preset does not allow this mode
    };
    let known = Known { failed, token, proof: proof_alone(resource, request, now) };
    let scheme = request.scheme();
    let applies = |check: &&Check| match check.of {
        Of::All => true,
        Of::Dpop => matches!(scheme, Some(Scheme::Dpop) | None),
        Of::Envelope => request.envelope().is_some() || failed.is_some_and(|code| code.starts_with("envelope.")),
        Of::Signature => match scheme {
            Some(Scheme::HttpSig) => true,
            Some(Scheme::Pop) => request.envelope().is_none(),
            _ => require_signature,
        },
        Of::Server => failed.is_some_and(|code| check.codes.contains(&code)),
    };
    let outcomes = CHECKS.iter().filter(applies).map(|check| (check, known.outcome(check)));
    // What the server does not ask for is shown only if it fails.
    let shown =
        |(check, outcome): &(&Check, Outcome)| matches!(outcome, Outcome::Failed(_)) || resource.asks_for(check.name);
    let outcomes = outcomes.filter(shown).collect();
    Ok(Verdict { rejection, outcomes })
}

async fn verify(
    config: &PopConfig,
    mut parts: Parts,
    content: &[u8],
    required: Option<Require>,
) -> Result<Option<VerifiedToken>, Rejection> {
    config.sanitize_certificates(&mut parts);
    let admitted = match config.verify(&parts).decide().await {
        Decision::Verdict(verdict) => verdict?,
        Decision::Content(check) if content.len() as u64 > check.limit() => check.failed(ContentError::TooLarge)?,
        Decision::Content(check) => {
            let mut hasher = check.hasher();
            hasher.update(content);
            check.conclude(hasher.finish()).await?
        }
    };
    if let (Some(token), Some(required)) = (&admitted.token, required) {
        token.require(required)?;
    }
    Ok(admitted.token)
}

/// What is known of a request.
struct Known {
    /// The code of the rejection.
    failed: Option<&'static str>,
    /// The code of the rejection of the token, whatever its proof is.
    token: Option<Option<&'static str>>,
    /// The checks of the DPoP proof that do not depend on each other.
    proof: Vec<(&'static str, Option<&'static str>)>,
}

impl Known {
    fn outcome(&self, check: &Check) -> Outcome {
        if let Some(code) = self.failed.filter(|code| check.codes.contains(code)) {
            return Outcome::Failed(code);
        }
        let passed_before = |code: Option<&'static str>| match code.and_then(check_of) {
            None => true,
            Some(failed) => check.ends < failed.starts,
        };
        if passed_before(self.failed) {
            return Outcome::Passed;
        }
        let of_token = (TOKEN_STARTS..=TOKEN_ENDS).contains(&check.starts) && check.of == Of::All;
        if let (true, Some(token)) = (of_token, self.token) {
            return match token {
                Some(code) if check.codes.contains(&code) => Outcome::Failed(code),
                code if passed_before(code) => Outcome::Passed,
                _ => Outcome::NotReached,
            };
        }
        match self.proof.iter().find(|(name, _)| *name == check.name) {
            Some((_, Some(code))) => Outcome::Failed(code),
            Some((_, None)) => Outcome::Passed,
            None => Outcome::NotReached,
        }
    }
}

/// Runs the checks of a DPoP proof that do not depend on each other, so that all that fail are shown.
fn proof_alone(resource: &Resource<'_>, request: &Inspected, now: u64) -> Vec<(&'static str, Option<&'static str>)> {
    let policy = &resource.policy.dpop;
    let Some(Ok(proof)) = (request.scheme() == Some(Scheme::Dpop))
        .then(|| dpop::field(&request.parts.headers).and_then(|text| DpopProof::parse(text, policy, &NoProofKeyCache)))
    else {
        return Vec::new();
    };
    let parts = &request.parts;
    let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let head = RequestHead::new(parts.method.as_str(), &request.origin, path, &parts.headers, now);
    let code = |result: Result<(), pop_core::DpopError>| result.err().map(|error| Error::from(error).code());
    let form = [
        "proof-field",
        "proof-form",
        "proof-header",
        "proof-typ",
        "proof-alg",
        "proof-jwk",
        "proof-claims",
        "proof-jti",
    ];
    let mut known: Vec<_> = form.into_iter().map(|name| (name, None)).collect();
    known.push(("htm", code(proof.check_method(head.method()))));
    if let Ok(target) = head.target() {
        known.push(("htu", code(proof.check_target(target))));
    }
    known.push(("ath", code(proof.check_access_token(&AccessTokenHash::of(&request.token())))));
    known.push(("proof-signature", code(proof.verify_signature())));
    known.push(("proof-times", code(proof.check_time(policy, now))));
    known
}
