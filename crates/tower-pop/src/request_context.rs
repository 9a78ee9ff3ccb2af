//! The snapshot of a request that its verification depends on.

use std::borrow::Cow;

use http::request::Parts;
use http::{HeaderMap, Method};
use pop_core::challenge::MAX_TARGET_LEN;
use pop_core::request::RequestHead;
use pop_core::target::Origin;
use pop_core::{CredentialError, DpopError, Error, ProofError, credentials};

use crate::certificate::ClientCertificate;
use crate::clock::Moment;
use crate::config::PopConfig;

/// Everything of a request that verification depends on. It borrows from the request, and owns all of it where the request has
/// to wait.
#[derive(Clone)]
pub(crate) struct RequestContext<'r> {
    pub(crate) method: Cow<'r, Method>,
    pub(crate) headers: Cow<'r, HeaderMap>,
    origin: Cow<'r, Origin>,
    /// The path with its query, as the client used it.
    path: Cow<'r, str>,
    pub(crate) certificate: ClientCertificate,
    pub(crate) nonce_required: bool,
    /// The time at which the request is verified.
    pub(crate) moment: Moment,
}

impl<'r> RequestContext<'r> {
    pub(crate) fn new(cfg: &'r PopConfig, parts: &'r Parts) -> Result<Self, CredentialError> {
        let state = &*cfg.state;
        if state.reject_early_data && parts.headers.contains_key("early-data") {
            return Err(CredentialError::EarlyData);
        }
        if state.reject_token_in_query && parts.uri.query().is_some_and(credentials::has_token_in_query) {
            return Err(CredentialError::TokenInQuery);
        }
        let (origin, path) = (state.origins.origin(parts)?, state.origins.path(parts)?);
        Ok(Self {
            method: Cow::Borrowed(&parts.method),
            headers: Cow::Borrowed(&parts.headers),
            certificate: state.client_certificate(parts)?,
            nonce_required: state.nonce_policy.requires(parts, origin, &path)?,
            origin: Cow::Borrowed(origin),
            path,
            moment: Moment::now(&*state.clock),
        })
    }

    /// Returns what proofs are verified against.
    pub(crate) fn head(&self) -> RequestHead<'_> {
        RequestHead::new(self.method.as_str(), &self.origin, &self.path, &self.headers, self.moment.seconds())
            .with_certificate(self.certificate.thumbprint.as_ref())
    }

    /// Returns the URL that the proof had to name, in its normal form, if the error is that it names another one. `None` if the
    /// URL is too long for a challenge.
    pub(crate) fn target_for(&self, error: &Error) -> Option<String> {
        match error {
            Error::Proof(ProofError::Dpop(DpopError::TargetInvalid | DpopError::TargetMismatch)) => {
                let target = self.head().target().ok()?.to_string();
                (target.len() <= MAX_TARGET_LEN).then_some(target)
            }
            _ => None,
        }
    }

    /// Copies everything that the context borrows, so that the request can wait.
    pub(crate) fn into_owned(self) -> RequestContext<'static> {
        RequestContext {
            method: Cow::Owned(self.method.into_owned()),
            headers: Cow::Owned(self.headers.into_owned()),
            origin: Cow::Owned(self.origin.into_owned()),
            path: Cow::Owned(self.path.into_owned()),
            ..self
        }
    }
}
