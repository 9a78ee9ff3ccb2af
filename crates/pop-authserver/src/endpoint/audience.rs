//! The audience of a token: the requested `resource` (RFC 8707).

use crate::form::Form;
use crate::grant::Grant;
use crate::oauth_error::OAuthError;
use crate::server::AuthServer;

/// Returns the audience for a request: its `resource`, which must be known and the only one, or the first audience of
/// the server.
pub(super) fn requested_audience(server: &AuthServer, form: &Form) -> Result<String, OAuthError> {
    let mut known = server.inner.resources.iter().map(|resource| &resource.identifier);
    let mut requested = form.values("resource");
    match (requested.next(), requested.next()) {
        (None, _) => known.next().cloned().ok_or_else(OAuthError::invalid_target),
        (Some(resource), None) if known.any(|audience| audience == resource) => Ok(resource.to_owned()),
        _ => Err(OAuthError::invalid_target()),
    }
}

/// Rejects a `resource` that differs from the granted one (RFC 8707 §2.2).
pub(super) fn check_granted_audience(server: &AuthServer, form: &Form, grant: &Grant) -> Result<(), OAuthError> {
    match form.get("resource") {
        Some(_) if requested_audience(server, form)? != grant.audience => Err(OAuthError::invalid_target()),
        _ => Ok(()),
    }
}
