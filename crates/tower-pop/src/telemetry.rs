//! Events and metrics for operators: one `tracing` event for each rejection, with its stable code, and with feature `metrics` a
//! counter of requests and a histogram of proof ages. They never contain a token, a proof, a key or the value of a claim.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `pop_requests_total` | counter | `outcome`, `code` |
//! | `pop_proof_age_seconds` | histogram | – |
//!
//! Every request is counted once, by the outermost layer of its configuration, when its response is ready:
//!
//! | outcome | code |
//! |---|---|
//! | `admitted` | how possession was proven (`dpop`, `mtls`, `none`), `anonymous` or `preflight` |
//! | `rejected` | the code of the error, whether layer, guard, extractor or handler rejected the request |
//! | `unproven` | the code of the error that mode `ReportOnly` let pass |
//! | `abandoned` | as for `admitted` or `unproven`, or `undecided`: the request was dropped before its response was ready |
//!
//! A response of a handler counts as a rejection if it was made from a [`Rejection`](crate::Rejection): such a response has an
//! [`Error`] in its extensions.

use http::Extensions;
use pop_core::{DpopError, Error, ProofError, SignatureError, SignedRequestError};

use crate::explain::Explanation;
use crate::log_limit::LogLimit;

/// The status of a request until its response is ready.
#[derive(Debug, Clone)]
pub(crate) enum RequestStatus {
    /// The verification has not ended.
    Undecided,
    /// The request was admitted, with this code.
    Admitted(&'static str),
    /// The request was admitted only because of mode `ReportOnly`.
    Unproven(Box<Unproven>),
    /// An outer layer verified the request and counts it.
    Reused,
}

/// Why mode `ReportOnly` admitted a request without valid proof.
#[derive(Debug, Clone)]
pub(crate) struct Unproven {
    pub(crate) error: Error,
    pub(crate) explanation: Explanation,
}

impl RequestStatus {
    fn code(&self) -> &'static str {
        match self {
            Self::Undecided | Self::Reused => "undecided",
            Self::Admitted(code) => code,
            Self::Unproven(unproven) => unproven.error.code(),
        }
    }
}

/// Counts one request once: when its response is ready, or when it is dropped before that.
#[derive(Debug, Default)]
pub(crate) struct RequestCounter(Option<RequestStatus>);

impl RequestCounter {
    pub(crate) const fn new(status: RequestStatus) -> Self {
        Self(Some(status))
    }

    /// Changes the status.
    pub(crate) fn set(&mut self, status: RequestStatus) {
        if let Some(before) = &mut self.0 {
            *before = status;
        }
    }

    /// Counts a rejection by the layer itself.
    pub(crate) fn rejected(&mut self, error: &Error, explanation: Option<&Explanation>) {
        if self.0.take().is_some() {
            rejected(error, explanation);
        }
    }

    /// Counts a request by the response of the inner service: as rejected if the response has an error in its extensions.
    pub(crate) fn answered(&mut self, response: &Extensions) {
        let Some(status) = self.0.take() else {
            return;
        };
        match response.get::<Error>() {
            Some(error) => rejected(error, response.get::<Explanation>()),
            None if response.get::<Counted>().is_some() => {}
            None => accepted(&status),
        }
    }

    /// Counts a request for which the inner service returned an error.
    pub(crate) fn failed(&mut self) {
        if let Some(status) = self.0.take() {
            accepted(&status);
        }
    }
}

impl Drop for RequestCounter {
    fn drop(&mut self) {
        if let Some(status) = &self.0 {
            count("abandoned", status.code());
            tracing::debug!(code = status.code(), "request abandoned before its response was ready");
        }
    }
}

/// Marks a response without an [`Error`] that is counted already.
#[derive(Debug, Clone)]
pub(crate) struct Counted;

