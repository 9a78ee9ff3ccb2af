//! The verified token, as handlers see it.

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
use crate::rejection::{Rejection, RequestHandler};
use crate::require::Require;

/// A verified access token and its proof: in the extensions of every request that [`PopLayer`](crate::PopLayer) accepted with
/// credentials, and an axum extractor. Cheap to clone. Only the verifier can make one:
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
/// In modes `AllowBearer` and `ReportOnly` a token may be accepted without proof: see [`VerifiedToken::proof`].
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    inner: Arc<Inner>,
    /// Renders rejections by handlers and layers inside.
    handler: Option<Arc<RequestHandler>>,
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
        Self { inner: Arc::new(Inner { claims, scheme, request, cfg }), handler: None }
    }

    /// Returns the handler that renders rejections of this request.
    pub(crate) fn handler(&self) -> Option<&Arc<RequestHandler>> {
        self.handler.as_ref()
    }

    /// Sets the handler that renders rejections of this request.
    pub(crate) fn handled_by(self, handler: Option<Arc<RequestHandler>>) -> Self {
        Self { handler, ..self }
    }

    /// Returns the request that was verified.
    pub(crate) fn request(&self) -> &VerifiedRequest {
        &self.inner.request
    }

    /// Returns the scheme of the request.
    pub(crate) fn scheme(&self) -> Scheme {
        self.inner.scheme
    }

    /// Returns whether this token was verified by a configuration with this state, which then has recorded its proof.
    pub(crate) fn is_from(&self, state: &Arc<State>) -> bool {
        Arc::ptr_eq(&self.inner.cfg.state, state)
    }

    /// Returns the verified access token.
    #[must_use]
    pub fn access_token(&self) -> &AccessToken {
        self.inner.claims.token()
    }

    /// Returns how possession was proven: the kind of proof, its `jti`, and the thumbprints of key and certificate.
    #[must_use]
    pub fn proof(&self) -> &ProofOfPossession {
        self.inner.claims.proof()
    }

    /// Returns `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.access_token().issuer()
    }

    /// Returns `sub`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.access_token().subject()
    }

    /// Returns `client_id`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.access_token().client_id()
    }

    /// Returns the values of `aud`.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.access_token().audience()
    }

    /// Returns the scopes of the token, without those that [`scope_implies`](crate::PopConfigBuilder::scope_implies) adds.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.access_token().scopes().iter()
    }

    /// Returns whether the token has a scope, or one that implies it.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        let own = self.access_token().scopes();
        own.contains(scope) || self.inner.cfg.state.implied_by(scope).any(|wider| own.contains(wider))
    }

    /// Checks that the token has all of these scopes. A handler can return the error as its response: 403 `insufficient_scope`
    /// in the scheme of the request (RFC 6750 §3.1).
    ///
    /// # Errors
    /// The rejection of the request.
    pub fn require_scopes(&self, scopes: &[impl AsRef<str>]) -> Result<(), Rejection> {
        if scopes.iter().all(|scope| self.has_scope(scope.as_ref())) {
            return Ok(());
        }
        Err(self.reject(ScopeError::new(scopes).into()))
    }

    /// Checks that the token meets a requirement. A handler can return the error as its response, in the scheme of the request:
    /// 401 `insufficient_user_authentication` if the authentication is not sufficient (RFC 9470 §3), with the scopes if they
    /// are missing, too; otherwise 403 for missing scopes, and for claims with other values.
    ///
    /// # Errors
    /// The rejection of the request.
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

    /// Returns the configuration that verified the token.
    pub(crate) fn config(&self) -> &PopConfig {
        &self.inner.cfg
    }

    pub(crate) fn reject(&self, error: Error) -> Rejection {
        Rejection::new(&self.inner.cfg, error, Some(self.inner.scheme), None).handled_by(self.handler.as_ref())
    }

    /// Returns `exp`, in seconds since the epoch. Close long-lived streams at that time.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.access_token().expires_at()
    }

    /// Deserializes all claims.
    ///
    /// # Errors
    /// If the claims do not deserialize into `T`.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.access_token().claims()
    }
}

/// What a verdict is about. A verdict in the extensions of another request counts for nothing there.
#[derive(Debug)]
pub(crate) struct VerifiedRequest {
    pub(crate) method: Method,
    /// The hash of what follows the scheme.
    pub(crate) credentials: AccessTokenHash,
    /// Whether a message signature was required in addition to the proof.
    pub(crate) signature_required: bool,
    /// Whether the content is verified while it is handed on: another layer cannot rely on it.
    pub(crate) is_streamed: bool,
    /// Identifies the proof and the target that it names, if the verdict rests on such a proof.
    pub(crate) replay_key: Option<ReplayKey>,
    /// Whether a fresh nonce was required. If the proof is verified, it had one.
    pub(crate) nonce_checked: bool,
}

/// Marks a request that was accepted without credentials.
#[derive(Debug, Clone)]
pub(crate) struct Anonymous {
    pub(crate) cfg: PopConfig,
    /// Renders rejections by handlers and layers inside.
    pub(crate) handler: Option<Arc<RequestHandler>>,
}

impl Anonymous {
    /// Rejects the request with the challenges of the layer that accepted it.
    pub(crate) fn reject(&self) -> Rejection {
        Rejection::new(&self.cfg, CredentialError::Missing.into(), None, None).handled_by(self.handler.as_ref())
    }
}

/// Returns whether a layer of the same configuration accepted a request before.
pub(crate) fn is_accepted_by(extensions: &Extensions, cfg: &PopConfig) -> bool {
    extensions.get::<VerifiedToken>().is_some_and(|token| token.is_from(&cfg.state))
        || extensions.get::<Anonymous>().is_some_and(|anonymous| Arc::ptr_eq(&anonymous.cfg.state, &cfg.state))
}
