//! A verified access token.

use std::fmt;

use serde::de::DeserializeOwned;

use super::arena::{Arena, Span};
use crate::confirmation::Confirmation;
use crate::scope::Scopes;

/// The claims of a verified access token. The token is valid; whether the client holds its key is a separate question.
///
/// `Debug` shows issuer and expiry only.
#[derive(Clone)]
pub struct AccessToken {
    pub(super) arena: Arena,
    pub(super) issuer: Span,
    pub(super) subject: Option<Span>,
    pub(super) client_id: Option<Span>,
    pub(super) audience: Audience,
    /// The value of `scope`, which is well-formed.
    pub(super) scope: Span,
    pub(super) expires_at: u64,
    pub(super) not_before: Option<u64>,
    pub(super) issued_at: Option<u64>,
    pub(super) jti: Option<Span>,
    pub(super) auth_time: Option<u64>,
    pub(super) acr: Option<Span>,
    pub(super) confirmation: Option<Confirmation>,
    /// Whether the claims come from an introspection response. `exp` then has no tolerance.
    pub(super) introspected: bool,
}

/// The positions of the values of `aud`; nearly always there is one.
#[derive(Clone)]
pub(super) enum Audience {
    One(Span),
    Many(Box<[Span]>),
}

impl Audience {
    pub(super) fn spans(&self) -> &[Span] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl AccessToken {
    /// Returns `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.arena.get(self.issuer)
    }

    /// Returns `sub`. The values of `sub` and `client_id` can overlap: see [`AccessToken::acts_for_itself`].
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text(self.subject)
    }

    /// Returns `client_id`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.text(self.client_id)
    }

    /// Returns whether the client acts for itself, without a user: `sub` equals `client_id` (RFC 9068 §5).
    #[must_use]
    pub fn acts_for_itself(&self) -> bool {
        self.subject().is_some() && self.subject() == self.client_id()
    }

    /// Returns the values of `aud`.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.audience.spans().iter().map(|one| self.arena.get(*one))
    }

    /// Returns the scopes; none if the token has no `scope`.
    #[must_use]
    pub fn scopes(&self) -> Scopes<'_> {
        Scopes::checked(self.arena.get(self.scope))
    }

    /// Returns `exp`, in seconds since the epoch. An introspected token without `exp` counts as valid for as long as the
    /// response may be cached.
    #[must_use]
    pub const fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// Returns `nbf`, in seconds since the epoch.
    #[must_use]
    pub const fn not_before(&self) -> Option<u64> {
        self.not_before
    }

    /// Returns `iat`, in seconds since the epoch.
    #[must_use]
    pub const fn issued_at(&self) -> Option<u64> {
        self.issued_at
    }

    /// Returns `jti`.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.text(self.jti)
    }

    /// Returns `auth_time`, in seconds since the epoch.
    #[must_use]
    pub const fn auth_time(&self) -> Option<u64> {
        self.auth_time
    }

    /// Returns `acr`.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.text(self.acr)
    }

    /// Returns the `cnf` claim: what the token is bound to.
    #[must_use]
    pub const fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_ref()
    }

    /// Returns whether the claims come from an introspection response (RFC 7662) instead of a JWT.
    #[must_use]
    pub const fn is_introspected(&self) -> bool {
        self.introspected
    }

    /// Returns all claims as JSON, as the issuer signed them or as the introspection response has them.
    #[must_use]
    pub fn raw_claims(&self) -> &str {
        self.arena.json()
    }

    /// Returns the size of the claims in memory, in bytes: the JSON, the strings that it holds in escaped form, and the
    /// positions of the values of `aud`.
    #[must_use]
    pub fn size(&self) -> usize {
        self.arena.len().saturating_add(std::mem::size_of_val(self.audience.spans()))
    }

    /// Deserializes all claims.
    ///
    /// # Errors
    /// If the claims do not deserialize into `T`.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.raw_claims())
    }

    fn text(&self, span: Option<Span>) -> Option<&str> {
        span.map(|span| self.arena.get(span))
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("issuer", &self.issuer())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
