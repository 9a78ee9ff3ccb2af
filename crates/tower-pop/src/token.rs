//! What a handler gets to know.

use std::sync::Arc;

use pop_core::claims::{AccessToken, ProofOfPossession, VerifiedClaims};
use pop_core::scope::ScopeError;
use pop_core::{CredentialError, Error};
use serde::de::DeserializeOwned;

use crate::config::{PopConfig, State};
use crate::rejection::Rejection;

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
    cfg: PopConfig,
}

impl VerifiedToken {
    pub(crate) fn new(claims: VerifiedClaims, cfg: PopConfig) -> Self {
        Self { inner: Arc::new(Inner { claims, cfg }) }
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

    /// How possession was proven: kind, `jti` and key thumbprint.
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
        let error = Error::Scope(ScopeError::new(scopes));
        Err(Rejection::new(&self.inner.cfg, error, Some(self.scheme()), None))
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

    pub(crate) fn scheme(&self) -> pop_core::credentials::Scheme {
        match self.proof().kind() {
            pop_core::claims::ProofKind::None => pop_core::credentials::Scheme::Bearer,
            _ => pop_core::credentials::Scheme::Dpop,
        }
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
