//! A request as the verifier looks at it: nothing that changes while it waits, and nothing that the verdict does not need.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use pop_core::challenge::MAX_TARGET_LEN;
use pop_core::claims::AccessToken;
use pop_core::target::{Origin, RequestTarget};
use pop_core::{CredentialError, Error, credentials};

use crate::certificates::Evidence;
use crate::clock::Moment;
use crate::config::PopConfig;

/// Everything of a request that its verdict depends on.
#[derive(Clone)]
pub(crate) struct Question<'r> {
    pub(crate) method: Cow<'r, Method>,
    pub(crate) headers: Cow<'r, HeaderMap>,
    pub(crate) origin: Cow<'r, Origin>,
    pub(crate) path: Cow<'r, str>,
    pub(crate) evidence: Evidence,
    pub(crate) nonce_required: bool,
    /// When it is looked at; `now` is the same in seconds.
    pub(crate) moment: Moment,
    pub(crate) now: u64,
    /// Whether the issuer's keys were fetched for its sake.
    pub(crate) keys_refreshed: bool,
    /// What the authorization server said of the token, once it was asked.
    pub(crate) introspected: Option<Result<Arc<AccessToken>, Error>>,
}

impl<'r> Question<'r> {
    pub(crate) fn new(cfg: &'r PopConfig, parts: &'r Parts) -> Result<Self, CredentialError> {
        let state = &*cfg.state;
        if state.refuse_early_data && parts.headers.contains_key("early-data") {
            return Err(CredentialError::EarlyData);
        }
        if state.refuse_token_in_query && parts.uri.query().is_some_and(credentials::has_token_in_query) {
            return Err(CredentialError::TokenInQuery);
        }
        let moment = Moment::now(&*state.clock);
        Ok(Self {
            method: Cow::Borrowed(&parts.method),
            headers: Cow::Borrowed(&parts.headers),
            origin: Cow::Borrowed(state.origins.origin(parts)?),
            path: state.origins.path(parts)?,
            evidence: state.evidence(parts)?,
            nonce_required: state.nonce_policy.requires(state, parts)?,
            moment,
            now: moment.seconds(),
            keys_refreshed: false,
            introspected: None,
        })
    }

    /// The URL that a proof must name, in its normal form, unless it is too long to be told.
    pub(crate) fn target(&self) -> Option<String> {
        let target = RequestTarget::new(&self.origin, &self.path).ok()?.to_string();
        (target.len() <= MAX_TARGET_LEN).then_some(target)
    }

    /// Keeps only what a second look needs.
    pub(crate) fn into_owned(self) -> Question<'static> {
        let mut headers = HeaderMap::new();
        for name in [AUTHORIZATION, HeaderName::from_static("dpop")] {
            for value in self.headers.get_all(&name) {
                headers.append(&name, value.clone());
            }
        }
        Question {
            method: Cow::Owned(self.method.into_owned()),
            headers: Cow::Owned(headers),
            origin: Cow::Owned(self.origin.into_owned()),
            path: Cow::Owned(self.path.into_owned()),
            ..self
        }
    }
}