/// Counts and logs a request whose guard or extractor found no layer around it. This is a bug of the application: the response
/// is 500.
pub(crate) fn missing_layer() -> Counted {
    const CODE: &str = "layer.missing";
    count("rejected", CODE);
    tracing::error!(code = CODE, "no verified token in the request: perhaps you forgot the PopLayer on this route");
    Counted
}

/// Counts an admitted request. Logs it if it has no valid proof.
pub(crate) fn accepted(status: &RequestStatus) {
    match status {
        RequestStatus::Undecided | RequestStatus::Reused => {}
        RequestStatus::Admitted(code) => count("admitted", code),
        RequestStatus::Unproven(unproven) => {
            let Unproven { error, explanation: Explanation { claim, found, expected, remedy } } = &**unproven;
            count("unproven", error.code());
            tracing::warn!(
                code = error.code(),
                claim,
                found = found.as_deref(),
                expected = expected.as_deref(),
                remedy = remedy.as_deref(),
                "request admitted without valid proof in mode ReportOnly: {error}"
            );
        }
    }
}

/// Counts and logs a rejection: as a warning if the authorization server or the replay store failed, otherwise at level `DEBUG`.
pub(crate) fn rejected(error: &Error, explanation: Option<&Explanation>) {
    count("rejected", error.code());
    match error {
        Error::Unavailable(_) | Error::Replay(pop_core::ReplayError::Full | pop_core::ReplayError::Unavailable) => {
            match UNAVAILABLE.count() {
                Some(times) => tracing::warn!(code = error.code(), times, "request rejected: {error}"),
                None => tracing::debug!(code = error.code(), "request rejected: {error}"),
            }
        }
        _ => tracing::debug!(
            code = error.code(),
            claim = explanation.and_then(|explanation| explanation.claim),
            found = explanation.and_then(|explanation| explanation.found.as_deref()),
            expected = explanation.and_then(|explanation| explanation.expected.as_deref()),
            remedy = explanation.and_then(|explanation| explanation.remedy.as_deref()),
            "request rejected: {error}"
        ),
    }
}

/// Returns whether events about rejections are recorded. Otherwise no explanation is made.
pub(crate) fn explains() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

static UNAVAILABLE: LogLimit = LogLimit::new();

fn count(outcome: &'static str, code: &'static str) {
    #[cfg(feature = "metrics")]
    match (outcome, code) {
        // The usual requests: labels that are literals cost no allocation.
        ("admitted", "dpop") => metrics::counter!("pop_requests_total", "outcome" => "admitted", "code" => "dpop"),
        ("admitted", "mtls") => metrics::counter!("pop_requests_total", "outcome" => "admitted", "code" => "mtls"),
        _ => metrics::counter!("pop_requests_total", "outcome" => outcome, "code" => code),
    }
    .increment(1);
    let _ = (outcome, code);
}

/// Records the seconds since `iat` of a proof: negative if `iat` is in the future.
pub(crate) fn proof_age(now: u64, issued_at: u64) {
    #[cfg(feature = "metrics")]
    {
        #[allow(clippy::cast_precision_loss)]
        let age = now as f64 - issued_at as f64;
        metrics::histogram!("pop_proof_age_seconds").record(age);
    }
    let _ = (now, issued_at);
}

/// Records the age of a proof that is rejected for its age, so that clients with a wrong clock show. The caller has verified the
/// token.
pub(crate) fn rejected_proof_age(error: &Error) {
    match error {
        Error::Proof(
            ProofError::Dpop(DpopError::TooOld { age })
            | ProofError::Signature(SignatureError::TooOld { age })
            | ProofError::SignedRequest(SignedRequestError::TooOld { age }),
        ) => proof_age(*age, 0),
        Error::Proof(
            ProofError::Dpop(DpopError::InFuture { ahead })
            | ProofError::Signature(SignatureError::InFuture { ahead })
            | ProofError::SignedRequest(SignedRequestError::InFuture { ahead }),
        ) => proof_age(0, *ahead),
        _ => {}
    }
}
