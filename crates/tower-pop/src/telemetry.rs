//! What operators see: a `tracing` event per rejection with its stable code, and with feature `metrics` counters and a
//! histogram of proof ages. Never a token, a proof, a key or a claim.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `pop_requests_total` | counter | `outcome`, `code` |
//! | `pop_proof_age_seconds` | histogram | – |
//!
//! Every request is counted once, by the outermost layer of its configuration, when its response is there:
//!
//! | outcome | code |
//! |---|---|
//! | `admitted` | how possession was proven (`dpop`, `mtls`, `none`), `anonymous` or `preflight` |
//! | `rejected` | the code of the error, whether layer, guard, extractor or handler rejected the request |
//! | `unproven` | the code of the error that mode `ReportOnly` let pass |
//! | `abandoned` | as for `admitted` or `unproven`, or `undecided`: the response was dropped before it was there |
//!
//! A rejection in a handler is one whose response came from [`Rejection`](crate::Rejection): it has the
//! [`Error`] in its extensions.

use http::Extensions;
use pop_core::Error;

use crate::explain::Explanation;
use crate::log_limit::LogLimit;

#[cfg(feature = "metrics")]
const REQUESTS: &str = "pop_requests_total";

/// How a request stands while its response is not there.
#[derive(Debug, Clone)]
pub(crate) enum RequestStatus {
    /// The verdict is waited for.
    Undecided,
    Admitted(&'static str),
    /// Only mode `ReportOnly` let it pass.
    Unproven(Box<Unproven>),
    /// Verified by an outer layer, which counts it.
    Reused,
}

/// Why a proof or binding failed that mode `ReportOnly` let pass.
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

/// Counts one request once: when its response is there, or when it is dropped before.
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

    /// Counts a request by the response of the inner service.
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

    /// Counts a request whose inner service failed.
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
            tracing::debug!(code = status.code(), "request abandoned before its response was there");
        }
    }
}

/// Marks a response without an error that is counted already.
#[derive(Debug, Clone)]
pub(crate) struct Counted;

/// A guard or an extractor found no layer around it: the program is wrong, and the request is answered with 500.
pub(crate) fn missing_layer() -> Counted {
    const CODE: &str = "layer.missing";
    count("rejected", CODE);
    tracing::error!(code = CODE, "no verified token in the request: perhaps you forgot the PopLayer on this route");
    Counted
}

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
                "request passed without proof in mode ReportOnly: {error}"
            );
        }
    }
}

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

/// Whether events about rejections are written, so that an explanation is worth making.
pub(crate) fn explains() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

static UNAVAILABLE: LogLimit = LogLimit::new();

fn count(outcome: &'static str, code: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!(REQUESTS, "outcome" => outcome, "code" => code).increment(1);
    let _ = (outcome, code);
}

/// Seconds between `iat` and its arrival; negative for proofs from the future.
pub(crate) fn proof_age(now: u64, issued_at: u64) {
    #[cfg(feature = "metrics")]
    {
        #[allow(clippy::cast_precision_loss)]
        let age = now as f64 - issued_at as f64;
        metrics::histogram!("pop_proof_age_seconds").record(age);
    }
    let _ = (now, issued_at);
}
