//! What operators see: a `tracing` event per refusal with its stable code, and with feature `metrics` counters and a
//! histogram of proof ages. Never a token, a proof, a key or a claim.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `pop_requests_total` | counter | `outcome` (`admitted`, `rejected`, `unproven`), `code` |
//! | `pop_proof_age_seconds` | histogram | – |

use pop_core::claims::ProofKind;
use pop_core::{ConfirmationError, Error};

use crate::explain::Explanation;
use crate::rejection::Rejection;

#[cfg(feature = "metrics")]
const REQUESTS: &str = "pop_requests_total";

pub(crate) fn admitted(kind: ProofKind) {
    #[cfg(feature = "metrics")]
    metrics::counter!(REQUESTS, "outcome" => "admitted", "code" => kind.as_str()).increment(1);
    let _ = kind;
}

/// Whether events about rejections are written, so that an explanation is worth making.
pub(crate) fn explains() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

pub(crate) fn rejected(rejection: &Rejection) {
    let error = rejection.error();
    #[cfg(feature = "metrics")]
    metrics::counter!(REQUESTS, "outcome" => "rejected", "code" => error.code()).increment(1);
    match error {
        Error::Unavailable(_) | Error::Replay(pop_core::ReplayError::Full | pop_core::ReplayError::Unavailable) => {
            tracing::warn!(code = error.code(), "request rejected: {error}");
        }
        _ => match rejection.explanation() {
            Some(Explanation { claim, found, expected, remedy }) => tracing::debug!(
                code = error.code(),
                claim,
                found = found.as_deref(),
                expected = expected.as_deref(),
                remedy = remedy.as_deref(),
                "request rejected: {error}"
            ),
            None => tracing::debug!(code = error.code(), "request rejected: {error}"),
        },
    }
}

/// An error in claims that the issuer signed, or sent over an authenticated connection. An issuer that puts a symmetric key into
/// a token hands its clients' keys to everyone who sees that token.
pub(crate) fn signed_by_issuer(issuer: &str, error: &Error) {
    if let Error::Confirmation(ConfirmationError::SymmetricKeyInClear) = error {
        tracing::error!(%issuer, code = error.code(), "the issuer puts symmetric keys into its tokens in the clear");
    }
}

/// A request that only mode `ReportOnly` let pass.
pub(crate) fn unproven(error: &Error, explanation: &Explanation) {
    #[cfg(feature = "metrics")]
    metrics::counter!(REQUESTS, "outcome" => "unproven", "code" => error.code()).increment(1);
    let Explanation { claim, found, expected, remedy } = explanation;
    tracing::warn!(
        code = error.code(),
        claim,
        found = found.as_deref(),
        expected = expected.as_deref(),
        remedy = remedy.as_deref(),
        "request passed without proof in mode ReportOnly: {error}"
    );
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
