//! What a resource expects of an access token.

use crate::policy::{TokenAllowances, TokenPolicy};

/// What one resource expects of the tokens of one issuer.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'e> {
    /// The identifiers of this resource. `aud` must name one of them.
    pub audiences: &'e [Box<str>],
    /// The allowances of the issuer.
    pub allowances: TokenAllowances,
    /// Algorithms, leeway and limits.
    pub policy: &'e TokenPolicy,
}
