//! Which requests are sent again by callers that return all other responses.

use http::{HeaderMap, StatusCode};
use pop_core::target::Origin;
use reqwest::Url;

use super::Signer;

/// The reasons for which a request was sent again. Each counts once.
#[derive(Debug, Default)]
pub(crate) struct Repetitions {
    for_nonce: bool,
    for_clock: bool,
}

/// What is known of a response.
pub(crate) struct Answer<'r> {
    pub(crate) url: &'r Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) asks_for_nonce: bool,
}

impl Repetitions {
    /// Stores what a response says about nonces and clocks. Returns whether the request is to be sent again.
    pub(crate) fn next(&mut self, signer: &Signer, origin: &Origin, answer: &Answer<'_>) -> bool {
        let learned = signer.learn_nonce(origin, answer.url, answer.headers) == Ok(true);
        let clock = signer.server_clock.as_ref();
        let clock_differs = clock.is_some_and(|clock| clock.update(origin, answer.headers));
        let (done, reason) = if answer.asks_for_nonce {
            (&mut self.for_nonce, learned)
        } else {
            (&mut self.for_clock, clock_differs && signer.is_proof_rejected(answer.status, answer.headers))
        };
        let repeats = reason && !*done;
        *done |= repeats;
        repeats
    }
}
