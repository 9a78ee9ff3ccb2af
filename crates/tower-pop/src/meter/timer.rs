//! The time of the steps of a verification. Without feature `metrics` no clock is read.

/// A step of a verification.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// The access token: the cache, or its verification, with the time that its keys or its introspection took.
    Token,
    /// The proofs: their signatures, and everything that they are compared with.
    Proof,
    /// The replay store.
    Replay,
}

/// A step that has started.
#[derive(Debug)]
pub(crate) struct Timer {
    #[cfg(feature = "metrics")]
    start: std::time::Instant,
}

impl Timer {
    pub(crate) fn start() -> Self {
        Self {
            #[cfg(feature = "metrics")]
            start: std::time::Instant::now(),
        }
    }

    /// Records the time of a step, whatever its result is.
    #[allow(clippy::needless_pass_by_value)] // a step ends once
    pub(crate) fn stop(self, step: Step) {
        #[cfg(feature = "metrics")]
        match step {
            Step::Token => metrics::histogram!("pop_step_duration_seconds", "step" => "token"),
            Step::Proof => metrics::histogram!("pop_step_duration_seconds", "step" => "proof"),
            Step::Replay => metrics::histogram!("pop_step_duration_seconds", "step" => "replay"),
        }
        .record(self.start.elapsed());
        let _ = step;
    }
}
