//! The rows of the table.

use http::header::WWW_AUTHENTICATE;
use pop_client::Challenge;

/// The response to a request with a wrong token, or with a token that the proof does not match.
pub(super) const TOKEN: &str = "401 invalid_token";
/// The response to a request with a wrong proof.
pub(super) const PROOF: &str = "401 invalid_dpop_proof";

/// A request with its expected and its actual response.
pub(super) struct Row {
    pub(super) request: &'static str,
    pub(super) expected: &'static str,
    pub(super) actual: String,
}

impl Row {
    pub(super) fn is_as_expected(&self) -> bool {
        self.actual == self.expected
    }
}

/// Returns the status and the `error` of the first challenge that has one.
pub(super) fn describe(response: &reqwest::Response) -> String {
    let status = response.status().as_u16();
    let challenges = Challenge::from_headers(response.headers());
    debug_assert!(status != 401 || response.headers().contains_key(WWW_AUTHENTICATE));
    match challenges.iter().find_map(Challenge::error) {
        Some(error) => format!("{status} {error}"),
        None => status.to_string(),
    }
}
