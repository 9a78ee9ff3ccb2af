//! What a handler gets to know.

use std::sync::Arc;

use http::{Extensions, Method};
use pop_core::access_token::{AccessToken, AccessTokenHash};
use pop_core::binding::VerifiedClaims;
use pop_core::credentials::Scheme;
use pop_core::proof::ProofOfPossession;
use pop_core::replay::ReplayKey;
use pop_core::scope::ScopeError;
use pop_core::{ClaimError, CredentialError, Error};
use serde::de::DeserializeOwned;

use crate::config::{PopConfig, State};
use crate::rejection::Rejection;
use crate::require::Require;

/// A verified access token and its proof, in the request extensions of every request that [`PopLayer`](crate::PopLayer)
/// lets through with credentials. Cheap to clone. Nothing outside this crate can make one:
///
/// ```
/// fn subject(token: &tower_pop::VerifiedToken) -> Option<&str> {
///     token.subject()
/// }
/// ```
///
/// ```compile_fail
/// fn forge() -> tower_pop::VerifiedToken {
///     tower_pop::VerifiedToken { inner: todo!() }
/// }
/// ```
///
/// In mode `AllowBearer` and `ReportOnly` a token may pass without proof: look at [`VerifiedToken::proof`].
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    claims: VerifiedClaims,
    scheme: Scheme,
    request: VerifiedRequest,
    cfg: PopConfig,
}

impl VerifiedToken {
    pub(crate) fn new(claims: VerifiedClaims, scheme: Scheme, request: VerifiedRequest, cfg: PopConfig) -> Self {
        Self { inner: Arc::new(Inner { claims, scheme, request, cfg }) }
    }

    /// Returns the request that was verified.
    pub(crate) fn request(&self) -> &VerifiedRequest {
        &self.inner.request
    }

    /// Returns the scheme of the request.
    pub(crate) fn scheme(&self) -> Scheme {
        self.inner.scheme
    }

    /// Whether this was verified with the very state of a configuration, so that its proof is used up already.
    pub(crate) fn is_from(&self, state: &Arc<State>) -> bool {
        Arc::ptr_eq(&self.inner.cfg.state, state)
    }

    /// The access token's verified claims.
    #[must_use]
    pub fn access_token(&self) -> &AccessToken {
        self.inner.claims.token()
    }

    /// How possession was proven: kind, `jti`, and the thumbprints of key and certificate.
    #[must_use]
    pub fn proof(&self) -> &ProofOfPossession {
        self.inner.claims.proof()
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.access_token().issuer()
    }

    /// `sub`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.access_token().subject()
    }

    /// `client_id`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.access_token().client_id()
    }

    /// `aud`.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.access_token().audience()
    }

    /// The token's own scopes, without what [`scope_implies`](crate::PopConfigBuilder::scope_implies) adds.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.access_token().scopes().iter()
    }

    /// Whether the token carries a scope, or one that implies it.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        let own = self.access_token().scopes();
        own.contains(scope) || self.inner.cfg.state.implied_by(scope).any(|wider| own.contains(wider))
    }

    /// Refuses the request unless the token carries all these scopes. The rejection is a complete response:
    /// 403 `insufficient_scope` in the scheme of the request (RFC 6750 §3.1).
    ///
    /// # Errors
    /// The response to return.
    pub fn require_scopes(&self, scopes: &[impl AsRef<str>]) -> Result<(), Rejection> {
        if scopes.iter().all(|scope| self.has_scope(scope.as_ref())) {
            return Ok(());
        }
        Err(self.reject(ScopeError::new(scopes).into()))
    }

    /// Refuses the request unless the token satisfies all of this. An authentication that does not suffice is 401
    /// `insufficient_user_authentication` in the scheme of the request (RFC 9470 §3), which names the scopes as well where
    /// they are missing too; missing scopes alone are 403, and so are claims with other values.
    ///
    /// # Errors
    /// The response to return.
    pub fn require(&self, requirement: impl Into<Require>) -> Result<(), Rejection> {
        self.satisfies(&requirement.into())
    }

    pub(crate) fn satisfies(&self, require: &Require) -> Result<(), Rejection> {
        let scopes = require.lacking_scopes(|scope| self.has_scope(scope));
        if !require.authentication.is_empty() {
            let state = &self.inner.cfg.state;
            let strong = require.authentication.check(
                self.access_token().acr(),
                self.access_token().auth_time(),
                state.clock.now(),
                state.tokens.policy.leeway,
            );
            if let Err(error) = strong {
                let error = match &scopes {
                    Some(needed) => error.with_scope(&needed.join(" ")),
                    None => error,
                };
                return Err(self.reject(error.into()));
            }
        }
        if let Some(needed) = scopes {
            return Err(self.reject(ScopeError::new(&needed).into()));
        }
        if require.accepts_claims(self.access_token()) {
            Ok(())
        } else {
            Err(self.reject(ClaimError::Insufficient.into()))
        }
    }

    /// The configuration that verified this.
    pub(crate) fn config(&self) -> &PopConfig {
        &self.inner.cfg
    }

    pub(crate) fn reject(&self, error: Error) -> Rejection {
        Rejection::new(&self.inner.cfg, error, Some(self.inner.scheme), None)
    }

    /// `exp`, in seconds since the epoch: close long-lived streams then.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.access_token().expires_at()
    }

    /// All claims, read into a type of the application's.
    ///
    /// # Errors
    /// When the claims do not have the shape of `T`.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.access_token().claims()
    }
}

/// What a verdict is about. A verdict in the extensions of another request counts for nothing there.
#[derive(Debug)]
pub(crate) struct VerifiedRequest {
    pub(crate) method: Method,
    pub(crate) token: AccessTokenHash,
    /// Identifies the proof and the target that it names, if the verdict rests on such a proof.
    pub(crate) replay_key: Option<ReplayKey>,
    /// Whether the proof was required to have a nonce, and had a fresh one.
    pub(crate) nonce_checked: bool,
}

impl VerifiedRequest {
    pub(crate) fn new(method: &Method, token: AccessTokenHash) -> Self {
        Self { method: method.clone(), token, replay_key: None, nonce_checked: false }
    }

    /// Adds the recorded proof.
    pub(crate) fn with_proof(self, replay_key: ReplayKey, nonce_checked: bool) -> Self {
        Self { replay_key: Some(replay_key), nonce_checked, ..self }
    }
}

/// Marks a request that was let through without credentials.
#[derive(Debug, Clone)]
pub(crate) struct Anonymous(pub(crate) PopConfig);

impl Anonymous {
    /// 401 with the challenges of the layer that let the request through.
    pub(crate) fn reject(&self) -> Rejection {
        Rejection::new(&self.0, CredentialError::Missing.into(), None, None)
    }
}

/// Returns whether a layer of the same configuration accepted a request before.
pub(crate) fn is_accepted_by(extensions: &Extensions, cfg: &PopConfig) -> bool {
    extensions.get::<VerifiedToken>().is_some_and(|token| token.is_from(&cfg.state))
        || extensions.get::<Anonymous>().is_some_and(|Anonymous(other)| Arc::ptr_eq(&other.state, &cfg.state))
}
