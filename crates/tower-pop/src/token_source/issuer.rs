//! An issuer, as the token source uses it.

use std::sync::Arc;

use pop_core::policy::TokenAllowances;

use super::introspection::Introspector;
use crate::keys::IssuerKeys;

/// One issuer whose tokens are accepted.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) name: Box<str>,
    pub(crate) keys: IssuerKeys,
    pub(crate) allow: TokenAllowances,
    pub(crate) introspector: Option<Arc<Introspector>>,
}

impl Issuer {
    /// Returns whether JWTs of this issuer are verified locally, not introspected.
    pub(crate) fn verifies_locally(&self) -> bool {
        self.introspector.as_ref().is_none_or(|introspector| introspector.jwt_first())
    }
}
