//! What a request presents: an access token and its proofs, parsed but not verified.

use std::sync::Arc;

use pop_core::access_token::AccessTokenHash;
use pop_core::binding::BindingCheck;
use pop_core::credentials::{Credentials, Scheme};
use pop_core::jose::KeyEncryptionKeys;
use pop_core::jose::Malformed;
use pop_core::proof::{ProofContext, Proofs};
use pop_core::request::RequestHead;
use pop_core::{Error, ProofError, TokenError};

use crate::config::PopConfig;
use crate::nonce_policy::NonceRing;
use crate::request_context::RequestContext;

/// The credentials of one request.
pub(super) struct Presented<'r> {
    pub(super) scheme: Scheme,
    token: Place<'r>,
    pub(super) token_hash: AccessTokenHash,
    /// The hash of what follows the scheme: the token, or the signed request that holds it.
    pub(super) credentials_hash: AccessTokenHash,
    /// The proofs, or why they could not be read.
    pub(super) proofs: Result<Proofs<'r>, Error>,
}

/// Where a request carries its access token.
enum Place<'r> {
    /// In `Authorization`, after the scheme.
    Header(&'r str),
    /// Within the proof.
    Proof,
}

impl<'r> Presented<'r> {
    /// Reads the credentials and the proofs of their scheme.
    ///
    /// # Errors
    /// [`Error::Credential`], [`Error::Token`] for a token over the limit or none where there must be one, or [`Error::Proof`] for
    /// a signed request that cannot be read: its token cannot be read either.
    pub(super) fn read(cfg: &PopConfig, head: &RequestHead<'r>) -> Result<Self, Error> {
        let state = &*cfg.state;
        let credentials = Credentials::from_headers(head.headers(), cfg.schemes())?;
        let (scheme, credentials) = (credentials.scheme(), credentials.token());
        let max_len = state.tokens.policy.max_len;
        if scheme != Scheme::Pop && credentials.len() > max_len {
            return Err(TokenError::from(Malformed::TooLarge).into());
        }
        let credentials_hash = AccessTokenHash::of(credentials);
        let proofs = cfg.proof_reader().read(scheme, credentials, head);
        if let Err(error @ (Error::Credential(_) | Error::Token(_) | Error::Proof(ProofError::SignedRequest(_)))) =
            proofs
        {
            return Err(error); // an error of the request, whatever the proof is
        }
        let within = proofs.as_ref().ok().and_then(Proofs::access_token);
        if within.map_or(credentials.len(), str::len) > max_len {
            return Err(TokenError::from(Malformed::TooLarge).into());
        }
        let (token, token_hash) = match within {
            Some(token) => (Place::Proof, AccessTokenHash::of(token)),
            None => (Place::Header(credentials), credentials_hash),
        };
        Ok(Self { scheme, token, token_hash, credentials_hash, proofs })
    }

    /// Returns the access token as received.
    pub(super) fn token(&self) -> &str {
        match self.token {
            Place::Header(token) => token,
            Place::Proof => self.proofs.as_ref().ok().and_then(Proofs::access_token).unwrap_or_default(),
        }
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
    head: &'c RequestHead<'r>,
    scheme: Scheme,
    token: &'c AccessTokenHash,
    keys: &'c ServerKeys,
) -> BindingCheck<'c, 'r> {
    let state = &*cfg.state;
    let context = ProofContext {
        policy: &state.proof,
        token,
        nonces: keys.nonces.as_ref().map(|ring| &ring.keys),
        key_encryption_keys: keys.key_encryption.as_deref(),
        client_keys: state.client_keys.as_deref(),
    };
    BindingCheck { scheme, head, context, accepts_unbound: cfg.mode.accepts_bearer() }
}

/// The keys of this server that a request needs, as they are now: they can be replaced meanwhile.
#[derive(Default)]
pub(super) struct ServerKeys {
    nonces: Option<Arc<NonceRing>>,
    key_encryption: Option<Arc<KeyEncryptionKeys>>,
}

impl ServerKeys {
    /// Returns the keys for checks before the token is known.
    pub(super) fn for_precheck(cfg: &PopConfig, context: &RequestContext<'_>) -> Self {
        Self { nonces: context.nonce_required.then(|| cfg.state.nonces.ring()), key_encryption: None }
    }

    /// Returns the keys for all checks.
    pub(super) fn of(cfg: &PopConfig, context: &RequestContext<'_>, scheme: Scheme) -> Self {
        // Under no other scheme is there a proof with a symmetric key.
        let key_encryption = if scheme == Scheme::Pop { cfg.state.key_encryption_keys.current() } else { None };
        Self { key_encryption, ..Self::for_precheck(cfg, context) }
    }
}
