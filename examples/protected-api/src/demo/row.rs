//! The rows of the table.

use std::borrow::Cow;

use http::header::WWW_AUTHENTICATE;
use pop_client::Challenge;

/// The response to a request with a wrong token, or with a token that the proof does not match.
pub(super) const TOKEN: &str = "401 invalid_token";
/// The response to a request with a wrong proof.
pub(super) const PROOF: &str = "401 invalid_dpop_proof";

/// The response to a request with a wrong signature, under `HTTPSig` or in addition to another proof.
pub(super) const SIGNATURE: &str = "401 invalid_signature";
/// The response to a request with a wrong proof under `PoP`.
pub(super) const POP_PROOF: &str = "401 invalid_proof";

/// A request with its expected and its actual response.
pub(super) struct Row {
    pub(super) request: Cow<'static, str>,
    pub(super) expected: &'static str,
    pub(super) actual: String,
}

impl Row {
    pub(super) fn new(request: impl Into<Cow<'static, str>>, expected: &'static str, actual: String) -> Self {
        Self { request: request.into(), expected, actual }
    }

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
