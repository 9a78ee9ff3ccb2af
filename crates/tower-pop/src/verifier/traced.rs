//! The span of one verification, from the head of the request to its verdict.

use tracing::Span;

use super::verdict::Verdict;
use crate::span;
use crate::telemetry::RequestStatus;

/// The span of a verification. It is open while the verification waits, also for content.
#[derive(Debug, Clone)]
pub(super) struct VerificationSpan(Span);

impl VerificationSpan {
    pub(super) fn start() -> Self {
        Self(span::verify())
    }

    /// A span that is not recorded.
    pub(super) const fn none() -> Self {
        Self(Span::none())
    }

    /// Returns the span if it is recorded.
    pub(super) fn recorded(&self) -> Option<&Span> {
        (!self.0.is_disabled()).then_some(&self.0)
    }

    /// Records the verdict.
    pub(super) fn record(&self, verdict: &Verdict) {
        let Some(span) = self.recorded() else {
            return;
        };
        match verdict {
            Ok(admitted) => match &admitted.status {
                RequestStatus::Admitted(proof) => {
                    span.record("pop.outcome", "admitted");
                    span.record("pop.proof", proof);
                }
                RequestStatus::Unproven(unproven) => {
                    span.record("pop.outcome", "unproven");
                    span::failed(span, unproven.error.code());
                }
                RequestStatus::Reused | RequestStatus::Undecided => {
                    span.record("pop.outcome", "reused");
                }
            },
            Err(rejection) => {
                span.record("pop.outcome", "rejected");
                span::failed(span, rejection.error().code());
                // As for HTTP servers: a request that is rejected with 4xx is no failure of the server.
                if rejection.status().is_server_error() {
                    span.record("otel.status_code", "ERROR");
                }
            }
        }
    }
}
