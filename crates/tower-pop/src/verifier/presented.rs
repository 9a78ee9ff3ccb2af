//! What a request presents: an access token and its proofs, parsed but not verified.

use pop_core::access_token::AccessTokenHash;
use pop_core::binding::BindingCheck;
use pop_core::credentials::{Credentials, Scheme};
use pop_core::jose::Malformed;
use pop_core::proof::{ProofContext, Proofs};
use pop_core::request::RequestHead;
use pop_core::{Error, TokenError};

use crate::config::PopConfig;
use crate::request_context::RequestContext;

/// The credentials of one request.
pub(super) struct Presented<'r> {
    pub(super) scheme: Scheme,
    /// The access token as received.
    pub(super) token: &'r str,
    pub(super) token_hash: AccessTokenHash,
    /// The proofs, or why they could not be read.
    pub(super) proofs: Result<Proofs<'r>, Error>,
}

impl<'r> Presented<'r> {
    /// Reads the credentials and the proofs of their scheme.
    ///
    /// # Errors
    /// [`Error::Credential`], or [`TokenError::Malformed`] for a token over the limit.
    pub(super) fn read(cfg: &PopConfig, head: &RequestHead<'r>) -> Result<Self, Error> {
        let state = &*cfg.state;
        let credentials = Credentials::from_headers(head.headers(), cfg.schemes())?;
        let (scheme, token) = (credentials.scheme(), credentials.token());
        if token.len() > state.tokens.policy.max_len {
            return Err(TokenError::from(Malformed::TooLarge).into());
        }
        let token_hash = AccessTokenHash::of(token);
        let proofs = Proofs::read(scheme, head, &state.proof, &state.proof_keys);
        if let Err(Error::Credential(error)) = proofs {
            return Err(error.into()); // an error of the request, whatever the proof is
        }
        Ok(Self { scheme, token, token_hash, proofs })
    }

    /// Returns the proofs.
    ///
    /// # Errors
    /// The error that reading them ended with.
    pub(super) fn proofs(&self) -> Result<&Proofs<'r>, Error> {
        self.proofs.as_ref().map_err(Clone::clone)
    }
}

/// Returns the checks of a token and its proofs against the request.
pub(super) fn binding_check<'c, 'r>(
    cfg: &'c PopConfig,
    context: &RequestContext<'_>,
    head: &'c RequestHead<'r>,
    scheme: Scheme,
    token: &'c AccessTokenHash,
) -> BindingCheck<'c, 'r> {
    let state = &*cfg.state;
    let nonces = context.nonce_required.then_some(&state.nonces.keys);
    let context = ProofContext { policy: &state.proof, token, nonces };
    BindingCheck { scheme, head, context, accepts_unbound: cfg.mode.accepts_bearer() }
}
