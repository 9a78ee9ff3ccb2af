//! `exp`, `nbf` and `iat` of an access token.

use std::time::Duration;

use super::token::AccessToken;
use crate::TokenError;

/// Checks `exp`, `nbf` and `iat` against the current time. A verified token from a cache must pass this check on every use.
///
/// `leeway` is the tolerance for each of them. `exp` of an introspected token has no tolerance.
///
/// # Errors
/// [`TokenError::Expired`], [`TokenError::NotYetValid`] or [`TokenError::IssuedInFuture`].
pub fn check_times(token: &AccessToken, leeway: Duration, now: u64) -> Result<(), TokenError> {
    let leeway = leeway.as_secs();
    let latest = now.saturating_add(leeway);
    if now >= token.expires_at.saturating_add(if token.introspected { 0 } else { leeway }) {
        return Err(TokenError::Expired { ago: now.saturating_sub(token.expires_at) });
    }
    if let Some(not_before) = token.not_before.filter(|not_before| *not_before > latest) {
        return Err(TokenError::NotYetValid { ahead: not_before.saturating_sub(now) });
    }
    if let Some(issued_at) = token.issued_at.filter(|issued_at| *issued_at > latest) {
        return Err(TokenError::IssuedInFuture { ahead: issued_at.saturating_sub(now) });
    }
    Ok(())
}
