//! The audience of a token: the requested `resource` (RFC 8707).

use crate::form::Form;
use crate::grant::Grant;
use crate::oauth_error::OAuthError;
use crate::server::AuthServer;

/// Returns the audience for a request: its `resource`, which must be known and the only one, or the first audience of
/// the server.
pub(super) fn requested_audience(server: &AuthServer, form: &Form) -> Result<String, OAuthError> {
    let known: Vec<&str> = server.inner.resources.iter().map(|resource| &*resource.identifier).collect();
    let mut requested = form.values("resource");
    match (requested.next(), requested.next()) {
        (None, _) => match known.first() {
            Some(first) => Ok((*first).to_owned()),
            None => Err(OAuthError::invalid_target("this server has no audience: configure one")),
        },
        (Some(resource), None) if known.contains(&resource) => Ok(resource.to_owned()),
        (Some(_), None) => {
            let known = known.join(" ");
            Err(OAuthError::invalid_target(format!("the resource is unknown. This server has tokens for: {known}")))
        }
        (Some(_), Some(_)) => Err(OAuthError::invalid_target("a token is for one resource")),
    }
}

/// Rejects a `resource` that differs from the granted one (RFC 8707 §2.2).
pub(super) fn check_granted_audience(server: &AuthServer, form: &Form, grant: &Grant) -> Result<(), OAuthError> {
    match form.get("resource") {
        Some(_) if requested_audience(server, form)? != grant.audience => {
            Err(OAuthError::invalid_target("the grant is for another resource"))
        }
        _ => Ok(()),
    }
}
